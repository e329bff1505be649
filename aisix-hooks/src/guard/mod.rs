//! What all guards share: where they look, what becomes of what they find, and how that is told.

pub mod remote;
mod report;
mod settings;

pub use self::{
    report::{Identity, Report},
    settings::{Enforcement, HookPoint, OnStream},
};
