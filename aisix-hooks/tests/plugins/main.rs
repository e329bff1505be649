//! The hooks that configuration can name, through a gateway in front of a scripted upstream.
#![allow(clippy::unwrap_used, reason = "tests")]

mod ask;
mod changes;
mod cors;
mod every;
mod expressions;
mod ip_allowlist;
mod keyword_guard;
mod rate_limiter;
mod request_size_limiter;
mod request_validation;
