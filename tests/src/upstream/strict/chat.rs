//! `POST /chat/completions` as OpenAI checks it.

use std::collections::HashSet;

use serde_json::Value;

use super::field::{Checked, Fault, Fields};

const ROLES: [&str; 6] = [
    "system",
    "developer",
    "user",
    "assistant",
    "tool",
    "function",
];

pub(super) fn check(body: &Fields<'_>) -> Checked {
    if body.text("model")?.is_empty() {
        return Err(body.fault("model", "you must provide a model parameter"));
    }
    messages(body)?;
    tools(body)?;
    sampling(body)?;
    stream(body)?;
    format(body)
}

pub(super) fn sampling(body: &Fields<'_>) -> Checked {
    body.number("temperature", 0.0, 2.0)?;
    body.number("top_p", 0.0, 1.0)?;
    body.number("presence_penalty", -2.0, 2.0)?;
    body.number("frequency_penalty", -2.0, 2.0)?;
    body.count("n")?;
    body.count("max_tokens")?;
    body.count("max_completion_tokens")?;
    body.optional("seed", "an integer", Value::as_i64)?;
    body.optional("user", "a string", Value::as_str)?;
    match body.get("stop") {
        None | Some(Value::String(_)) => Ok(()),
        Some(Value::Array(list)) if list.len() <= 4 && list.iter().all(Value::is_string) => Ok(()),
        Some(_) => Err(body.fault("stop", "expected a string or at most four")),
    }
}

pub(super) fn stream(body: &Fields<'_>) -> Checked {
    let streamed = body.flag("stream")?;
    let Some(options) = body.object("stream_options")? else {
        return Ok(());
    };
    if !streamed {
        return Err(body.fault("stream_options", "only allowed when 'stream' is enabled"));
    }
    options.flag("include_usage").map(|_| ())
}

fn format(body: &Fields<'_>) -> Checked {
    let Some(format) = body.object("response_format")? else {
        return Ok(());
    };
    format.text("type")?;
    format.one_of("type", &["text", "json_object", "json_schema"])?;
    if format.text("type")? == "json_schema" {
        let schema = format
            .object("json_schema")?
            .ok_or_else(|| format.fault("json_schema", "missing"))?;
        schema.text("name")?;
        schema.object("schema")?;
    }
    Ok(())
}

pub(super) fn tools(body: &Fields<'_>) -> Checked {
    let tools = body.list("tools")?;
    for (index, tool) in tools.into_iter().flatten().enumerate() {
        let tool = Fields::at(format!("tools[{index}]"), tool)?;
        tool.text("type")?;
        tool.one_of("type", &["function", "custom"])?;
        let kind = tool.text("type")?;
        let definition = tool
            .object(kind)?
            .ok_or_else(|| tool.fault(kind, "missing"))?;
        definition.text("name")?;
        definition.object("parameters")?;
    }
    match body.get("tool_choice") {
        None => Ok(()),
        Some(_) if tools.is_none_or(Vec::is_empty) => {
            Err(body.fault("tool_choice", "only allowed when 'tools' are specified"))
        }
        Some(Value::String(choice)) if !["none", "auto", "required"].contains(&choice.as_str()) => {
            Err(body.fault("tool_choice", "expected none, auto or required"))
        }
        Some(Value::String(_) | Value::Object(_)) => Ok(()),
        Some(_) => Err(body.fault("tool_choice", "expected a string or an object")),
    }
}

fn messages(body: &Fields<'_>) -> Checked {
    let messages = body.required("messages", "an array", Value::as_array)?;
    if messages.is_empty() {
        return Err(body.fault("messages", "empty array"));
    }
    // Calls of the assistant turn before, which tool messages have still to answer.
    let mut open = HashSet::new();
    for (index, message) in messages.iter().enumerate() {
        let message = Fields::at(format!("messages[{index}]"), message)?;
        let role = message.text("role")?;
        message.one_of("role", &ROLES)?;
        if role == "tool" {
            if !open.remove(message.text("tool_call_id")?) {
                return Err(message.fault("role", "messages with role 'tool' must be a response to a preceding message with 'tool_calls'"));
            }
        } else if !open.is_empty() {
            return Err(unanswered(&message));
        }
        content(&message, role)?;
        if role == "assistant" {
            open = calls(&message)?;
        }
    }
    if open.is_empty() {
        Ok(())
    } else {
        Err(Fault::new(
            "messages",
            "An assistant message with 'tool_calls' must be followed by tool messages.",
        ))
    }
}

fn unanswered(message: &Fields<'_>) -> Fault {
    message.fault("role", "an assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'")
}

fn content(message: &Fields<'_>, role: &str) -> Checked {
    let allowed: &[&str] = match role {
        "user" => &["text", "image_url", "input_audio", "file"],
        "assistant" => &["text", "refusal"],
        _ => &["text"],
    };
    match message.get("content") {
        Some(Value::String(_)) => Ok(()),
        Some(Value::Array(parts)) => parts.iter().enumerate().try_for_each(|(index, part)| {
            let part = Fields::at(message.place(&format!("content[{index}]")), part)?;
            part.text("type")?;
            part.one_of("type", allowed)
        }),
        None if role == "assistant"
            && (message.get("tool_calls").is_some() || message.get("function_call").is_some()) =>
        {
            Ok(())
        }
        None | Some(_) => Err(message.fault("content", "expected a string or an array of parts")),
    }
}

fn calls<'a>(message: &Fields<'a>) -> Result<HashSet<&'a str>, Fault> {
    let calls = message.list("tool_calls")?;
    if calls.is_some_and(Vec::is_empty) {
        return Err(message.fault("tool_calls", "empty array"));
    }
    let calls = calls
        .into_iter()
        .flatten()
        .enumerate()
        .map(|(index, call)| {
            let call = Fields::at(message.place(&format!("tool_calls[{index}]")), call)?;
            let kind = call.text("type")?;
            let called = call
                .object(kind)?
                .ok_or_else(|| call.fault(kind, "missing"))?;
            called.text("name")?;
            called.text(if kind == "custom" {
                "input"
            } else {
                "arguments"
            })?;
            call.text("id")
        });
    calls.collect()
}
