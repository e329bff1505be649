//! The families of request and response shapes.

use std::fmt;

/// A family of request, response and error shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// OpenAI: chat completions, completions, embeddings and their error envelope.
    OpenAi,
    /// OpenAI's Responses; whole errors are those of [`OpenAi`](Self::OpenAi).
    Responses,
    /// Anthropic: messages and their error envelope.
    Anthropic,
    /// Gemini: `generateContent` and its error envelope.
    Gemini,
}

impl Dialect {
    /// The dialect's name in lower case, for logs and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Dialect::OpenAi => "openai",
            Dialect::Responses => "openai-responses",
            Dialect::Anthropic => "anthropic",
            Dialect::Gemini => "gemini",
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
