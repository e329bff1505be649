//! A whole answer.

use super::{Block, Content, Extra, Opaque};
use crate::{Dialect, Usage};

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The dialect it was read from, which is the one of `rest`.
    pub dialect: Dialect,
    /// The provider's id of it.
    pub id: Option<String>,
    /// The model that answered, in the provider's words.
    pub model: Option<String>,
    /// When, in seconds since 1970.
    pub created: Option<u64>,
    /// The answers; may be empty when the provider refused to look at the prompt and said so elsewhere.
    pub choices: Vec<Choice>,
    /// The tokens, if the provider tells.
    pub usage: Option<Usage>,
    /// The members that have no place above, in order.
    pub rest: Vec<Extra>,
}

/// One of the answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Its number, from 0.
    pub index: u32,
    /// What the model said, in order.
    pub blocks: Vec<Block>,
    /// Why it ended.
    pub finish: Finish,
    /// How likely each token was, in the words of its dialect.
    pub logprobs: Option<Opaque>,
}

/// Why an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finish {
    /// The reason. [`ToolCalls`](FinishReason::ToolCalls) wherever the model stopped and calls were made, whatever the provider said.
    pub reason: FinishReason,
    /// The provider's word for it.
    pub raw: Option<String>,
    /// The stop text that was hit, where the provider tells.
    pub stop_sequence: Option<String>,
}

/// The reasons for which answers end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FinishReason {
    /// The model was done, or a stop text was hit.
    Stop,
    /// The output limit or the context was full.
    Length,
    /// The model wants its tools called.
    ToolCalls,
    /// The provider or the model declined.
    ContentFilter,
    /// The provider did not say, or said what is not known here; the reader of it takes it for a stop.
    Other,
}

// === impl Response ===

impl Response {
    /// An empty answer in a dialect.
    pub fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            id: None,
            model: None,
            created: None,
            choices: Vec::new(),
            usage: None,
            rest: Vec::new(),
        }
    }
}

// === impl Choice ===

impl Choice {
    /// Whether a tool is called in it.
    pub fn calls_tools(&self) -> bool {
        self.blocks
            .iter()
            .any(|block| matches!(block.content, Content::ToolCall(_)))
    }
}

// === impl Finish ===

impl Finish {
    /// A reason and the provider's word for it.
    pub fn new(reason: FinishReason, raw: Option<String>) -> Self {
        Self {
            reason,
            raw,
            stop_sequence: None,
        }
    }

    /// The same, knowing whether tools were called: a stop with calls is [`FinishReason::ToolCalls`].
    #[must_use]
    pub fn with_calls(mut self, calls: bool) -> Self {
        if calls && matches!(self.reason, FinishReason::Stop | FinishReason::Other) {
            self.reason = FinishReason::ToolCalls;
        }
        self
    }
}
