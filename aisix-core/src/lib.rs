//! An AI gateway as composable Tower layers.
//!
//! ```text
//! http::Request
//!  → observe        every ending is reported once: complete, refused, failed, cancelled
//!  → edge           request id, one snapshot of the configuration, the route
//!  → auth           who is calling?                                          [Auth]
//!  → http hooks     those that configuration names, before the body is read
//!  → ingest         the body, and the envelope of its JSON
//!  → admit          does the model exist, may the caller use it?             [Model validation]
//!  → limit          held until the reply ends                                [Rate limit]
//!  → hooks          yours
//!  → route          attempts, until one answers
//!  → upstream       the provider
//! ```
//!
//! [`Gateway`] is the whole of it: a [`tower_service::Service`] from HTTP requests to HTTP responses,
//! to be nested in any axum or hyper app. It is built from a [`Config`](config::Config) and a
//! [`Transport`](upstream::Transport):
//!
//! ```
//! use aisix_core::{Gateway, config::Config, upstream::Registry};
//! # use aisix_core::{body::Body, BoxError};
//! # let my_client = tower::service_fn(|_: http::Request<Body>| async {
//! #     Ok::<_, BoxError>(http::Response::new(Body::empty()))
//! # });
//!
//! let config = Config::builder().providers(Registry::new()).build();
//! let gateway = Gateway::builder(config).transport(my_client).build()?;
//! # Ok::<_, aisix_core::BuildError>(())
//! ```
//!
//! Timers need a Tokio runtime; nothing is spawned.
#![forbid(unsafe_code)]

pub mod auth;
pub mod balance;
pub mod body;
mod builder;
pub mod call;
pub mod config;
pub mod edge;
mod error;
pub mod explain;
mod gateway;
pub mod hook;
mod ingest;
pub mod limit;
pub mod models;
pub mod observe;
mod pipeline;
pub mod replicas;
pub mod reply;
mod route;
mod stage;
#[cfg(any(test, feature = "test-util"))]
pub mod testing;
pub mod upstream;

/// The formats, whose types are part of this crate's interface.
pub use aisix_wire as wire;

pub use self::{
    builder::{BuildError, GatewayBuilder},
    error::{Error, ErrorKind, Retry, UpstreamRefusal},
    gateway::Gateway,
};

/// Any error, boxed.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
