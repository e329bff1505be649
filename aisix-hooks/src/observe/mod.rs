//! Observers: they watch requests and decide nothing.

pub mod access_log;
pub mod metrics;
mod worker;

pub use self::{
    access_log::{AccessLog, Flush},
    metrics::{Metrics, MetricsSettings},
};
