//! The conversation: whose turn it is, and that results follow their calls.

use std::collections::HashSet;

use serde_json::Value;

use super::{blocks, only};

pub(super) fn check(body: &Value) -> Result<(), String> {
    match &body["system"] {
        Value::Null | Value::String(_) => {}
        Value::Array(list) => blocks::system(list)?,
        _ => return Err("system: Input should be a valid string or list".to_owned()),
    }
    let messages = body["messages"]
        .as_array()
        .ok_or("messages: Field required")?;
    let mut open: HashSet<&str> = HashSet::new();
    let mut used = HashSet::new();
    for (index, message) in messages.iter().enumerate() {
        let place = format!("messages.{index}");
        only(message, &place, &["role", "content"])?;
        let role = match message["role"].as_str() {
            Some(role @ ("user" | "assistant")) => role,
            _ => {
                return Err(format!(
                    "{place}.role: Input should be 'user' or 'assistant'"
                ));
            }
        };
        if index == 0 && role != "user" {
            return Err("messages: first message must use the \"user\" role".to_owned());
        }
        let last = index + 1 == messages.len();
        let said = content(message, &place, role == "assistant" && last)?;
        blocks::turn(role, said, &place)?;
        results(said, &open, &place)?;
        open = calls(said).collect();
        if let Some(twice) = open.iter().find(|id| !used.insert(**id)) {
            return Err(format!(
                "{place}: `tool_use` ids must be unique, `{twice}` is not"
            ));
        }
    }
    match (messages.is_empty(), open.is_empty()) {
        (true, _) => Err("messages: at least one message is required".to_owned()),
        (_, false) => Err(unanswered("messages", &open)),
        (_, true) => Ok(()),
    }
}

/// The blocks of a turn; none when it is a text.
fn content<'v>(message: &'v Value, place: &str, last: bool) -> Result<&'v [Value], String> {
    let empty =
        "all messages must have non-empty content except for the optional final assistant message";
    let (said, text) = match &message["content"] {
        Value::String(text) => (&[][..], Some(text.as_str())),
        Value::Array(blocks) => (
            blocks.as_slice(),
            blocks.last().and_then(|block| block["text"].as_str()),
        ),
        _ => return Err(format!("{place}.content: Field required")),
    };
    let nothing = said.is_empty() && text.is_none_or(|text| text.trim().is_empty());
    if nothing && !last {
        return Err(format!("{place}: {empty}"));
    }
    if last && text.is_some_and(|text| text.ends_with(char::is_whitespace)) {
        return Err(
            "messages: final assistant content cannot end with trailing whitespace".to_owned(),
        );
    }
    Ok(said)
}

/// The results of a turn answer all calls of the one before it, ahead of everything else.
fn results(said: &[Value], open: &HashSet<&str>, place: &str) -> Result<(), String> {
    let is_result = |block: &&Value| block["type"] == "tool_result";
    let first = said.iter().take_while(is_result);
    let mut waiting = open.clone();
    for result in first {
        let id = result["tool_use_id"].as_str().unwrap_or_default();
        if !waiting.remove(id) {
            return Err(format!(
                "{place}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must \
                 have a corresponding `tool_use` block in the previous message."
            ));
        }
    }
    if !waiting.is_empty() {
        return Err(unanswered(place, &waiting));
    }
    match said
        .iter()
        .skip_while(is_result)
        .any(|block| is_result(&block))
    {
        true => Err(format!("{place}: `tool_result` blocks must come first")),
        false => Ok(()),
    }
}

fn unanswered(place: &str, ids: &HashSet<&str>) -> String {
    format!(
        "{place}: `tool_use` ids were found without `tool_result` blocks immediately after: {ids:?}. Each `tool_use` \
         block must have a corresponding `tool_result` block in the next message."
    )
}

fn calls(said: &[Value]) -> impl Iterator<Item = &str> {
    let calls = said.iter().filter(|block| block["type"] == "tool_use");
    calls.filter_map(|block| block["id"].as_str())
}
