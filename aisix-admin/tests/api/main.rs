//! The Admin API as its users meet it: `admin.oneshot(request)` over a real store.
#![allow(clippy::unwrap_used, reason = "tests")]

mod ask;
mod concurrency;
mod doors;
mod history;
mod keys;
mod models;
mod random;
mod resources;
mod several;
