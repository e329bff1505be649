//! `POST /responses` as OpenAI checks it.

use std::collections::HashSet;

use serde_json::Value;

use super::field::{Checked, Fault, Fields};

const ROLES: [&str; 4] = ["user", "assistant", "system", "developer"];
const EFFORTS: [&str; 6] = ["none", "minimal", "low", "medium", "high", "xhigh"];

/// Members of chat completions, and where what they say belongs.
const MOVED: [(&str, &str); 5] = [
    ("messages", "input"),
    ("max_tokens", "max_output_tokens"),
    ("max_completion_tokens", "max_output_tokens"),
    ("response_format", "text.format"),
    ("reasoning_effort", "reasoning.effort"),
];

pub(super) fn check(body: &Fields<'_>) -> Checked {
    for (moved, place) in MOVED {
        if body.get(moved).is_some() {
            let why =
                format!("unsupported parameter: in the Responses API, it has moved to '{place}'");
            return Err(body.fault(moved, &why));
        }
    }
    if body.text("model")?.is_empty() {
        return Err(body.fault("model", "you must provide a model parameter"));
    }
    input(body)?;
    tools(body)?;
    body.optional("instructions", "a string", Value::as_str)?;
    body.number("temperature", 0.0, 2.0)?;
    body.number("top_p", 0.0, 1.0)?;
    body.count("max_output_tokens")?;
    body.flag("store")?;
    body.flag("background")?;
    body.flag("parallel_tool_calls")?;
    body.list("include")?;
    if let Some(reasoning) = body.object("reasoning")? {
        reasoning.one_of("effort", &EFFORTS)?;
        reasoning.one_of("summary", &["auto", "concise", "detailed"])?;
    }
    stream(body)?;
    format(body)
}

fn stream(body: &Fields<'_>) -> Checked {
    let streamed = body.flag("stream")?;
    match body.object("stream_options")? {
        Some(_) if !streamed => {
            Err(body.fault("stream_options", "only allowed when 'stream' is enabled"))
        }
        Some(options) if options.get("include_usage").is_some() => {
            Err(options.fault("include_usage", "unknown parameter"))
        }
        _ => Ok(()),
    }
}

fn format(body: &Fields<'_>) -> Checked {
    let Some(text) = body.object("text")? else {
        return Ok(());
    };
    text.one_of("verbosity", &["low", "medium", "high"])?;
    let Some(format) = text.object("format")? else {
        return Ok(());
    };
    format.text("type")?;
    format.one_of("type", &["text", "json_object", "json_schema"])?;
    if format.text("type")? == "json_schema" {
        format.text("name")?;
        format
            .object("schema")?
            .ok_or_else(|| format.fault("schema", "missing"))?;
    }
    Ok(())
}

/// Functions are flat: their members stand beside the type.
fn tools(body: &Fields<'_>) -> Checked {
    let tools = body.list("tools")?;
    for (index, tool) in tools.into_iter().flatten().enumerate() {
        let tool = Fields::at(format!("tools[{index}]"), tool)?;
        if tool.text("type")? == "function" {
            tool.text("name")?;
            tool.object("parameters")?;
        }
    }
    match body.get("tool_choice") {
        None => Ok(()),
        Some(Value::String(choice)) if ["none", "auto", "required"].contains(&choice.as_str()) => {
            Ok(())
        }
        Some(Value::Object(_)) if tools.is_some_and(|tools| !tools.is_empty()) => {
            let choice = body.object("tool_choice")?.expect("it is an object");
            match choice.text("type")? {
                "function" => choice.text("name").map(|_| ()),
                _ => Ok(()),
            }
        }
        Some(_) => Err(body.fault("tool_choice", "must be a choice among 'tools'")),
    }
}

fn input(body: &Fields<'_>) -> Checked {
    let items = match body.required("input", "a string or an array", Some)? {
        Value::String(_) => return Ok(()),
        Value::Array(items) if !items.is_empty() => items,
        _ => return Err(body.fault("input", "expected a string or items")),
    };
    let (mut called, mut answered) = (HashSet::new(), HashSet::new());
    for (index, item) in items.iter().enumerate() {
        let item = Fields::at(format!("input[{index}]"), item)?;
        match item.get("type").map_or(Some("message"), Value::as_str) {
            Some("message") => message(&item)?,
            Some("function_call") => {
                item.text("name")?;
                item.text("arguments")?;
                called.insert(item.text("call_id")?);
            }
            Some("function_call_output") => {
                let id = item.text("call_id")?;
                output(&item)?;
                if !called.contains(id) {
                    let why =
                        format!("No tool call found for function call output with call_id {id}.");
                    return Err(Fault::new("input", why));
                }
                if !answered.insert(id) {
                    let why = format!("Duplicate output for function call {id}.");
                    return Err(Fault::new("input", why));
                }
            }
            Some("reasoning") => {
                item.required("summary", "an array", Value::as_array)?;
            }
            // What was said is kept.
            Some("item_reference") if item.text("id")?.contains("_scripted_") => {}
            Some("item_reference") => {
                let why = format!("Item with id '{}' not found.", item.text("id")?);
                return Err(Fault::new("input", why));
            }
            _ => return Err(item.fault("type", "unknown item")),
        }
    }
    match called.difference(&answered).next() {
        Some(open) => {
            let why = format!("No tool output found for function call {open}.");
            Err(Fault::new("input", why))
        }
        None => Ok(()),
    }
}

fn output(item: &Fields<'_>) -> Checked {
    match item.get("output") {
        Some(Value::String(_) | Value::Array(_)) => Ok(()),
        _ => Err(item.fault("output", "expected a string or parts")),
    }
}

fn message(item: &Fields<'_>) -> Checked {
    let role = item.text("role")?;
    item.one_of("role", &ROLES)?;
    let allowed: &[&str] = match role {
        "assistant" => &["output_text", "refusal"],
        _ => &["input_text", "input_image", "input_file"],
    };
    match item.get("content") {
        Some(Value::String(_)) => Ok(()),
        Some(Value::Array(parts)) => parts.iter().enumerate().try_for_each(|(index, part)| {
            let part = Fields::at(item.place(&format!("content[{index}]")), part)?;
            part.text("type")?;
            part.one_of("type", allowed)
        }),
        _ => Err(item.fault("content", "expected a string or parts")),
    }
}
