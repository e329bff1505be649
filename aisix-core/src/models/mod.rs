//! Models: what callers name, and where it is served.

mod admit;
pub mod health;
mod list;
mod model;
mod target;

pub(crate) use self::{
    admit::{Admit, AdmitLayer, not_found, quoted, way},
    list::{list, one},
    target::Missing,
};
pub use self::{
    model::Model,
    target::{Deadlines, Target, UpstreamKey},
};
