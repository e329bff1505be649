//! The kinds of resources: their types, schemas and validation.
//!
//! [`decode`] turns a document into a typed [`Resource`] or reports everything that is wrong with
//! it. Schemas are made from the types, and texts are checked by the parsers that read them.

mod api_key;
mod cache_policy;
mod cidrs;
mod document;
mod first_generation;
mod format;
mod gateway;
mod guardrail;
mod guardrail_attachment;
mod headers;
mod key_hash;
mod kind;
mod mask;
mod model;
mod normal;
mod plugin;
mod policy;
mod provider_key;
mod rate_limit;
mod schema;
mod settings;
mod suggest;
mod template;
mod tidy;
mod upstream;
mod validate;

#[cfg(test)]
mod tests;

use std::fmt;

use serde_json::Value;

pub(crate) use self::settings::Settings;
pub use self::{
    api_key::ApiKey,
    cache_policy::{AppliesTo, CacheBackend, CachePolicy, CacheScope, SemanticCache},
    cidrs::Cidrs,
    first_generation::{first_generation, own_provider_key},
    gateway::Gateway,
    guardrail::{Guardrail, HookPoint},
    guardrail_attachment::{GuardrailAttachment, ScopeType},
    headers::{Headers, is_private, is_reserved},
    key_hash::KeyHash,
    kind::{Kind, UnknownKind},
    mask::{mask, secrets, unmask},
    model::{
        AdaptiveConcurrency, Aggregation, AutoPromptCaching, BackgroundCheck, CacheTtl,
        CircuitBreaker, Cooldown, Cost, Direct, DistanceMetric, Embedding, Ensemble, FailureTarget,
        HashOn, Hedging, Judge, MaxConnections, Model, Named, OnEmbeddingFailure, OnUnsupported,
        PanelMember, Routing, RoutingTarget, Semantic, SemanticMatch, SemanticRoute, Shape,
        WhenAllUnavailable, is_direct, targets,
    },
    normal::normalize,
    plugin::{Merge, Mode, Plugin, Stage},
    policy::{
        Comparison, Condition, Conditions, Days, Dimension, Group, Logic, PolicyForm, PolicyScope,
        RateLimitPolicy, Schedule, Test, Weekday, Window,
    },
    provider_key::{
        Adapter, BodyFields, FieldPath, ParamConstraints, ProviderKey, Request, Response,
        StreamDoneMarker, TelemetryKind, TelemetryTags, Tls,
    },
    rate_limit::RateLimit,
    schema::json_schema,
    suggest::nearest,
    template::{Template, TemplateError, Variable},
    upstream::{
        ActiveCheck, Algorithm, BodyPattern, CheckType, HealthChecks, TargetState, Upstream,
        UpstreamTarget,
    },
};

/// A resource, decoded.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Resource {
    /// Several places that serve the same.
    Upstream(Upstream),
    /// A credential for an upstream.
    ProviderKey(ProviderKey),
    /// A model.
    Model(Model),
    /// A caller's credential.
    ApiKey(ApiKey),
    /// A gateway.
    Gateway(Gateway),
    /// A guardrail.
    Guardrail(Guardrail),
    /// Where a guardrail applies.
    GuardrailAttachment(GuardrailAttachment),
    /// A rate limit that belongs to no single key or model.
    RateLimitPolicy(RateLimitPolicy),
    /// Which calls are answered by what was answered before.
    CachePolicy(CachePolicy),
}

/// What happens to fields that are not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// They are errors: for documents that people write.
    Strict,
    /// They are left out and reported: for documents that machines deliver. Types, required fields,
    /// ranges and enumerations are checked as ever. An element of a list or map that has the right
    /// type but makes no sense, such as a malformed network, is left out too.
    Lenient,
}

/// A decoded document.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The resource.
    pub resource: Resource,
    /// The fields that were left out, as paths with `[]` for any index; those that were known but
    /// made no sense as `inapplicable:<path>`. At most 64, then `...truncated`. Always empty in
    /// strict decoding.
    pub unknown: Vec<String>,
}

/// Something that is wrong with a document.
///
/// Shown as a sentence: ``  `rate_limit.rpm` must be an integer, not a string  ``.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Invalid {
    /// The way to the field, such as `rate_limit.rpm`; empty for the whole document.
    pub path: String,
    /// The rest of the sentence. Never repeats a value.
    pub message: String,
}

/// Decodes a document, or reports everything that is wrong with it, ordered by path.
///
/// `null` is the same as absent.
pub fn decode(kind: Kind, value: Value, strictness: Strictness) -> Result<Decoded, Vec<Invalid>> {
    use validate::validated;
    let (resource, unknown) = match kind {
        Kind::Upstream => {
            let (upstream, unknown) = validated(kind, value, strictness)?;
            (Resource::Upstream(upstream), unknown)
        }
        Kind::ProviderKey => {
            let (key, unknown) = validated(kind, value, strictness)?;
            (Resource::ProviderKey(key), unknown)
        }
        Kind::Model => {
            let (model, unknown) = validated(kind, value, strictness)?;
            (Resource::Model(model), unknown)
        }
        Kind::ApiKey => {
            let (key, unknown) = validated(kind, value, strictness)?;
            (Resource::ApiKey(key), unknown)
        }
        Kind::Gateway => {
            let (gateway, unknown) = validated(kind, value, strictness)?;
            (Resource::Gateway(gateway), unknown)
        }
        Kind::Guardrail => {
            let (guardrail, unknown) = validated(kind, value, strictness)?;
            (Resource::Guardrail(guardrail), unknown)
        }
        Kind::GuardrailAttachment => {
            let (attachment, unknown) = validated(kind, value, strictness)?;
            (Resource::GuardrailAttachment(attachment), unknown)
        }
        Kind::RateLimitPolicy => {
            let (policy, unknown) = validated(kind, value, strictness)?;
            (Resource::RateLimitPolicy(policy), unknown)
        }
        Kind::CachePolicy => {
            let (policy, unknown) = validated::<CachePolicy>(kind, value, strictness)?;
            (Resource::CachePolicy(policy.hooked()), unknown)
        }
    };
    Ok(Decoded { resource, unknown })
}

// === impl Resource ===

impl Resource {
    /// The resource's kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Upstream(_) => Kind::Upstream,
            Self::ProviderKey(_) => Kind::ProviderKey,
            Self::Model(_) => Kind::Model,
            Self::ApiKey(_) => Kind::ApiKey,
            Self::Gateway(_) => Kind::Gateway,
            Self::Guardrail(_) => Kind::Guardrail,
            Self::GuardrailAttachment(_) => Kind::GuardrailAttachment,
            Self::RateLimitPolicy(_) => Kind::RateLimitPolicy,
            Self::CachePolicy(_) => Kind::CachePolicy,
        }
    }

    /// The chain of hooks that hangs on it, or that does what it says.
    pub fn plugins(&self) -> &[Plugin] {
        match self {
            Self::Upstream(_)
            | Self::ProviderKey(_)
            | Self::Guardrail(_)
            | Self::GuardrailAttachment(_)
            | Self::RateLimitPolicy(_) => &[],
            Self::Model(model) => &model.plugins,
            Self::ApiKey(key) => &key.plugins,
            Self::Gateway(gateway) => &gateway.plugins,
            Self::CachePolicy(policy) => &policy.plugins,
        }
    }
}

// === impl Invalid ===

impl Invalid {
    /// Something wrong with the field at `path`; the message is the rest of a sentence about it.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
        }
    }

    /// Whether a document could not be read although nothing else is wrong with it.
    pub(super) fn is_unreadable(&self) -> bool {
        self.message == validate::UNREADABLE
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.message),
            path => write!(f, "`{path}` {}", self.message),
        }
    }
}
