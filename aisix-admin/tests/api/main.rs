//! The Admin API as its users meet it: `admin.oneshot(request)` over a real store.
#![allow(clippy::unwrap_used, reason = "tests")]

mod ask;
mod concurrency;
mod doors;
mod explain;
mod guardrails;
mod history;
mod import;
mod keys;
mod models;
mod plugins;
mod random;
mod resources;
