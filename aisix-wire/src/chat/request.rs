//! What a caller asks for.

use super::{Block, Content, Number, Opaque, Place, Raw, Tool, ToolChoice, Turn};
use crate::Dialect;

/// What a caller asks for: to go on with a conversation.
///
/// `None` and empty mean that the caller left it out; `null` in a request means the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The dialect it was read from, which is the one of `rest`.
    pub dialect: Dialect,
    /// The model's name as the caller wrote it; empty where the dialect keeps it out of the body.
    pub model: String,
    /// The conversation so far, instructions included, in the caller's order.
    pub turns: Vec<Turn>,
    /// Where the turns stand in the caller's body, for who has to be told what is wrong with one; empty where
    /// turns and elements are one to one.
    pub places: Vec<Place>,
    /// What the model may call.
    pub tools: Vec<Tool>,
    /// Which of the tools it has to call.
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may call several tools in one turn.
    pub parallel_tools: Option<bool>,
    /// The form of the answer's text.
    pub format: Option<Format>,
    /// How the answer is drawn.
    pub sampling: Sampling,
    /// How many tokens the answer may have.
    pub output_limit: Option<OutputLimit>,
    /// How much to think beforehand.
    pub reasoning: Option<Reasoning>,
    /// Who the caller's user is.
    pub user: Option<String>,
    /// What the caller wants to find in the provider's records; an object of texts.
    pub metadata: Option<Raw>,
    /// How fast and dear, in the words of the caller's dialect.
    pub service_tier: Option<String>,
    /// The object that asks to cache the whole prompt.
    pub cache: Option<Raw>,
    /// Whether the answer streams; also told by the path in some dialects, so the caller of the codec sets it then.
    pub stream: bool,
    /// Whether usage is to be told at the end of a stream; dialects that always tell set it.
    pub include_usage: bool,
    /// The members of the body that have no place above, in order.
    pub rest: Vec<Extra>,
}

/// A member of the body that only its dialect understands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extra {
    /// Its name.
    pub name: String,
    /// Its value, never `null`.
    pub value: Raw,
    /// Whether the answer has another shape without it, so that it must not be dropped in silence.
    pub shapes: bool,
}

/// How the answer is drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sampling {
    /// From always the likeliest token, 0, to wild.
    pub temperature: Option<Number>,
    /// The share of likelihood that is drawn from.
    pub top_p: Option<Number>,
    /// How many of the likeliest tokens are drawn from.
    pub top_k: Option<Number>,
    /// The start of the dice.
    pub seed: Option<Number>,
    /// Against tokens that have occurred.
    pub presence_penalty: Option<Number>,
    /// Against tokens that have occurred often.
    pub frequency_penalty: Option<Number>,
    /// An object: token ids and what is added to their likelihood.
    pub logit_bias: Option<Raw>,
    /// The texts that end the answer; an empty list is kept.
    pub stop: Option<Vec<String>>,
    /// How many answers.
    pub n: Option<u64>,
    /// Whether to tell how likely each token was.
    pub logprobs: Option<bool>,
    /// And of how many others beside it.
    pub top_logprobs: Option<u64>,
}

/// How many tokens the answer may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLimit {
    /// How many.
    pub tokens: u64,
    /// Under which name the caller said it; `None` where the dialect has only one.
    pub name: Option<LimitName>,
}

/// The names of the output limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LimitName {
    /// `max_completion_tokens`: what newer models want.
    #[default]
    MaxCompletionTokens,
    /// `max_tokens`: what older servers know.
    MaxTokens,
}

/// How much to think beforehand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasoning {
    /// Whether, and up to which number of tokens.
    pub mode: ReasoningMode,
    /// How hard; may stand beside any mode.
    pub effort: Option<Effort>,
    /// Whether the thoughts are to be shown.
    pub visible: Option<bool>,
}

/// Whether to think, and up to which number of tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ReasoningMode {
    /// The caller did not say.
    #[default]
    Unsaid,
    /// Not at all.
    Off,
    /// As the model sees fit.
    Adaptive,
    /// Up to so many tokens.
    Budget(u64),
}

/// How hard to think.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Effort {
    /// `minimal`
    Minimal,
    /// `low`
    Low,
    /// `medium`
    Medium,
    /// `high`
    High,
    /// `xhigh`
    ExtraHigh,
    /// `max`
    Max,
    /// A word that is not known here.
    Other(String),
}

/// The form of the answer's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// Any text.
    Text,
    /// A JSON object.
    Json,
    /// JSON that follows a schema.
    Schema(Schema),
    /// A form that only one dialect knows.
    Opaque(Opaque),
}

/// What JSON has to look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// Its name.
    pub name: Option<String>,
    /// What it is for, in words for the model.
    pub description: Option<String>,
    /// The JSON schema; `None` when the caller left it out.
    pub schema: Option<Raw>,
    /// Whether to follow it to the letter.
    pub strict: Option<bool>,
}

// === impl Request ===

impl Request {
    /// An empty request in a dialect.
    pub fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            model: String::new(),
            turns: Vec::new(),
            places: Vec::new(),
            tools: Vec::new(),
            tool_choice: None,
            parallel_tools: None,
            format: None,
            sampling: Sampling::default(),
            output_limit: None,
            reasoning: None,
            user: None,
            metadata: None,
            service_tier: None,
            cache: None,
            stream: false,
            include_usage: false,
            rest: Vec::new(),
        }
    }

    /// The name of the tool that the call with this id is for: the latest such call in the conversation.
    pub fn call_name(&self, id: &str) -> Option<&str> {
        let blocks = self.turns.iter().rev().flat_map(|turn| &turn.blocks);
        let mut calls = blocks.filter_map(|block| match &block.content {
            Content::ToolCall(call) => Some(call),
            _ => None,
        });
        calls
            .find(|call| call.id == id)
            .map(|call| call.name.as_str())
    }

    /// All instructions, in order.
    pub fn instructions(&self) -> impl Iterator<Item = &Block> {
        self.turns
            .iter()
            .filter(|turn| turn.role.instructs())
            .flat_map(|turn| &turn.blocks)
    }
}

// === impl Effort ===

impl Effort {
    /// Reads the word; `none` is no effort but [`ReasoningMode::Off`], and ends up in [`Effort::Other`] here.
    pub fn read(word: &str) -> Self {
        match word {
            "minimal" => Effort::Minimal,
            "low" => Effort::Low,
            "medium" => Effort::Medium,
            "high" => Effort::High,
            "xhigh" => Effort::ExtraHigh,
            "max" => Effort::Max,
            other => Effort::Other(other.to_owned()),
        }
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        match self {
            Effort::Minimal => "minimal",
            Effort::Low => "low",
            Effort::Medium => "medium",
            Effort::High => "high",
            Effort::ExtraHigh => "xhigh",
            Effort::Max => "max",
            Effort::Other(word) => word,
        }
    }

    /// The number of tokens that stands for it where a dialect wants a budget.
    pub fn budget(&self) -> u64 {
        match self {
            Effort::Minimal | Effort::Low => 1024,
            Effort::Medium | Effort::Other(_) => 8192,
            Effort::High => 24_576,
            Effort::ExtraHigh | Effort::Max => 32_768,
        }
    }

    /// The effort that stands for a budget where a dialect wants a word.
    pub fn of_budget(tokens: u64) -> Self {
        match tokens {
            0..=2048 => Effort::Low,
            2049..=16_384 => Effort::Medium,
            _ => Effort::High,
        }
    }
}

// === impl LimitName ===

impl LimitName {
    /// The name.
    pub fn as_str(self) -> &'static str {
        match self {
            LimitName::MaxCompletionTokens => "max_completion_tokens",
            LimitName::MaxTokens => "max_tokens",
        }
    }
}
