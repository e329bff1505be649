//! The hooks that configuration can name, through a gateway in front of a scripted upstream.
#![allow(clippy::unwrap_used, reason = "tests")]

mod ask;
mod cache;
mod cache_policies;
mod changes;
mod coalesce;
mod cors;
mod cuts;
mod data_masking;
mod every;
mod expressions;
mod external_api;
mod guardrails;
mod injection_protection;
mod ip_allowlist;
mod keyword_guard;
#[path = "../../benches/chains/table.rs"]
mod measured;
mod native;
mod pii_guard;
mod prompt_caching;
mod prompt_moderation;
mod prompt_template;
mod rate_limiter;
mod remote;
mod request_size_limiter;
mod request_validation;
mod semantic_cache;
mod services;
mod speech;
mod transform;
mod unsupported;
