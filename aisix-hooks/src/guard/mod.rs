//! What all guards share: where they look, what becomes of what they find, and how that is told.

pub mod remote;
mod report;
mod settings;

pub use aisix_core::config::resource::HookPoint;

pub use self::{
    report::{Identity, Report},
    settings::{Enforcement, OnStream},
};
