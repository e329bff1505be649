//! Settings of the guard.

use std::num::NonZeroUsize;

use aisix_core::config::resource::Invalid;
use schemars::JsonSchema;
use serde::Deserialize;

use super::editor::{Action, PiiEditor, Wanted};
use crate::{
    edit::hold::MAX_HELD,
    guard::{Enforcement, HookPoint},
    mask::{
        Check, Entity,
        check::{money, network, people},
        known,
    },
};

/// Settings of [`PiiGuard`](super::PiiGuard).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PiiGuardSettings {
    /// What it is called in refusals, in the access log and in metrics. Default: the element's id.
    #[serde(default)]
    #[schemars(length(min = 1, max = 128))]
    pub name: Option<String>,
    /// What is looked for. Default: nothing.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub detectors: Vec<Detector>,
    /// What else is looked for. Default: nothing.
    #[serde(default)]
    #[schemars(length(max = 1_000))]
    pub custom_patterns: Vec<CustomPattern>,
    /// What becomes of what is found where nothing else is said. Default: `mask`.
    #[serde(default)]
    pub default_action: PiiAction,
    /// Where it looks. Default: `both`.
    #[serde(default)]
    pub hook_point: HookPoint,
    /// Whether it does more than watch. Default: `block`.
    #[serde(default)]
    pub enforcement_mode: Enforcement,
    /// How much of a stream may be held back, in bytes of events. Default: 262144.
    #[serde(default = "max_buffer_bytes")]
    pub max_buffer_bytes: NonZeroUsize,
    /// What becomes of a stream of which more would have to be held back. Default: `fail_closed`.
    #[serde(default)]
    pub on_buffer_exceeded: OnBufferExceeded,
    /// Without a meaning here: the guard asks nobody who could fail. Default: true.
    #[serde(default = "yes")]
    pub fail_open: bool,
    /// Without a meaning here: the guard asks nobody who could fail. Default: false.
    #[serde(default)]
    pub mandatory: bool,
}

/// A detector, and what becomes of what it finds.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Detector {
    /// What it finds.
    #[serde(rename = "type")]
    pub kind: DetectorKind,
    /// What becomes of it. Default: `default_action`.
    #[serde(default)]
    pub action: Option<PiiAction>,
}

/// An expression, and what becomes of what matches it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomPattern {
    /// What it is called in the token that stands in the place of a match.
    #[schemars(length(min = 1, max = 64))]
    pub name: String,
    /// A regular expression of the `regex` crate. With a group, only what the first group matches is masked.
    #[schemars(length(min = 1, max = 4_096))]
    pub regex: String,
    /// What becomes of a match. Default: `default_action`.
    #[serde(default)]
    pub action: Option<PiiAction>,
    /// What is written in the place of a match that is masked. Default: `[<NAME>_REDACTED]`.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub replacement: Option<String>,
}

/// What becomes of what is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PiiAction {
    /// Something else is written in its place.
    #[default]
    Mask,
    /// The request or the answer is refused.
    Block,
}

/// What a detector finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DetectorKind {
    /// Addresses of e-mail.
    Email,
    /// Chinese mobile telephone numbers.
    ChinaMobile,
    /// Numbers of Chinese identity cards, by their checksum.
    ChinaIdCard,
    /// Numbers of bank cards, by their checksum.
    BankCard,
    /// American social security numbers.
    UsSsn,
    /// Addresses of IP, versions 4 and 6.
    IpAddress,
    /// Keys of well-known services, told by how they begin.
    ApiKey,
    /// JSON Web Tokens.
    Jwt,
    /// Private keys in PEM.
    PrivateKey,
}

/// What becomes of a stream of which too much would have to be held back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnBufferExceeded {
    /// It ends with an error.
    #[default]
    FailClosed,
}

fn max_buffer_bytes() -> NonZeroUsize {
    NonZeroUsize::new(MAX_HELD).unwrap_or(NonZeroUsize::MIN)
}

fn yes() -> bool {
    true
}

// === impl PiiGuardSettings ===

impl PiiGuardSettings {
    pub(super) fn compile(&self) -> Result<PiiEditor, Vec<Invalid>> {
        let mut wanted = Vec::new();
        for Detector { kind, action } in &self.detectors {
            let action = action.unwrap_or(self.default_action);
            let entities = kind.entities();
            wanted.extend(entities.into_iter().map(|entity| Wanted {
                entity,
                action: action.with(|| redacted(kind.name())),
            }));
        }
        let mut wrong = Vec::new();
        for (index, pattern) in self.custom_patterns.iter().enumerate() {
            match pattern.wanted(self.default_action) {
                Ok(pattern) => wanted.push(pattern),
                Err(Invalid { path, message }) => {
                    let path = format!("custom_patterns[{index}].{path}");
                    wrong.push(Invalid::new(path, message));
                }
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let too_much = || Invalid::new("custom_patterns", "take too much memory together");
        PiiEditor::compile(wanted).map_err(|_| vec![too_much()])
    }
}

// === impl CustomPattern ===

impl CustomPattern {
    fn wanted(&self, default: PiiAction) -> Result<Wanted, Invalid> {
        let action = self.action.unwrap_or(default);
        if action == PiiAction::Block && self.replacement.is_some() {
            let message = "is only possible where the action is `mask`";
            return Err(Invalid::new("replacement", message));
        }
        let entity = Entity::read(self.regex.clone(), Check::None);
        let replacement = || self.replacement.clone();
        Ok(Wanted {
            entity: entity.map_err(|message| Invalid::new("regex", message))?,
            action: action.with(|| replacement().unwrap_or_else(|| redacted(&self.name))),
        })
    }
}

/// What stands in the place of what is found by a detector of this name.
fn redacted(name: &str) -> String {
    format!("[{}_REDACTED]", name.to_uppercase())
}

// === impl PiiAction ===

impl PiiAction {
    fn with(self, replacement: impl FnOnce() -> String) -> Action {
        match self {
            Self::Mask => Action::Mask(replacement()),
            Self::Block => Action::Block,
        }
    }
}

// === impl DetectorKind ===

impl DetectorKind {
    fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::ChinaMobile => "china_mobile",
            Self::ChinaIdCard => "china_id_card",
            Self::BankCard => "bank_card",
            Self::UsSsn => "us_ssn",
            Self::IpAddress => "ip_address",
            Self::ApiKey => "api_key",
            Self::Jwt => "jwt",
            Self::PrivateKey => "private_key",
        }
    }

    fn entities(self) -> Vec<Entity> {
        let one = |pattern, check| vec![Entity::ours(pattern, check)];
        match self {
            Self::Email => one(known::EMAIL, Check::None),
            Self::ChinaMobile => one(known::CHINA_MOBILE, Check::None),
            Self::ChinaIdCard => one(known::CHINA_CARD, Check::All(people::chinese_card)),
            Self::BankCard => one(known::CARD, Check::Part(money::card)),
            Self::UsSsn => one(known::SOCIAL_SECURITY, Check::All(people::social_security)),
            Self::IpAddress => vec![
                Entity::ours(known::IPV4, Check::None),
                Entity::ours(known::IPV6, Check::All(network::ipv6)),
            ],
            Self::ApiKey => one(known::API_KEY, Check::None),
            Self::Jwt => one(known::JWT, Check::None),
            Self::PrivateKey => one(known::PRIVATE_KEY, Check::None),
        }
    }
}
