//! Streams of responses: numbered events, everything added before it grows and done after, and the
//! whole response last.

use serde_json::Value;

use super::{count, ensure, items, responses, sse::events, text};
use crate::said::{Heard, Said};

#[derive(Default)]
struct Reader {
    /// How many of `created` and `in_progress` came.
    begun: usize,
    /// The items that are done, in order.
    done: Vec<Value>,
    /// The item that is open.
    open: Option<Item>,
    last: Option<Heard>,
    /// Whether the event before was an error.
    erred: bool,
}

/// An item as far as it came.
struct Item {
    id: String,
    kind: String,
    /// The part that is open: where it stands, and its text as far as it came.
    part: Option<(u64, String)>,
    /// Whether the whole text of the open part was told.
    told: bool,
    /// The texts of the parts that are done; of a call, its arguments.
    parts: Vec<String>,
}

const BEGINNING: [&str; 2] = ["response.created", "response.in_progress"];

pub(super) fn read(stream: &str) -> Result<Heard, String> {
    let mut reader = Reader::default();
    for (number, event) in events(stream)?.iter().enumerate() {
        let data = event.json()?;
        let name = event.name.as_deref().unwrap_or_default();
        ensure(data["type"] == name, || {
            format!("{name} is no name for {data}")
        })?;
        ensure(data["sequence_number"] == number, || {
            format!("not number {number}: {data}")
        })?;
        // An error may be told twice: as it is, and as what it makes of the response.
        let failed = name == "response.failed" && reader.erred;
        ensure(failed || reader.last.is_none(), || {
            format!("after the end: {data}")
        })?;
        reader.erred = name == "error";
        if failed {
            continue;
        }
        reader.event(name, &data)?;
    }
    reader
        .last
        .ok_or_else(|| "the stream does not end".to_owned())
}

// === impl Reader ===

impl Reader {
    fn event(&mut self, name: &str, data: &Value) -> Result<(), String> {
        if name == "error" {
            return self.broken(data);
        }
        if let Some(wanted) = BEGINNING.get(self.begun) {
            ensure(name == *wanted, || format!("{wanted} is missing: {data}"))?;
            ensure(data["response"]["status"] == "in_progress", || {
                format!("already over: {data}")
            })?;
            ensure(items(&data["response"], "output")?.is_empty(), || {
                format!("already said: {data}")
            })?;
            self.begun += 1;
            return Ok(());
        }
        match name {
            "response.output_item.added" => self.added(data),
            "response.output_item.done" => self.item_done(data),
            "response.completed" | "response.incomplete" => self.completed(name, data),
            "response.failed" => self.broken(&data["response"]["error"]),
            _ => {
                let index = self.done.len() as u64;
                ensure(count(data, "output_index")? == index, || {
                    format!("another item: {data}")
                })?;
                let item = self
                    .open
                    .as_mut()
                    .ok_or_else(|| format!("of no open item: {data}"))?;
                ensure(data["item_id"] == *item.id, || {
                    format!("another id: {data}")
                })?;
                item.event(name, data)
            }
        }
    }

    fn added(&mut self, data: &Value) -> Result<(), String> {
        let index = self.done.len() as u64;
        let next = self.open.is_none() && count(data, "output_index")? == index;
        ensure(next, || format!("out of order: {data}"))?;
        let item = &data["item"];
        self.open = Some(Item {
            id: text(item, "id")?.to_owned(),
            kind: text(item, "type")?.to_owned(),
            part: None,
            told: false,
            parts: Vec::new(),
        });
        Ok(())
    }

    fn item_done(&mut self, data: &Value) -> Result<(), String> {
        ensure(data["output_index"] == self.done.len(), || {
            format!("another item: {data}")
        })?;
        let open = self.open.take().filter(|item| item.part.is_none());
        let open = open.ok_or_else(|| format!("done too early: {data}"))?;
        let item = &data["item"];
        ensure(item["id"] == *open.id && item["type"] == *open.kind, || {
            format!("another item: {data}")
        })?;
        let parts = match open.kind.as_str() {
            "function_call" => vec![text(item, "arguments")?.to_owned()],
            "reasoning" => texts(items(item, "summary")?)?,
            _ => texts(items(item, "content")?)?,
        };
        ensure(parts == open.parts, || {
            format!("not what was said: {item}, {:?}", open.parts)
        })?;
        self.done.push(item.clone());
        Ok(())
    }

    fn completed(&mut self, name: &str, data: &Value) -> Result<(), String> {
        let response = &data["response"];
        ensure(self.open.is_none(), || format!("an item is open: {data}"))?;
        ensure(
            name.strip_prefix("response.") == response["status"].as_str(),
            || format!("which is it: {data}"),
        )?;
        ensure(items(response, "output")? == self.done, || {
            format!("not the whole output: {response}")
        })?;
        let said = responses::read(response)?;
        self.last = Some(Heard { said, broken: None });
        Ok(())
    }

    fn broken(&mut self, error: &Value) -> Result<(), String> {
        let broken = Some(text(error, "message")?.to_owned());
        let parts = self
            .open
            .iter()
            .flat_map(|item| item.part.iter().map(|(_, text)| text.as_str()));
        let said = Said {
            text: parts.collect(),
            ..Said::default()
        };
        self.last = Some(Heard { said, broken });
        Ok(())
    }
}

// === impl Item ===

impl Item {
    fn event(&mut self, name: &str, data: &Value) -> Result<(), String> {
        let name = name.strip_prefix("response.").unwrap_or(name);
        let (of, place) = match name.split('.').next().unwrap_or_default() {
            "content_part" | "output_text" | "refusal" => ("message", "content_index"),
            "reasoning_summary_part" | "reasoning_summary_text" => ("reasoning", "summary_index"),
            "function_call_arguments" => ("function_call", ""),
            other => return Err(format!("an unknown event: {other}")),
        };
        ensure(self.kind == of, || format!("of a {}: {data}", self.kind))?;
        if of == "function_call" {
            return self.arguments(name, data);
        }
        let index = count(data, place)?;
        let next = self.parts.len() as u64;
        ensure(index == next, || format!("another part: {data}"))?;
        match (name, &mut self.part) {
            ("content_part.added" | "reasoning_summary_part.added", part @ None) => {
                *part = Some((index, String::new()));
                Ok(())
            }
            ("content_part.done" | "reasoning_summary_part.done", Some((_, said))) => {
                let told = std::mem::take(&mut self.told);
                ensure(told, || format!("the text is not done: {data}"))?;
                let whole = texts(std::slice::from_ref(&data["part"]))?;
                ensure(whole == [said.as_str()], || {
                    format!("not what was said: {data}")
                })?;
                self.parts.push(std::mem::take(said));
                self.part = None;
                Ok(())
            }
            (name, Some((_, said))) if name.ends_with(".delta") && !self.told => {
                *said += text(data, "delta")?;
                Ok(())
            }
            (name, Some((_, said))) if name.ends_with(".done") && !self.told => {
                self.told = true;
                let member = if name == "refusal.done" {
                    "refusal"
                } else {
                    "text"
                };
                ensure(data[member] == said.as_str(), || {
                    format!("not what was said: {data}")
                })
            }
            (name, _) => Err(format!("{name} out of order: {data}")),
        }
    }

    fn arguments(&mut self, name: &str, data: &Value) -> Result<(), String> {
        let (_, said) = self.part.get_or_insert_default();
        match name {
            "function_call_arguments.delta" => *said += text(data, "delta")?,
            "function_call_arguments.done" => {
                ensure(data["arguments"] == said.as_str(), || {
                    format!("not what was said: {data}")
                })?;
                self.parts.push(std::mem::take(said));
                self.part = None;
            }
            other => return Err(format!("an unknown event: {other}")),
        }
        Ok(())
    }
}

fn texts(parts: &[Value]) -> Result<Vec<String>, String> {
    let text_of = |part: &Value| {
        let member = if part["type"] == "refusal" {
            "refusal"
        } else {
            "text"
        };
        text(part, member).map(str::to_owned)
    };
    parts.iter().map(text_of).collect()
}
