//! `POST /chat/completions` as DeepSeek checks it: OpenAI's checks and its own deviations.

use serde_json::Value;

use super::{
    chat,
    field::{Checked, Fault, Fields},
};

pub(super) fn check(body: &Fields<'_>) -> Checked {
    chat::check(body)?;
    if body.get("max_completion_tokens").is_some() {
        return Err(body.fault("max_completion_tokens", "unknown parameter, use max_tokens"));
    }
    let thinking = body.object("thinking")?;
    if let Some(thinking) = &thinking {
        thinking.text("type")?;
        thinking.one_of("type", &["enabled", "disabled"])?;
    }
    let off = thinking
        .is_some_and(|thinking| thinking.get("type").is_some_and(|kind| kind == "disabled"));
    let off = off
        || body
            .get("reasoning_effort")
            .is_some_and(|effort| effort == "none");
    for (index, message) in body.list("messages")?.into_iter().flatten().enumerate() {
        let message = Fields::at(format!("messages[{index}]"), message)?;
        turn(&message, !off)?;
    }
    format(body)?;
    for (index, tool) in body.list("tools")?.into_iter().flatten().enumerate() {
        if tool["type"] != "function" {
            return Err(body.fault(
                &format!("tools[{index}].type"),
                "only functions are supported",
            ));
        }
    }
    Ok(())
}

fn turn(message: &Fields<'_>, thinking: bool) -> Checked {
    if message.text("role")? == "developer" {
        return Err(message
            .fault(
                "role",
                "unknown variant developer, expected one of system, user, assistant, tool",
            )
            .unprocessable());
    }
    let parts = message.get("content").and_then(Value::as_array);
    if parts.is_some_and(|parts| parts.iter().any(|part| part["type"] != "text")) {
        return Err(message
            .fault("content", "unknown variant, expected text")
            .unprocessable());
    }
    let replayed = message
        .get("reasoning_content")
        .is_some_and(Value::is_string);
    if thinking && message.get("tool_calls").is_some() && !replayed {
        return Err(Fault::new(
            message.place("reasoning_content"),
            "The reasoning_content in the thinking mode must be passed back to the API.",
        ));
    }
    Ok(())
}

fn format(body: &Fields<'_>) -> Checked {
    let Some(format) = body.object("response_format")? else {
        return Ok(());
    };
    match format.text("type")? {
        "json_schema" => Err(format.fault("type", "this response_format type is unavailable now")),
        "json_object" if !says_json(body) => Err(Fault::new(
            "messages",
            "Prompt must contain the word 'json' in some form to use 'response_format' of type 'json_object'.",
        )),
        _ => Ok(()),
    }
}

fn says_json(body: &Fields<'_>) -> bool {
    let messages = body.get("messages").map(ToString::to_string);
    messages.is_some_and(|messages| messages.to_ascii_lowercase().contains("json"))
}
