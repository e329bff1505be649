//! What `prompt_moderation` can be told.

use aisix_core::config::resource::Invalid;
use regex::{RegexSet, RegexSetBuilder};
use schemars::JsonSchema;
use serde::Deserialize;

/// How much memory the compiled expressions may take, in bytes.
const MAX_SIZE: usize = 8 * 1024 * 1024;

/// Settings of [`PromptModeration`](super::PromptModeration).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromptModerationSettings {
    /// Words that must not occur, nor words like them. At most 1000, each of at most 128 characters.
    #[serde(default)]
    #[schemars(length(max = 1_000), inner(length(min = 1, max = 128)))]
    pub keywords: Vec<String>,
    /// Regular expressions of the `regex` crate that must not match; upper and lower case differ unless
    /// one begins with `(?i)`. At most 1000.
    #[serde(default)]
    #[schemars(length(max = 1_000), inner(length(min = 1, max = 4_096)))]
    pub regex: Vec<String>,
    /// How similar a word must be to a keyword: 1 is the same word. From 0.5 on. Default: 0.8.
    #[serde(default = "similar")]
    #[schemars(range(min = 0.5, max = 1.0))]
    pub similarity_threshold: f64,
    /// What becomes of a match.
    #[serde(default)]
    pub actions: PromptModerationActions,
}

/// What becomes of a match.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromptModerationActions {
    /// Both words mean the same. Default: `block`.
    #[serde(default, rename = "type")]
    pub kind: PromptModerationAction,
    /// What the caller is told. The first `%s` stands for the keyword or the expression that was found.
    /// Default: `the prompt has been blocked by the moderation of this gateway`.
    #[serde(default = "message")]
    #[schemars(length(min = 1, max = 1_024))]
    pub message: String,
}

/// A word for refusing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PromptModerationAction {
    /// Refuse.
    #[default]
    Block,
    /// Refuse.
    Reject,
}

fn similar() -> f64 {
    0.8
}

fn message() -> String {
    "the prompt has been blocked by the moderation of this gateway".to_owned()
}

// === impl PromptModerationSettings ===

impl PromptModerationSettings {
    /// The expressions, compiled.
    pub(super) fn expressions(&self) -> Result<RegexSet, Vec<Invalid>> {
        let wrong = |(index, expression): (usize, &String)| {
            let said = match regex_syntax::parse(expression) {
                Ok(hir) if hir.properties().minimum_len() == Some(0) => {
                    "matches a text without a character"
                }
                Ok(_) => return None,
                Err(_) => "is not a regular expression that is understood",
            };
            Some(Invalid::new(format!("regex[{index}]"), said))
        };
        let wrong: Vec<_> = self.regex.iter().enumerate().filter_map(wrong).collect();
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let mut builder = RegexSetBuilder::new(&self.regex);
        let set = builder.size_limit(MAX_SIZE).build();
        set.map_err(|_| vec![Invalid::new("regex", "takes too much memory")])
    }
}

// === impl PromptModerationActions ===

impl Default for PromptModerationActions {
    fn default() -> Self {
        Self {
            kind: PromptModerationAction::default(),
            message: message(),
        }
    }
}
