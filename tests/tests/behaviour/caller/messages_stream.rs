//! Streams of messages: one block after the other, and every event at its place.

use serde_json::{Value, json};

use super::{
    count, ensure,
    messages::{error, read as read_block, stop, tokens},
    sse::events,
    text,
};
use crate::said::{Heard, Said, Tokens};

#[derive(Default)]
struct Reader {
    said: Said,
    started: bool,
    stopped: bool,
    /// The block that is open, as far as it came, and the JSON of its input.
    open: Option<(Value, String)>,
    blocks: u64,
    broken: Option<String>,
}

pub(super) fn read(stream: &str) -> Result<Heard, String> {
    let mut reader = Reader::default();
    for event in events(stream)? {
        let data = event.json()?;
        let name = event.name.as_deref().unwrap_or_default();
        ensure(data["type"] == name, || {
            format!("{name} is no name for {data}")
        })?;
        reader.event(name, &data)?;
    }
    let Reader {
        said,
        stopped,
        broken,
        ..
    } = reader;
    ensure(stopped != broken.is_some(), || {
        "neither message_stop nor error comes last".to_owned()
    })?;
    Ok(Heard { said, broken })
}

// === impl Reader ===

impl Reader {
    fn event(&mut self, name: &str, data: &Value) -> Result<(), String> {
        ensure(!self.stopped && self.broken.is_none(), || {
            format!("after the end: {data}")
        })?;
        let first = matches!(name, "message_start" | "ping" | "error");
        ensure(self.started || first, || {
            format!("before message_start: {data}")
        })?;
        match name {
            "ping" => Ok(()),
            "error" => {
                self.broken = Some(error(&data["error"])?.message);
                // What came of a text counts, though its block was not closed.
                if let Some((block, _)) = self.open.take() {
                    self.said.text += block["text"].as_str().unwrap_or_default();
                }
                Ok(())
            }
            "message_start" => self.start(&data["message"]),
            "content_block_start" => self.block(data),
            "content_block_delta" => self.delta(data),
            "content_block_stop" => self.end(data),
            "message_delta" => self.message_delta(data),
            "message_stop" => {
                ensure(self.said.stop.is_some(), || "no message_delta".to_owned())?;
                self.stopped = true;
                Ok(())
            }
            other => Err(format!("an unknown event: {other}")),
        }
    }

    fn start(&mut self, message: &Value) -> Result<(), String> {
        ensure(!std::mem::replace(&mut self.started, true), || {
            "message_start twice".to_owned()
        })?;
        for name in ["id", "model"] {
            ensure(!text(message, name)?.is_empty(), || {
                format!("no {name}: {message}")
            })?;
        }
        let whole = message["type"] == "message" && message["role"] == "assistant";
        let fresh = message["content"] == json!([]) && message["stop_reason"].is_null();
        ensure(whole && fresh, || format!("a bad message: {message}"))?;
        self.said.tokens = Some(tokens(&message["usage"])?);
        Ok(())
    }

    fn block(&mut self, data: &Value) -> Result<(), String> {
        let early = self.open.is_none() && self.said.stop.is_none();
        ensure(early && count(data, "index")? == self.blocks, || {
            format!("out of order: {data}")
        })?;
        let block = &data["content_block"];
        let empty = match text(block, "type")? {
            "text" => block["text"] == "",
            "thinking" => block["thinking"] == "" && block["signature"] == "",
            "tool_use" => block["input"] == json!({}),
            other => return Err(format!("an unknown block: {other}")),
        };
        ensure(empty, || format!("a block starts empty: {block}"))?;
        self.blocks += 1;
        self.open = Some((block.clone(), String::new()));
        Ok(())
    }

    fn delta(&mut self, data: &Value) -> Result<(), String> {
        let current = count(data, "index")? + 1 == self.blocks;
        let open = self.open.as_mut().filter(|_| current);
        let (block, input) = open.ok_or_else(|| format!("of no open block: {data}"))?;
        let delta = &data["delta"];
        let (kind, member) = match text(delta, "type")? {
            "text_delta" => ("text", "text"),
            "thinking_delta" => ("thinking", "thinking"),
            "signature_delta" => ("thinking", "signature"),
            "input_json_delta" => ("tool_use", "partial_json"),
            other => return Err(format!("an unknown delta: {other}")),
        };
        ensure(block["type"] == kind, || format!("{delta} in {block}"))?;
        let piece = text(delta, member)?;
        match kind {
            "tool_use" => *input += piece,
            _ => block[member] = format!("{}{piece}", text(block, member)?).into(),
        }
        Ok(())
    }

    fn end(&mut self, data: &Value) -> Result<(), String> {
        let current = count(data, "index")? + 1 == self.blocks;
        let open = self.open.take().filter(|_| current);
        let (mut block, input) = open.ok_or_else(|| format!("of no open block: {data}"))?;
        if !input.is_empty() {
            block["input"] = super::arguments(&input)?;
        }
        read_block(&block, &mut self.said)
    }

    fn message_delta(&mut self, data: &Value) -> Result<(), String> {
        let in_order = self.open.is_none() && self.said.stop.is_none();
        ensure(in_order, || format!("out of order: {data}"))?;
        self.said.stop = Some(stop(&data["delta"]["stop_reason"])?);
        // What it says replaces what was said at the start; the rest stands.
        let (usage, before) = (&data["usage"], self.said.tokens.unwrap_or_default());
        let output = count(usage, "output_tokens")?;
        self.said.tokens = Some(match usage.get("input_tokens") {
            Some(_) => tokens(usage)?,
            None => Tokens { output, ..before },
        });
        Ok(())
    }
}
