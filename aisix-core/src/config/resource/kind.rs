//! The kinds of resources.

use std::{fmt, str::FromStr};

use super::{
    ApiKey, CachePolicy, Gateway, Guardrail, GuardrailAttachment, Model, ProviderKey,
    RateLimitPolicy, Upstream, document::Document,
};

/// A kind of resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// Several places that serve the same.
    Upstream,
    /// A credential for an upstream, and how to talk to it.
    ProviderKey,
    /// A name for callers and what serves it.
    Model,
    /// A caller's credential and what it may do.
    ApiKey,
    /// What holds for everything that comes in at one address.
    Gateway,
    /// A guard on what is asked and answered.
    Guardrail,
    /// Where a guard applies.
    GuardrailAttachment,
    /// A rate limit that belongs to no single key or model.
    RateLimitPolicy,
    /// Which calls are answered by what was answered before.
    CachePolicy,
}

/// The name of a kind is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownKind;

// === impl Kind ===

impl Kind {
    /// All kinds, in the order in which they may refer to one another.
    pub const ALL: [Self; 9] = [
        Self::Upstream,
        Self::ProviderKey,
        Self::Model,
        Self::ApiKey,
        Self::Gateway,
        Self::Guardrail,
        Self::GuardrailAttachment,
        Self::RateLimitPolicy,
        Self::CachePolicy,
    ];

    /// The name in files and in keys of stores: `upstreams`, `provider_keys`, `models`, `api_keys`, `gateways`,
    /// `guardrails`, `guardrail_attachments`, `rate_limit_policies`, `cache_policies`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Upstream => "upstreams",
            Self::ProviderKey => "provider_keys",
            Self::Model => "models",
            Self::ApiKey => "api_keys",
            Self::Gateway => "gateways",
            Self::Guardrail => "guardrails",
            Self::GuardrailAttachment => "guardrail_attachments",
            Self::RateLimitPolicy => "rate_limit_policies",
            Self::CachePolicy => "cache_policies",
        }
    }

    /// The field that names a resource of the kind for people; of an attachment, which has no name, the one
    /// that says what it attaches.
    pub const fn name_field(self) -> &'static str {
        match self {
            Self::Upstream
            | Self::Gateway
            | Self::Guardrail
            | Self::RateLimitPolicy
            | Self::CachePolicy => "name",
            Self::GuardrailAttachment => "guardrail_id",
            _ => "display_name",
        }
    }

    /// Whether a file of resources can hold it; the others are for stores only.
    pub const fn is_in_files(self) -> bool {
        !matches!(self, Self::GuardrailAttachment)
    }

    /// Groups of fields: no two resources of the kind may have the same text in fields of one group.
    pub const fn identities(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Upstream => Upstream::IDENTITIES,
            Self::ProviderKey => ProviderKey::IDENTITIES,
            Self::Model => Model::IDENTITIES,
            Self::ApiKey => ApiKey::IDENTITIES,
            Self::Gateway => Gateway::IDENTITIES,
            Self::Guardrail => Guardrail::IDENTITIES,
            Self::GuardrailAttachment => GuardrailAttachment::IDENTITIES,
            Self::RateLimitPolicy => RateLimitPolicy::IDENTITIES,
            Self::CachePolicy => CachePolicy::IDENTITIES,
        }
    }

    /// Fields that hold the id of another resource, and of which kind that is.
    pub const fn references(self) -> &'static [(&'static str, Self)] {
        match self {
            Self::Upstream => Upstream::REFERENCES,
            Self::ProviderKey => ProviderKey::REFERENCES,
            Self::Model => Model::REFERENCES,
            Self::ApiKey => ApiKey::REFERENCES,
            Self::Gateway => Gateway::REFERENCES,
            Self::Guardrail => Guardrail::REFERENCES,
            Self::GuardrailAttachment => GuardrailAttachment::REFERENCES,
            Self::RateLimitPolicy => RateLimitPolicy::REFERENCES,
            Self::CachePolicy => CachePolicy::REFERENCES,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == name)
            .ok_or(UnknownKind)
    }
}

// === impl UnknownKind ===

impl fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown kind of resource")
    }
}

impl std::error::Error for UnknownKind {}
