//! Settings of the guard.

use aisix_core::config::resource::Invalid;
use regex_syntax::hir::Hir;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{pattern, window::Window};
use crate::guard::{Enforcement, HookPoint};

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
    pub on_stream: KeywordOnStream,
    /// How much of a text is held back, in characters; only with `on_stream: window`. Default: 10000.
    #[serde(default)]
    #[schemars(range(min = 1, max = 10_000))]
    pub window_size: Option<u16>,
    /// How much of a window is still held back when it is full, in characters, at most half of it; only with
    /// `on_stream: window`. Default: 256, or half of the window.
    #[serde(default)]
    pub window_overlap_size: Option<u16>,
}

/// What becomes of answers that are streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeywordOnStream {
    /// What could still become a match is held back.
    #[default]
    Hold,
    /// The same, but not more than a window: matches that are longer than its overlap may pass.
    Window,
    /// Nothing is held back or refused; the access log tells of matches.
    Observe,
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
    pub(super) fn read(&self) -> Result<(Vec<Hir>, Option<Window>), Vec<Invalid>> {
        let mut wrong = Vec::new();
        let window = self.window(&mut wrong);
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
            true => Ok((patterns, window)),
            false => Err(wrong),
        }
    }

    fn window(&self, wrong: &mut Vec<Invalid>) -> Option<Window> {
        let sizes = [
            ("window_size", self.window_size),
            ("window_overlap_size", self.window_overlap_size),
        ];
        if self.on_stream != KeywordOnStream::Window {
            let given = sizes.iter().filter(|(_, size)| size.is_some());
            let message = "is only for `on_stream: window`";
            wrong.extend(given.map(|(name, _)| Invalid::new(*name, message)));
            return None;
        }
        let size = self.window_size.unwrap_or(10_000);
        let overlap = self.window_overlap_size.unwrap_or(256.min(size / 2));
        if overlap > size / 2 {
            let message = format!("must be at most {}, half of the window", size / 2);
            wrong.push(Invalid::new("window_overlap_size", message));
        }
        Some(Window {
            size: size.into(),
            overlap: overlap.into(),
        })
    }
}
