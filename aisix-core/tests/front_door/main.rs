//! The pipeline as its users meet it: `gateway.oneshot(request)` in front of a scripted upstream.
#![allow(clippy::unwrap_used, reason = "tests")]

mod answers;
mod arrival_hooks;
mod ask;
mod asking;
mod credentials;
mod deadlines;
mod endings;
mod explain;
mod faulty_hooks;
mod guardrails;
mod headers;
mod hooks;
mod http_hooks;
mod limits;
mod listing;
mod models;
mod order;
mod plugins;
mod policies;
mod relay;
mod replicas;
mod requests;
mod retries;
mod routing;
mod shape;
mod streams;
