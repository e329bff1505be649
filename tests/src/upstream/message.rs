//! A well-formed answer of the Messages dialect, whole or streamed as the request asks.

use serde_json::{Value, json};

use super::{Reply, Request, Script, Step};

/// What an upstream of [`Flavour::Anthropic`](super::Flavour::Anthropic) says: blocks of text and tool calls.
///
/// The usage is that of [`Answer`](super::Answer): 12 tokens of prompt, 8 of them cached, and 3 of answer.
#[derive(Clone, Debug)]
pub struct Message {
    blocks: Vec<Block>,
    after: Vec<(usize, Step)>,
}

#[derive(Clone, Debug)]
struct Block {
    /// As it starts in a stream: empty.
    start: Value,
    pieces: Vec<String>,
}

impl Message {
    /// Says this text; a stream carries each piece in an event of its own.
    #[must_use]
    pub fn text(pieces: &[&str]) -> Self {
        let message = Self {
            blocks: Vec::new(),
            after: Vec::new(),
        };
        message.block(json!({"type": "text", "text": ""}), pieces)
    }

    /// Says nothing but calls a tool; a stream carries each piece of the input in an event of its own.
    #[must_use]
    pub fn calling(id: &str, name: &str, input: &[&str]) -> Self {
        let mut message = Self::text(&[]);
        message.blocks.clear();
        message.and_calling(id, name, input)
    }

    /// Calls one more tool.
    #[must_use]
    pub fn and_calling(self, id: &str, name: &str, input: &[&str]) -> Self {
        self.block(
            json!({"type": "tool_use", "id": id, "name": name, "input": {}}),
            input,
        )
    }

    /// Does `step` after the `sent`-th event of a stream, or before the head of a reply in one piece.
    #[must_use]
    pub fn after(mut self, sent: usize, step: Step) -> Self {
        self.after.push((sent, step));
        self
    }

    /// The reply that this request gets.
    #[must_use]
    pub fn reply_to(&self, request: &Request) -> Reply {
        let asked = request.json();
        let streamed = asked["stream"] == true;
        let reply = match streamed {
            true => events(&self.events(&asked["model"])),
            false => Reply::json(&self.whole(&asked["model"])),
        };
        let reply = reply.header("request-id", "req_scripted");
        self.after
            .iter()
            .fold(reply, |reply, (sent, step)| match streamed {
                true => reply.after(*sent, step.clone()),
                false => reply.before(step.clone()),
            })
    }

    fn block(mut self, start: Value, pieces: &[&str]) -> Self {
        let pieces = pieces.iter().map(ToString::to_string).collect();
        self.blocks.push(Block { start, pieces });
        self
    }

    fn stop_reason(&self) -> &'static str {
        let calls = |block: &Block| block.start["type"] == "tool_use";
        if self.blocks.iter().any(calls) {
            "tool_use"
        } else {
            "end_turn"
        }
    }

    fn whole(&self, model: &Value) -> Value {
        let content: Vec<_> = self.blocks.iter().map(Block::whole).collect();
        json!({
            "id": "msg_scripted", "type": "message", "role": "assistant", "model": model, "content": content,
            "stop_reason": self.stop_reason(), "stop_sequence": null, "usage": usage(3),
        })
    }

    fn events(&self, model: &Value) -> Vec<Value> {
        let message = json!({
            "id": "msg_scripted", "type": "message", "role": "assistant", "model": model, "content": [],
            "stop_reason": null, "stop_sequence": null, "usage": usage(1),
        });
        let mut events = vec![
            json!({"type": "message_start", "message": message}),
            json!({"type": "ping"}),
        ];
        for (index, block) in self.blocks.iter().enumerate() {
            events.push(json!({"type": "content_block_start", "index": index, "content_block": block.start}));
            events.extend(block.pieces.iter().map(|piece| {
                json!({"type": "content_block_delta", "index": index, "delta": block.delta(piece)})
            }));
            events.push(json!({"type": "content_block_stop", "index": index}));
        }
        let end = json!({"stop_reason": self.stop_reason(), "stop_sequence": null});
        events.push(json!({"type": "message_delta", "delta": end, "usage": {"output_tokens": 3}}));
        events.push(json!({"type": "message_stop"}));
        events
    }
}

impl From<Message> for Script {
    fn from(message: Message) -> Self {
        Self::new(move |request| message.reply_to(request))
    }
}

impl Block {
    fn whole(&self) -> Value {
        let mut block = self.start.clone();
        let content = self.pieces.concat();
        if block["type"] == "text" {
            block["text"] = content.into();
        } else {
            block["input"] = serde_json::from_str(&content).expect("a tool's input is JSON");
        }
        block
    }

    fn delta(&self, piece: &str) -> Value {
        if self.start["type"] == "text" {
            json!({"type": "text_delta", "text": piece})
        } else {
            json!({"type": "input_json_delta", "partial_json": piece})
        }
    }
}

/// Streams these events, each named by its type, one piece of the body per event.
#[must_use]
pub fn events(events: &[Value]) -> Reply {
    let written = events.iter().map(|event| {
        let name = event["type"].as_str().expect("every event has a type");
        format!("event: {name}\ndata: {event}\n\n")
    });
    Reply::stream("text/event-stream; charset=utf-8", written)
}

/// Answers `status` with the dialect's error envelope.
#[must_use]
pub fn refusal(status: u16, kind: &str, message: &str) -> Reply {
    let error = json!({"type": kind, "message": message});
    let body = json!({"type": "error", "error": error, "request_id": "req_refused"});
    Reply::json(&body)
        .status(status)
        .header("request-id", "req_refused")
}

fn usage(output: u64) -> Value {
    json!({
        "input_tokens": 4, "cache_read_input_tokens": 8, "cache_creation_input_tokens": 0, "output_tokens": output,
    })
}
