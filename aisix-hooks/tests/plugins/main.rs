//! The hooks that configuration can name, through a gateway in front of a scripted upstream.
#![allow(clippy::unwrap_used, reason = "tests")]

mod ask;
mod cors;
mod ip_allowlist;
mod keyword_guard;
mod prompt_template;
mod rate_limiter;
mod request_size_limiter;
mod request_validation;
mod transform;
