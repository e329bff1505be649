//! Streams of chat completions: the role first, calls counted, usage last if asked for, then `[DONE]`.

use serde_json::Value;

use super::{
    arguments,
    chat::{signature, stop, tokens},
    count, ensure, items,
    sse::{Event, events},
    text,
};
use crate::said::{Call, Heard, Said, Thought};

#[derive(Default)]
struct Reader {
    said: Said,
    /// What every chunk must repeat.
    head: Option<Vec<Value>>,
    /// The calls with their arguments as far as they came.
    calls: Vec<(Call, String)>,
    thought: String,
    started: bool,
    counted: bool,
}

pub(super) fn read(stream: &str, counted: bool) -> Result<Heard, String> {
    let mut reader = Reader {
        counted,
        ..Reader::default()
    };
    let events = events(stream)?;
    let (last, chunks) = events.split_last().ok_or("an empty stream")?;
    for event in chunks {
        ensure(event.name.is_none(), || {
            format!("a chunk has no name: {event:?}")
        })?;
        reader.chunk(&event.json()?)?;
    }
    if last.name.as_deref() == Some("error") {
        return reader.broken(last);
    }
    ensure(last.data == "[DONE]" && last.name.is_none(), || {
        format!("no [DONE]: {last:?}")
    })?;
    ensure(reader.said.stop.is_some(), || "no finish_reason".to_owned())?;
    ensure(reader.said.tokens.is_some() == counted, || {
        "usage, or none, against what was asked".to_owned()
    })?;
    let broken = None;
    Ok(Heard {
        said: reader.finish()?,
        broken,
    })
}

// === impl Reader ===

impl Reader {
    fn chunk(&mut self, chunk: &Value) -> Result<(), String> {
        ensure(chunk["object"] == "chat.completion.chunk", || {
            format!("no chunk: {chunk}")
        })?;
        ensure(self.said.tokens.is_none(), || {
            format!("after the usage: {chunk}")
        })?;
        let head = ["id", "created", "model"].map(|name| chunk[name].clone());
        ensure(!head.iter().any(Value::is_null), || {
            format!("without a head: {chunk}")
        })?;
        let first = self.head.get_or_insert_with(|| head.to_vec());
        ensure(*first == head, || format!("another head: {chunk}"))?;
        match items(chunk, "choices")? {
            [] => {
                ensure(self.counted && self.said.stop.is_some(), || {
                    format!("no choice: {chunk}")
                })?;
                self.said.tokens = Some(tokens(&chunk["usage"])?);
                Ok(())
            }
            [choice] => {
                ensure(chunk["usage"].is_null(), || {
                    format!("usage beside a choice: {chunk}")
                })?;
                self.choice(choice)
            }
            _ => Err(format!("several choices: {chunk}")),
        }
    }

    fn choice(&mut self, choice: &Value) -> Result<(), String> {
        ensure(choice["index"] == 0, || format!("another choice: {choice}"))?;
        ensure(self.said.stop.is_none(), || {
            format!("after the finish_reason: {choice}")
        })?;
        let delta = &choice["delta"];
        let members = delta
            .as_object()
            .ok_or_else(|| format!("no delta: {choice}"))?;
        let role = members.contains_key("role");
        ensure(role != self.started, || {
            format!("the role comes first, and once: {choice}")
        })?;
        ensure(!role || delta["role"] == "assistant", || {
            format!("whose turn is it: {choice}")
        })?;
        self.started = true;
        for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            match name.as_str() {
                "role" => {}
                "content" => self.said.text += text(delta, name)?,
                "refusal" => self.said.refusal += text(delta, name)?,
                "reasoning_content" => self.thought += text(delta, name)?,
                "tool_calls" => items(delta, name)?
                    .iter()
                    .try_for_each(|call| self.call(call))?,
                "extra_content" => ensure(value.is_object(), || format!("odd: {value}"))?,
                other => return Err(format!("an unknown delta: {other}")),
            }
        }
        if !choice["finish_reason"].is_null() {
            self.said.stop = Some(stop(&choice["finish_reason"])?);
        }
        Ok(())
    }

    fn call(&mut self, fragment: &Value) -> Result<(), String> {
        let index =
            usize::try_from(count(fragment, "index")?).map_err(|error| error.to_string())?;
        let function = &fragment["function"];
        if index == self.calls.len() {
            ensure(fragment["type"] == "function", || {
                format!("no function: {fragment}")
            })?;
            let call = Call {
                id: text(fragment, "id")?.to_owned(),
                name: text(function, "name")?.to_owned(),
                ..Call::default()
            };
            let twice = self.calls.iter().any(|(known, _)| known.id == call.id);
            ensure(!twice, || format!("an id twice: {fragment}"))?;
            self.calls.push((call, String::new()));
        } else {
            let named = ["id", "type"]
                .iter()
                .any(|name| fragment.get(*name).is_some());
            ensure(!named && function.get("name").is_none(), || {
                format!("named again: {fragment}")
            })?;
        }
        let known = self.calls.get_mut(index);
        let (call, written) = known.ok_or_else(|| format!("calls are counted: {fragment}"))?;
        *written += function["arguments"].as_str().unwrap_or_default();
        call.signature = signature(fragment).or(call.signature.take());
        Ok(())
    }

    fn broken(self, last: &Event) -> Result<Heard, String> {
        ensure(self.said.stop.is_none(), || {
            "a finish_reason before an error".to_owned()
        })?;
        let error = &last.json()?["error"];
        text(error, "type")?;
        let broken = Some(text(error, "message")?.to_owned());
        let mut said = self.said;
        // Calls may be cut anywhere.
        said.calls = self.calls.into_iter().map(|(call, _)| call).collect();
        Ok(Heard { said, broken })
    }

    fn finish(mut self) -> Result<Said, String> {
        if !self.thought.is_empty() {
            self.said.thoughts = vec![Thought {
                text: self.thought,
                signature: None,
            }];
        }
        for (mut call, written) in self.calls {
            call.arguments = arguments(&written)?;
            self.said.calls.push(call);
        }
        Ok(self.said)
    }
}
