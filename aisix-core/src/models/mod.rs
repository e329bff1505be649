//! Models: what callers name, and where it is served.

mod admit;
mod capacity;
pub mod checks;
mod ensemble;
pub mod health;
mod list;
mod model;
mod routing;
mod semantic;
mod serves;
mod target;

pub(crate) use self::{
    admit::{Admit, AdmitLayer, not_found, offers, quoted, unavailable, way},
    capacity::{Capacity, Seat},
    ensemble::{Ensemble, Voice},
    list::{list, one},
    routing::{Member, Routing},
    semantic::{OnFailure, Route, Semantic},
    serves::Serves,
    target::{Missing, Times},
};
pub use self::{
    model::Model,
    serves::ModelKind,
    target::{Deadlines, Target, UpstreamKey},
};
