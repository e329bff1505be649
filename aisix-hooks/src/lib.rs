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

mod ask;
mod cache;
mod cors;
mod data_masking;
mod duration;
mod edit;
pub mod external_api;
mod filling;
pub mod guard;
mod injection_protection;
mod ip_allowlist;
mod keyword_guard;
#[cfg(feature = "redis")]
pub mod limit_redis;
mod mask;
pub mod observe;
mod pii_guard;
mod prompt_caching;
mod prompt_moderation;
pub mod prompt_template;
pub mod rate_limiter;
#[cfg(feature = "redis")]
pub mod redis_access;
mod request_body;
mod request_size_limiter;
mod request_validation;
pub mod text;
pub mod transform;
mod unsupported;

use aisix_core::hook::Hooks;

use self::guard::remote::{
    AzurePromptShield, AzureTextModeration, BedrockGuardrail, Lakera, OpenaiModeration, Presidio,
};

pub use self::{
    cache::{Cache, CacheBackend, CacheScope, CacheSettings, SemanticSettings},
    cors::{Cors, CorsSettings},
    data_masking::{
        DataMasking, DataMaskingSettings, MaskingRule, MaskingRuleKind, PredefinedEntity,
        ReversibleHashing,
    },
    duration::Span,
    external_api::ExternalApi,
    guard::{Enforcement, HookPoint, OnStream},
    injection_protection::{
        CustomInjection, InjectionAction, InjectionContent, InjectionKind, InjectionProtection,
        InjectionProtectionSettings, PredefinedInjection,
    },
    ip_allowlist::{IpAllowlist, IpAllowlistSettings},
    keyword_guard::{KeywordGuard, KeywordGuardSettings, KeywordOnStream, Pattern, PatternKind},
    pii_guard::{
        CustomPattern, Detector, DetectorKind, OnBufferExceeded, PiiAction, PiiGuard,
        PiiGuardSettings,
    },
    prompt_caching::{PromptCaching, PromptCachingSettings},
    prompt_moderation::{
        PromptModeration, PromptModerationAction, PromptModerationActions, PromptModerationSettings,
    },
    prompt_template::PromptTemplate,
    rate_limiter::RateLimiter,
    request_size_limiter::{RequestSizeLimiter, RequestSizeLimiterSettings, SizeUnit},
    request_validation::{RequestValidation, RequestValidationSettings},
    transform::Transform,
};

#[cfg(feature = "redis")]
pub use self::cache::{SharedCache, SharedCacheDriver};

/// The hooks that configuration can name.
pub fn hooks() -> Hooks {
    unsupported::names(Hooks::new())
        .plugin(AzurePromptShield)
        .plugin(AzureTextModeration)
        .plugin(BedrockGuardrail)
        .plugin(Cache::new())
        .plugin(Cors)
        .plugin(DataMasking)
        .plugin(ExternalApi)
        .plugin(InjectionProtection)
        .plugin(IpAllowlist::new())
        .plugin(IpAllowlist::by_older_name())
        .plugin(KeywordGuard)
        .plugin(Lakera)
        .plugin(OpenaiModeration)
        .plugin(PiiGuard)
        .plugin(Presidio)
        .plugin(PromptCaching)
        .plugin(PromptModeration)
        .plugin(PromptTemplate)
        .plugin(RateLimiter)
        .plugin(RequestSizeLimiter)
        .plugin(RequestValidation)
        .plugin(Transform)
}
