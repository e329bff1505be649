//! A well-formed answer of the Messages dialect, whole or streamed as the request asks.

use serde_json::{Value, json};

use super::{Reply, Request, Script, Step};

/// What an upstream of [`Flavour::Anthropic`](super::Flavour::Anthropic) says: blocks of text and tool calls.
///
/// The usage is that of [`Answer`](super::Answer): 12 tokens of prompt, 8 of them cached, and 3 of answer.
#[derive(Clone, Debug)]
pub struct Message {
    blocks: Vec<Block>,
    stop: Option<&'static str>,
    usage: [u64; 3],
    after: Vec<(usize, Step)>,
}

#[derive(Clone, Debug)]
struct Block {
    /// As it starts in a stream: empty.
    start: Value,
    pieces: Vec<String>,
    signature: Option<String>,
}

impl Message {
    /// Says nothing yet.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            blocks: Vec::new(),
            stop: None,
            usage: [4, 8, 3],
            after: Vec::new(),
        }
    }

    /// Says this text; a stream carries each piece in an event of its own.
    #[must_use]
    pub fn text(pieces: &[&str]) -> Self {
        Self::nothing().and_text(pieces)
    }

    /// Thinks first, and signs it.
    #[must_use]
    pub fn thinking(pieces: &[&str], signature: &str) -> Self {
        let start = json!({"type": "thinking", "thinking": "", "signature": ""});
        let mut message = Self::nothing().block(start, pieces);
        message.blocks[0].signature = Some(signature.to_owned());
        message
    }

    /// Says this text after what it said before.
    #[must_use]
    pub fn and_text(self, pieces: &[&str]) -> Self {
        self.block(json!({"type": "text", "text": ""}), pieces)
    }

    /// Says nothing but calls a tool; a stream carries each piece of the input in an event of its own.
    #[must_use]
    pub fn calling(id: &str, name: &str, input: &[&str]) -> Self {
        Self::nothing().and_calling(id, name, input)
    }

    /// Calls one more tool.
    #[must_use]
    pub fn and_calling(self, id: &str, name: &str, input: &[&str]) -> Self {
        self.block(
            json!({"type": "tool_use", "id": id, "name": name, "input": {}}),
            input,
        )
    }

    /// Ends for this reason, instead of `end_turn` or `tool_use`.
    #[must_use]
    pub fn stop(mut self, reason: &'static str) -> Self {
        self.stop = Some(reason);
        self
    }

    /// Reports this usage: tokens of the prompt that were not cached, that were, and those of the answer.
    #[must_use]
    pub fn usage(mut self, input: u64, cached: u64, output: u64) -> Self {
        self.usage = [input, cached, output];
        self
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
        self.blocks.push(Block {
            start,
            pieces,
            signature: None,
        });
        self
    }

    fn stop_reason(&self) -> &'static str {
        if let Some(reason) = self.stop {
            return reason;
        }
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
            "stop_reason": self.stop_reason(), "stop_sequence": null, "usage": self.report(self.usage[2]),
        })
    }

    fn events(&self, model: &Value) -> Vec<Value> {
        let message = json!({
            "id": "msg_scripted", "type": "message", "role": "assistant", "model": model, "content": [],
            "stop_reason": null, "stop_sequence": null, "usage": self.report(1),
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
            let signature = block.signature.iter();
            events.extend(signature.map(|signature| {
                let delta = json!({"type": "signature_delta", "signature": signature});
                json!({"type": "content_block_delta", "index": index, "delta": delta})
            }));
            events.push(json!({"type": "content_block_stop", "index": index}));
        }
        let end = json!({"stop_reason": self.stop_reason(), "stop_sequence": null});
        events.push(json!({"type": "message_delta", "delta": end, "usage": {"output_tokens": self.usage[2]}}));
        events.push(json!({"type": "message_stop"}));
        events
    }

    fn report(&self, output: u64) -> Value {
        let [input, cached, _] = self.usage;
        json!({
            "input_tokens": input, "cache_read_input_tokens": cached, "cache_creation_input_tokens": 0,
            "output_tokens": output,
        })
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
        match self.kind() {
            kind @ ("text" | "thinking") => block[kind] = content.into(),
            _ => block["input"] = serde_json::from_str(&content).expect("a tool's input is JSON"),
        }
        if let Some(signature) = &self.signature {
            block["signature"] = signature.as_str().into();
        }
        block
    }

    fn delta(&self, piece: &str) -> Value {
        match self.kind() {
            "text" => json!({"type": "text_delta", "text": piece}),
            "thinking" => json!({"type": "thinking_delta", "thinking": piece}),
            _ => json!({"type": "input_json_delta", "partial_json": piece}),
        }
    }

    fn kind(&self) -> &str {
        self.start["type"].as_str().unwrap_or_default()
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
