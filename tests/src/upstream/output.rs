//! A well-formed answer of OpenAI's responses, whole or streamed as the request asks.

use serde_json::{Value, json};

use super::{Reply, Request, Script, Step, message};

const ID: &str = "resp_scripted";

/// What an upstream of [`Flavour::OpenAi`](super::Flavour::OpenAi) says at `/v1/responses`: items of output.
///
/// The usage is that of [`Answer`](super::Answer): 12 tokens of prompt, 8 of them cached, and 3 of answer.
#[derive(Clone, Debug)]
pub struct Output {
    items: Vec<Item>,
    /// Why it is not complete.
    incomplete: Option<&'static str>,
    usage: [u64; 3],
    after: Vec<(usize, Step)>,
}

#[derive(Clone, Debug)]
struct Item {
    /// As it is added to a stream: without its content.
    start: Value,
    pieces: Vec<String>,
    refuses: bool,
}

/// Numbers the events of a stream.
#[derive(Debug, Default)]
struct Events(Vec<Value>);

// === impl Output ===

impl Output {
    /// Says nothing yet.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            items: Vec::new(),
            incomplete: None,
            usage: [12, 8, 3],
            after: Vec::new(),
        }
    }

    /// Says this text; a stream carries each piece in an event of its own.
    #[must_use]
    pub fn text(pieces: &[&str]) -> Self {
        Self::nothing().and_text(pieces)
    }

    /// Says this text after what it said before.
    #[must_use]
    pub fn and_text(self, pieces: &[&str]) -> Self {
        let start =
            json!({"type": "message", "status": "in_progress", "role": "assistant", "content": []});
        self.item("msg", start, pieces)
    }

    /// Declines in these words.
    #[must_use]
    pub fn refusing(pieces: &[&str]) -> Self {
        let mut output = Self::text(pieces);
        output.items[0].refuses = true;
        output
    }

    /// Tells a summary of its thoughts.
    #[must_use]
    pub fn and_thinking(self, pieces: &[&str]) -> Self {
        let start = json!({"type": "reasoning", "summary": [], "encrypted_content": null});
        self.item("rs", start, pieces)
    }

    /// Calls a tool; a stream carries each piece of the arguments in an event of its own.
    #[must_use]
    pub fn and_calling(self, call_id: &str, name: &str, arguments: &[&str]) -> Self {
        let start = json!({
            "type": "function_call", "status": "in_progress", "call_id": call_id, "name": name, "arguments": "",
        });
        self.item("fc", start, arguments)
    }

    /// Ends before it is complete, for this reason.
    #[must_use]
    pub fn incomplete(mut self, reason: &'static str) -> Self {
        self.incomplete = Some(reason);
        self
    }

    /// Reports this usage: tokens of the prompt, those of them that were cached, and those of the answer.
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
            true => message::events(&self.events(&asked)),
            false => Reply::json(&self.response(&asked, self.status())),
        };
        let reply = reply.header("x-request-id", "req_scripted");
        self.after
            .iter()
            .fold(reply, |reply, (sent, step)| match streamed {
                true => reply.after(*sent, step.clone()),
                false => reply.before(step.clone()),
            })
    }

    /// The events that this request gets when it is streamed.
    #[must_use]
    pub fn events(&self, asked: &Value) -> Vec<Value> {
        let mut events = Events::default();
        let begun = self.response(asked, "in_progress");
        events.push(json!({"type": "response.created", "response": begun}));
        events.push(json!({"type": "response.in_progress", "response": begun}));
        for (index, item) in self.items.iter().enumerate() {
            item.tell(index, &mut events);
        }
        let done = self.response(asked, self.status());
        let kind = format!("response.{}", self.status());
        events.push(json!({"type": kind, "response": done}));
        events.0
    }

    fn item(mut self, kind: &str, mut start: Value, pieces: &[&str]) -> Self {
        start["id"] = format!("{kind}_scripted_{}", self.items.len()).into();
        let pieces = pieces.iter().map(ToString::to_string).collect();
        let refuses = false;
        self.items.push(Item {
            start,
            pieces,
            refuses,
        });
        self
    }

    fn status(&self) -> &'static str {
        match self.incomplete {
            Some(_) => "incomplete",
            None => "completed",
        }
    }

    /// The response with what was asked in it; without output and usage while it is in progress.
    fn response(&self, asked: &Value, status: &str) -> Value {
        let or = |name: &str, default: Value| match &asked[name] {
            Value::Null => default,
            told => told.clone(),
        };
        let ended = status != "in_progress";
        let output = self.items.iter().filter(|_| ended).map(Item::whole);
        let details = match self.incomplete.filter(|_| ended) {
            Some(reason) => json!({"reason": reason}),
            None => Value::Null,
        };
        let [input, cached, answered] = self.usage;
        let usage = json!({
            "input_tokens": input, "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
            "output_tokens": answered, "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": input + answered,
        });
        json!({
            "id": ID, "object": "response", "created_at": 1_760_000_000, "status": status, "background": false,
            "error": null, "incomplete_details": details, "instructions": asked["instructions"],
            "max_output_tokens": asked["max_output_tokens"], "model": asked["model"],
            "output": output.collect::<Vec<_>>(),
            "parallel_tool_calls": or("parallel_tool_calls", true.into()), "previous_response_id": null,
            "reasoning": or("reasoning", json!({"effort": null, "summary": null})),
            "store": or("store", true.into()), "temperature": or("temperature", 1.0.into()),
            "text": or("text", json!({"format": {"type": "text"}})), "tool_choice": or("tool_choice", "auto".into()),
            "tools": or("tools", json!([])), "top_p": or("top_p", 1.0.into()), "truncation": "disabled",
            "usage": if ended { usage } else { Value::Null }, "metadata": or("metadata", json!({})),
        })
    }
}

impl From<Output> for Script {
    fn from(output: Output) -> Self {
        Self::new(move |request| output.reply_to(request))
    }
}

// === impl Item ===

impl Item {
    fn text(&self) -> String {
        self.pieces.concat()
    }

    /// The part that holds its content, with this text.
    fn part(&self, text: &str) -> Value {
        match self.start["type"] == "message" {
            true if self.refuses => json!({"type": "refusal", "refusal": text}),
            true => json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []}),
            false => json!({"type": "summary_text", "text": text}),
        }
    }

    fn whole(&self) -> Value {
        let mut item = self.start.clone();
        let (member, content) = match item["type"].as_str() {
            Some("message") => ("content", json!([self.part(&self.text())])),
            Some("reasoning") => ("summary", json!([self.part(&self.text())])),
            _ => ("arguments", self.text().into()),
        };
        item[member] = content;
        if !item["status"].is_null() {
            item["status"] = "completed".into();
        }
        item
    }

    /// Tells the item from `added` to `done`.
    fn tell(&self, index: usize, events: &mut Events) {
        let added = json!({"type": "response.output_item.added", "output_index": index, "item": self.start});
        events.push(added);
        // How the events are named, and what else they have besides the item's place.
        let (name, part, place) = match self.start["type"].as_str() {
            Some("message") if self.refuses => ("refusal", Some("content_part"), "content_index"),
            Some("message") => ("output_text", Some("content_part"), "content_index"),
            Some("reasoning") => (
                "reasoning_summary_text",
                Some("reasoning_summary_part"),
                "summary_index",
            ),
            _ => ("function_call_arguments", None, ""),
        };
        let event = |kind: String, member: &str, value: Value| {
            let mut event = json!({
                "type": format!("response.{kind}"), "item_id": self.start["id"], "output_index": index,
            });
            if part.is_some() {
                event[place] = 0.into();
            }
            if name == "output_text" && kind.starts_with(name) {
                event["logprobs"] = json!([]);
            }
            event[member] = value;
            event
        };
        if let Some(part) = part {
            events.push(event(format!("{part}.added"), "part", self.part("")));
        }
        for piece in &self.pieces {
            events.push(event(
                format!("{name}.delta"),
                "delta",
                piece.as_str().into(),
            ));
        }
        let (text, whole) = (self.text(), self.whole());
        match part {
            Some(part) => {
                let member = if self.refuses { "refusal" } else { "text" };
                events.push(event(format!("{name}.done"), member, text.as_str().into()));
                events.push(event(format!("{part}.done"), "part", self.part(&text)));
            }
            None => {
                let mut done = event(format!("{name}.done"), "arguments", text.into());
                done["name"] = self.start["name"].clone();
                events.push(done);
            }
        }
        events.push(
            json!({"type": "response.output_item.done", "output_index": index, "item": whole}),
        );
    }
}

// === impl Events ===

impl Events {
    fn push(&mut self, mut event: Value) {
        event["sequence_number"] = self.0.len().into();
        self.0.push(event);
    }
}
