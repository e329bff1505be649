//! Settings of the hook.

use aisix_core::config::{Secret, resource::Invalid};
use schemars::JsonSchema;
use serde::Deserialize;

use super::masks::{Mask, Masks};
use crate::mask::{Check, Entity, known, near};

/// What is written in the place of what has no mask of its own.
const STARS: &str = "*****";

/// Settings of [`DataMasking`](super::DataMasking).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataMaskingSettings {
    /// Looks for every entity that is known, and writes `*****` in its place unless `predefined_entities` says
    /// otherwise of it. Default: false.
    #[serde(default)]
    pub apply_all: bool,
    /// The entities that are looked for. Default: none.
    #[serde(default)]
    #[schemars(length(max = 128))]
    pub predefined_entities: Vec<PredefinedEntity>,
    /// What else is looked for. Default: nothing.
    #[serde(default)]
    #[schemars(length(max = 1_000))]
    pub rules: Vec<MaskingRule>,
    /// How much of a text must be the same as a keyword, from 0 to 1. Default: 0.8.
    #[serde(default = "similarity_threshold")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub similarity_threshold: f64,
    /// How many characters may differ from a keyword. Default: 1.
    #[serde(default = "max_edit_distance")]
    #[schemars(range(max = 16))]
    pub max_edit_distance: u8,
    /// Whether answers get back what requests were robbed of. Default: they do not.
    #[serde(default)]
    pub reversible_hashing: ReversibleHashing,
}

/// An entity that is known by name.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PredefinedEntity {
    /// Its name.
    #[schemars(extend("enum" = known::names()))]
    pub entity: String,
    /// Whether it is looked for. Default: true.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// What is written in its place. Default: a word of its own, such as `[MASKED_EMAIL]`.
    #[serde(default)]
    #[schemars(length(min = 1, max = 256))]
    pub mask_with: Option<String>,
    /// Whether that is repeated, and cut, until it is as long as what it hides. Default: false.
    #[serde(default)]
    pub preserve_len: bool,
}

/// Something else that is looked for.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaskingRule {
    /// How the pattern is meant.
    #[serde(rename = "type")]
    pub kind: MaskingRuleKind,
    /// An expression, or a keyword of one or more words.
    #[schemars(length(min = 1, max = 4_096))]
    pub pattern: String,
    /// What is written in its place. Default: `*****`.
    #[serde(default)]
    #[schemars(length(min = 1, max = 256))]
    pub mask_with: Option<String>,
    /// Whether that is repeated, and cut, until it is as long as what it hides. Default: false.
    #[serde(default)]
    pub preserve_len: bool,
}

/// How the pattern of a rule is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MaskingRuleKind {
    /// A regular expression of the `regex` crate. With a group, only what the first group matches is masked.
    Regex,
    /// Words, in upper or lower case, and with few mistakes.
    Keyword,
}

/// Whether answers get back what requests were robbed of.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReversibleHashing {
    /// Whether they do. Default: false.
    #[serde(default)]
    pub enabled: bool,
    /// What tokens are made with, so that nobody else can tell what stands behind one. Required where it is enabled.
    #[serde(default)]
    pub secret: Option<Secret>,
}

fn similarity_threshold() -> f64 {
    0.8
}

fn max_edit_distance() -> u8 {
    1
}

fn yes() -> bool {
    true
}

// === impl DataMaskingSettings ===

impl DataMaskingSettings {
    pub(super) fn compile(&self) -> Result<Masks, Vec<Invalid>> {
        let mut wanted = self.predefined();
        let mut wrong = Vec::new();
        for (index, rule) in self.rules.iter().enumerate() {
            match self.rule(rule) {
                Ok(rules) => wanted.extend(rules),
                Err(message) => {
                    wrong.push(Invalid::new(format!("rules[{index}].pattern"), message));
                }
            }
        }
        if wanted.is_empty() && wrong.is_empty() {
            let message = "need an entity, a rule, or `apply_all`";
            wrong.push(Invalid::new("", message));
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let too_much = || Invalid::new("rules", "take too much memory together");
        Masks::compile(wanted).map_err(|_| vec![too_much()])
    }

    /// The secret of tokens, where there are any.
    pub(super) fn secret(&self) -> Result<Option<&Secret>, Vec<Invalid>> {
        let ReversibleHashing { enabled, secret } = &self.reversible_hashing;
        let secret = secret.as_ref().filter(|secret| !secret.expose().is_empty());
        match (enabled, secret) {
            (false, _) => Ok(None),
            (true, Some(secret)) => Ok(Some(secret)),
            (true, None) => {
                let message = "is required where `enabled` is true";
                Err(vec![Invalid::new("reversible_hashing.secret", message)])
            }
        }
    }

    fn predefined(&self) -> Vec<(Entity, Mask)> {
        let wanted = known::ALL.iter().filter_map(|known| {
            let mut said = self.predefined_entities.iter();
            let said = said.find(|said| said.entity == known.name);
            if !said.map_or(self.apply_all, |said| said.enabled) {
                return None;
            }
            let default = if self.apply_all { STARS } else { known.mask };
            let mask = Mask {
                label: known.name.to_uppercase(),
                with: said
                    .and_then(|said| said.mask_with.clone())
                    .unwrap_or_else(|| default.to_owned()),
                preserve_len: said.is_some_and(|said| said.preserve_len),
            };
            Some((known.entity(), mask))
        });
        wanted.collect()
    }

    fn rule(&self, rule: &MaskingRule) -> Result<Vec<(Entity, Mask)>, String> {
        let (label, entities) = match rule.kind {
            MaskingRuleKind::Regex => (
                "REGEX",
                vec![Entity::read(rule.pattern.clone(), Check::None)?],
            ),
            MaskingRuleKind::Keyword => {
                let distance = self.max_edit_distance.into();
                (
                    "KEYWORD",
                    near(&rule.pattern, distance, self.similarity_threshold)?,
                )
            }
        };
        let with = rule.mask_with.as_deref().unwrap_or(STARS);
        let mask = || Mask {
            label: label.to_owned(),
            with: with.to_owned(),
            preserve_len: rule.preserve_len,
        };
        Ok(entities
            .into_iter()
            .map(|entity| (entity, mask()))
            .collect())
    }
}
