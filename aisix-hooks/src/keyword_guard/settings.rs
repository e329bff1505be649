//! Settings of the guard.

use aisix_core::config::resource::Invalid;
use regex_syntax::hir::Hir;
use schemars::JsonSchema;
use serde::Deserialize;

use super::pattern;
use crate::guard::{Enforcement, HookPoint, OnStream};

/// Settings of [`KeywordGuard`](super::KeywordGuard).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeywordGuardSettings {
    /// What it is called in refusals and in the access log. Default: the element's id.
    #[serde(default)]
    #[schemars(length(min = 1, max = 128))]
    pub name: Option<String>,
    /// What must not occur. An empty list does nothing.
    #[schemars(length(max = 10_000))]
    pub patterns: Vec<Pattern>,
    /// Where it looks. Default: `both`.
    #[serde(default)]
    pub hook_point: HookPoint,
    /// What becomes of a match. Default: `block`.
    #[serde(default)]
    pub enforcement_mode: Enforcement,
    /// What becomes of answers that are streams. Default: `hold`.
    #[serde(default)]
    pub on_stream: OnStream,
}

/// Something that must not occur.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// How it is meant.
    pub kind: PatternKind,
    /// The text, or the expression. An empty literal never matches.
    #[schemars(length(max = 4_096))]
    pub value: String,
}

/// How a pattern is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PatternKind {
    /// This text, in upper or lower case.
    Literal,
    /// A regular expression of the `regex` crate; upper and lower case differ unless it begins with `(?i)`.
    Regex,
}

// === impl KeywordGuardSettings ===

impl KeywordGuardSettings {
    pub(super) fn read(&self) -> Result<Vec<Hir>, Vec<Invalid>> {
        let mut wrong = Vec::new();
        let mut patterns = Vec::with_capacity(self.patterns.len());
        for (index, Pattern { kind, value }) in self.patterns.iter().enumerate() {
            let is_literal = *kind == PatternKind::Literal;
            if is_literal && value.is_empty() {
                continue;
            }
            match pattern::read(value, is_literal) {
                Ok(pattern) => patterns.push(pattern),
                Err(message) => {
                    wrong.push(Invalid::new(format!("patterns[{index}].value"), message));
                }
            }
        }
        match wrong.is_empty() {
            true => Ok(patterns),
            false => Err(wrong),
        }
    }
}
