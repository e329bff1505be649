//! What an upstream is told to answer.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};

use super::Gate;

/// An answer of an [`Upstream`](super::Upstream), as a script: first the head, then the body step by
/// step. Each piece of the body is a frame of its own.
///
/// ```
/// use aisix_core::testing::{Answer, Gate};
///
/// let gate = Gate::new();
/// let answer = Answer::stream().content("Hel").gate(&gate).content("lo").finish().done();
/// ```
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) before_head: Vec<Step>,
    pub(super) steps: Vec<Step>,
}

/// One step of a script.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Send(Bytes),
    Wait(Duration),
    Gate(Gate),
    Stall,
    Cut,
    /// Nothing is sent; before the head only.
    Refuse,
}

/// The body of [`Answer::chat`].
pub fn chat_answer(text: &str) -> String {
    let choice = json!({
        "index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop",
    });
    let usage = json!({"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12});
    json!({"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice], "usage": usage})
        .to_string()
}

/// The event of a stream that carries `text`, as bytes.
pub fn chunk(text: &str) -> String {
    event(&json!({"content": text}), &Value::Null)
}

fn event(delta: &Value, reason: &Value) -> String {
    let choice = json!({"index": 0, "delta": delta, "finish_reason": reason});
    let event = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [choice]});
    format!("data: {event}\n\n")
}

// === impl Answer ===

impl Answer {
    /// An answer without a body.
    pub fn new(status: u16) -> Self {
        Self {
            status: StatusCode::from_u16(status).expect("tests use valid statuses"),
            headers: HeaderMap::new(),
            before_head: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// A whole answer of this content type.
    pub fn body(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self::new(status)
            .header(CONTENT_TYPE.as_str(), content_type)
            .send(body)
    }

    /// A whole answer in JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::body(status, "application/json", body.to_string())
    }

    /// A chat completion with this text, which used 5 and 7 tokens.
    pub fn chat(text: &str) -> Self {
        Self::body(200, "application/json", chat_answer(text))
    }

    /// A refusal in OpenAI's envelope.
    pub fn refusal(status: u16, message: &str) -> Self {
        let error =
            json!({"message": message, "type": "some_type", "param": null, "code": "some_code"});
        Self::json(status, &json!({ "error": error }))
    }

    /// The start of a stream of events; see the methods below for what comes then. Without
    /// [`cut`](Self::cut) or [`stall`](Self::stall), the stream ends after the last step.
    pub fn stream() -> Self {
        Self::new(200).header(CONTENT_TYPE.as_str(), "text/event-stream")
    }

    /// No answer: the connection cannot be made.
    pub fn unreachable() -> Self {
        let mut answer = Self::new(200);
        answer.before_head.push(Step::Cut);
        answer
    }

    /// No answer: the connection is refused, so that nothing is sent.
    pub fn refused() -> Self {
        let mut answer = Self::new(200);
        answer.before_head.push(Step::Refuse);
        answer
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        let name = HeaderName::from_static(name);
        let value = HeaderValue::from_str(value).expect("tests use valid header values");
        self.headers.append(name, value);
        self
    }

    /// Waits before the head.
    #[must_use]
    pub fn head_after(mut self, delay: Duration) -> Self {
        self.before_head.push(Step::Wait(delay));
        self
    }

    /// Waits for the gate before the head.
    #[must_use]
    pub fn head_gate(mut self, gate: &Gate) -> Self {
        self.before_head.push(Step::Gate(gate.clone()));
        self
    }

    /// Never gives a head.
    #[must_use]
    pub fn head_stall(mut self) -> Self {
        self.before_head.push(Step::Stall);
        self
    }

    /// Sends bytes as one frame.
    #[must_use]
    pub fn send(mut self, bytes: impl Into<Bytes>) -> Self {
        self.steps.push(Step::Send(bytes.into()));
        self
    }

    /// Sends an event with this JSON.
    #[must_use]
    pub fn event(self, data: &Value) -> Self {
        self.send(format!("data: {data}\n\n"))
    }

    /// Sends the event that begins a chat: a role, and no content yet.
    #[must_use]
    pub fn role(self) -> Self {
        self.send(event(
            &json!({"role": "assistant", "content": ""}),
            &Value::Null,
        ))
    }

    /// Sends an event with this text.
    #[must_use]
    pub fn content(self, text: &str) -> Self {
        self.send(chunk(text))
    }

    /// Sends the event with the finish reason `stop`.
    #[must_use]
    pub fn finish(self) -> Self {
        self.send(event(&json!({}), &json!("stop")))
    }

    /// Sends the event with the usage.
    #[must_use]
    pub fn usage(self, prompt: u64, completion: u64) -> Self {
        let usage = json!({
            "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
        });
        self.event(&json!({"id": "chatcmpl-1", "choices": [], "usage": usage}))
    }

    /// Sends `[DONE]`.
    #[must_use]
    pub fn done(self) -> Self {
        self.send("data: [DONE]\n\n")
    }

    /// Waits in the middle of the body.
    #[must_use]
    pub fn wait(mut self, delay: Duration) -> Self {
        self.steps.push(Step::Wait(delay));
        self
    }

    /// Waits for the gate in the middle of the body.
    #[must_use]
    pub fn gate(mut self, gate: &Gate) -> Self {
        self.steps.push(Step::Gate(gate.clone()));
        self
    }

    /// Says nothing more and keeps the connection.
    #[must_use]
    pub fn stall(mut self) -> Self {
        self.steps.push(Step::Stall);
        self
    }

    /// Breaks the connection.
    #[must_use]
    pub fn cut(mut self) -> Self {
        self.steps.push(Step::Cut);
        self
    }
}
