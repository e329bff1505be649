//! What the mock is told to do.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

/// The most that can be asked for at once.
const MAX_CHUNKS: usize = 10_000;

/// What the mock does with one request. Unknown members are refused.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Script {
    /// The text to answer with.
    pub(super) text: Option<String>,
    /// A tool to call.
    pub(super) tool_call: Option<ToolCall>,
    /// Milliseconds before the head of the answer.
    pub(super) delay_ms: u64,
    /// Into how many pieces the text of a stream is cut. Default: its words.
    pub(super) chunks: Option<usize>,
    /// Milliseconds before each piece of a stream.
    pub(super) chunk_delay_ms: u64,
    /// Answers with this status.
    pub(super) error: Option<u16>,
    /// Refuses this many calls with 503 before the first that is answered.
    pub(super) fail_first: u64,
    /// Breaks the connection after this many pieces of a stream.
    pub(super) cut_after: Option<usize>,
    /// Says nothing more after this many pieces of a stream.
    pub(super) stall_after: Option<usize>,
    /// Answers with something that is not JSON.
    pub(super) malformed: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ToolCall {
    pub(super) name: String,
    #[serde(default)]
    pub(super) arguments: Value,
}

// === impl Script ===

impl Script {
    /// The script of a request: the member `mock`, over the query of the model's name.
    pub(super) fn of(request: &Value) -> Result<Self, String> {
        let mut told = Map::new();
        let model = request["model"].as_str().unwrap_or_default();
        if let Some((_, query)) = model.split_once('?') {
            for pair in query.split('&').filter(|pair| !pair.is_empty()) {
                let (name, value) = pair.split_once('=').unwrap_or((pair, "true"));
                let value = value.parse().unwrap_or_else(|_| Value::from(value));
                told.insert(name.to_owned(), value);
            }
        }
        match &request["mock"] {
            Value::Null => {}
            Value::Object(members) => told.extend(members.clone()),
            _ => return Err("\"mock\" must be an object".to_owned()),
        }
        serde_json::from_value(Value::Object(told)).map_err(|error| format!("mock: {error}"))
    }

    pub(super) fn delay(&self) -> Option<Duration> {
        (self.delay_ms > 0).then(|| Duration::from_millis(self.delay_ms))
    }

    pub(super) fn chunk_delay(&self) -> Option<Duration> {
        (self.chunk_delay_ms > 0).then(|| Duration::from_millis(self.chunk_delay_ms))
    }

    /// Cuts `text` into the pieces of a stream.
    pub(super) fn pieces(&self, text: &str) -> Vec<String> {
        let Some(count) = self.chunks else {
            return text.split_inclusive(' ').map(str::to_owned).collect();
        };
        let count = count.clamp(1, MAX_CHUNKS);
        let letters: Vec<char> = text.chars().collect();
        (0..count)
            .map(|n| {
                let piece = &letters[letters.len() * n / count..letters.len() * (n + 1) / count];
                piece.iter().collect()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_body_is_heeded_over_the_name_of_the_model() {
        let request = json!({"model": "mock?error=429&text=hey", "mock": {"error": 500}});
        let script = Script::of(&request).unwrap();
        assert_eq!(script.error, Some(500));
        assert_eq!(script.text.as_deref(), Some("hey"));
    }

    #[test]
    fn an_unknown_wish_is_refused_by_name() {
        let error = Script::of(&json!({"mock": {"eror": 500}})).unwrap_err();
        assert!(error.contains("eror"), "{error}");
    }

    #[test]
    fn pieces_put_together_are_the_text() {
        for chunks in [None, Some(1), Some(7), Some(40)] {
            let script = Script {
                chunks,
                ..Script::default()
            };
            let pieces = script.pieces("héllo wörld, again");
            assert_eq!(pieces.concat(), "héllo wörld, again");
            assert!(chunks.is_none_or(|chunks| pieces.len() == chunks));
        }
    }
}
