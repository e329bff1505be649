//! What is asked and what is answered, in no dialect.

use serde_json::Value;

/// A request, as a caller of any dialect can make it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Question {
    pub(crate) model: String,
    pub(crate) system: Option<&'static str>,
    pub(crate) turns: Vec<Turn>,
    /// Name and parameters.
    pub(crate) tools: Vec<(&'static str, Value)>,
    /// What the answer must look like.
    pub(crate) schema: Option<Value>,
    pub(crate) thinks: bool,
    /// 4000 when it is not said.
    pub(crate) limit: Option<u64>,
    pub(crate) streamed: bool,
    /// Whether a stream is to tell its usage, where that is a choice.
    pub(crate) counted: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Turn {
    User(Vec<Piece>),
    /// An answer as it was heard, played back.
    Model(Said),
    /// The results of its calls.
    Results(Vec<(Call, String)>),
}

#[derive(Clone, Debug)]
pub(crate) enum Piece {
    Text(String),
    /// Media type and base64.
    Picture(&'static str, String),
    PictureAt(&'static str),
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Said {
    pub(crate) thoughts: Vec<Thought>,
    pub(crate) text: String,
    pub(crate) refusal: String,
    pub(crate) calls: Vec<Call>,
    pub(crate) stop: Option<Stop>,
    pub(crate) tokens: Option<Tokens>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Thought {
    pub(crate) text: String,
    pub(crate) signature: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) arguments: Value,
    pub(crate) signature: Option<String>,
}

/// Why an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    End,
    Length,
    Calls,
    Filtered,
}

/// Usage: the prompt with its cached tokens, and the answer with its thoughts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) input: u64,
    pub(crate) cached: u64,
    pub(crate) output: u64,
}

/// A stream as a caller heard it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    pub(crate) said: Said,
    /// The message of the error that ended it, unless it ended well.
    pub(crate) broken: Option<String>,
}

/// A refusal in the caller's envelope.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Told {
    /// The dialect's word for it.
    pub(crate) kind: String,
    pub(crate) message: String,
}

// === impl Question ===

impl Question {
    /// One user turn with this text, at the model of the table.
    pub(crate) fn new(text: &str) -> Self {
        Self {
            model: crate::house::MODEL.to_owned(),
            turns: vec![Turn::User(vec![Piece::Text(text.to_owned())])],
            counted: true,
            ..Self::default()
        }
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit.unwrap_or(4000)
    }

    /// With the tools `weather` and `time`.
    pub(crate) fn with_tools(mut self) -> Self {
        let city = serde_json::json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
        let nothing = serde_json::json!({"type": "object", "properties": {}});
        self.tools = vec![("weather", city), ("time", nothing)];
        self
    }

    /// The next turn of a tool loop: the answer, and a result for each of its calls.
    pub(crate) fn and_results(mut self, said: &Said) -> Self {
        let results = said.calls.iter();
        let results = results.map(|call| (call.clone(), format!("result of {}", call.name)));
        self.turns.push(Turn::Model(said.clone()));
        self.turns.push(Turn::Results(results.collect()));
        self
    }
}

// === impl Said ===

impl Said {
    pub(crate) fn thought(&self) -> String {
        self.thoughts
            .iter()
            .map(|thought| thought.text.as_str())
            .collect()
    }
}

/// Name and arguments of calls, whose ids differ from dialect to dialect.
pub(crate) fn named(calls: &[Call]) -> Vec<(&str, &Value)> {
    calls
        .iter()
        .map(|call| (call.name.as_str(), &call.arguments))
        .collect()
}
