//! The control plane of AISIX: the Admin API as a Tower service over a
//! [`ConfigStore`](aisix_core::config::ConfigStore).
//!
//! ```
//! use aisix_admin::{Admin, AdminKeys};
//! use aisix_core::config::ConfigStore;
//!
//! fn control_plane(store: impl ConfigStore, key: &str) -> Admin {
//!     Admin::builder(store).keys(AdminKeys::new([key])).build()
//! }
//! ```
//!
//! Like the gateway it is nested in any axum or hyper app, never fails, and matches the whole remaining
//! path. Resources of all kinds are served by the same code under `/aisix/admin/<kind>`; what a kind is
//! like is said in `aisix-core`, once.
//!
//! ```text
//! request → route → key → body ─┬─ read ──▶ store ──▶ masked answer
//!                               └─ write ─▶ desk: plan each, check, one commit ──▶ answer
//! ```
//!
//! Writes that come together are planned one after the other and committed together by a task that is
//! spawned on the Tokio runtime, so that a client which leaves does not take others with it.
#![forbid(unsafe_code)]

mod answer;
mod auth;
mod catalog;
mod desk;
pub mod diff;
mod document;
mod explain;
mod health;
mod history;
pub mod import;
mod openapi;
mod operation;
mod plugins;
mod request;
mod resources;
mod route;
mod service;

pub use self::{
    auth::AdminKeys,
    service::{Admin, AdminBuilder},
};
