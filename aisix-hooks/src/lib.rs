//! Hooks and observers for `aisix-core`.
//!
//! [`hooks`] is the table of those that configuration can name; each can be registered alone, too.
//!
//! ```
//! use aisix_core::config::Config;
//!
//! let config = Config::builder().hooks(aisix_hooks::hooks()).build();
//! # drop(config);
//! ```
//!
//! [`observe`] has the access log and the metrics of a gateway. Both are made to cost little more than a microsecond for each request: what a request's labels
//! stand for is looked up once and remembered, lines are written by hand, and I/O is done elsewhere.
//!
//! ```
//! use aisix_core::{Gateway, config::Config};
//! use aisix_hooks::observe::{AccessLog, Metrics, MetricsSettings};
//! # use aisix_core::{BoxError, body::Body};
//! # let my_client = tower::service_fn(|_: http::Request<Body>| async {
//! #     Ok::<_, BoxError>(http::Response::new(Body::empty()))
//! # });
//!
//! let (access_log, flush) = AccessLog::new(std::io::stdout())?;
//! let metrics = Metrics::new(MetricsSettings::default());
//! let gateway = Gateway::builder(Config::builder().build())
//!     .transport(my_client)
//!     .observe(access_log)
//!     .observe(metrics.clone())
//!     .build()?;
//! println!("{}", metrics.render());
//! drop(flush); // waits until everything is written
//! # Ok::<_, BoxError>(())
//! ```
#![forbid(unsafe_code)]

mod cors;
mod duration;
mod edit;
pub mod guard;
mod ip_allowlist;
mod keyword_guard;
#[cfg(feature = "redis")]
pub mod limit_redis;
pub mod observe;
pub mod rate_limiter;
mod request_size_limiter;
mod request_validation;
pub mod text;

use aisix_core::hook::Hooks;

pub use self::{
    cors::{Cors, CorsSettings},
    duration::Span,
    guard::{Enforcement, HookPoint, OnStream},
    ip_allowlist::{IpAllowlist, IpAllowlistSettings},
    keyword_guard::{KeywordGuard, KeywordGuardSettings, Pattern, PatternKind},
    rate_limiter::RateLimiter,
    request_size_limiter::{RequestSizeLimiter, RequestSizeLimiterSettings, SizeUnit},
    request_validation::{RequestValidation, RequestValidationSettings},
};

/// The hooks that configuration can name.
pub fn hooks() -> Hooks {
    Hooks::new()
        .plugin(Cors)
        .plugin(IpAllowlist::new())
        .plugin(IpAllowlist::by_older_name())
        .plugin(KeywordGuard)
        .plugin(RateLimiter)
        .plugin(RequestSizeLimiter)
        .plugin(RequestValidation)
}
