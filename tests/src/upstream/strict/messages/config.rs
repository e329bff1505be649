//! Tools, thinking, sampling and `output_config`: what each must be, and what excludes what.

use serde_json::Value;

use super::{blocks, object, only, schema};

pub(super) fn check(body: &Value) -> Result<(), String> {
    tools(body)?;
    let thinks = thinking(body)?;
    sampling(body, thinks)?;
    output(&body["output_config"])?;
    if let Some(metadata) = body.get("metadata").filter(|value| !value.is_null()) {
        only(metadata, "metadata", &["user_id"])?;
    }
    let stops = body["stop_sequences"].as_array().into_iter().flatten();
    if stops
        .clone()
        .any(|stop| stop.as_str().is_none_or(|stop| stop.trim().is_empty()))
    {
        return Err("stop_sequences: each stop sequence must contain non-whitespace".to_owned());
    }
    one_of(
        &body["service_tier"],
        "service_tier",
        &["auto", "standard_only"],
    )
}

fn tools(body: &Value) -> Result<(), String> {
    let tools = body["tools"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    for (index, tool) in tools.iter().enumerate() {
        let place = format!("tools.{index}");
        if tool["type"].as_str().is_some_and(|kind| kind != "custom") {
            continue;
        }
        let known = [
            "type",
            "name",
            "description",
            "input_schema",
            "cache_control",
            "strict",
            "defer_loading",
            "eager_input_streaming",
            "input_examples",
            "allowed_callers",
        ];
        only(tool, &format!("{place}.custom"), &known)?;
        if !blocks::is_name(tool["name"].as_str().unwrap_or_default(), 128) {
            return Err(format!(
                "{place}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
            ));
        }
        let place = format!("{place}.custom.input_schema");
        let input = object(&tool["input_schema"], &place)?;
        if input.get("type").is_none_or(|kind| kind != "object") {
            return Err(format!("{place}.type: Input should be 'object'"));
        }
        if ["oneOf", "allOf", "anyOf"]
            .iter()
            .any(|name| input.contains_key(*name))
        {
            return Err(format!(
                "{place}: input_schema does not support oneOf, allOf, or anyOf at the top level"
            ));
        }
    }
    let choice = &body["tool_choice"];
    if choice.is_null() {
        return Ok(());
    }
    if tools.is_empty() {
        return Err("tool_choice: may only be specified while providing tools".to_owned());
    }
    only(
        choice,
        "tool_choice",
        &["type", "name", "disable_parallel_tool_use"],
    )?;
    one_of(
        &choice["type"],
        "tool_choice",
        &["auto", "any", "tool", "none"],
    )?;
    if choice["type"] == "none" && choice.get("disable_parallel_tool_use").is_some() {
        return Err(
            "tool_choice.none.disable_parallel_tool_use: Extra inputs are not permitted".to_owned(),
        );
    }
    if choice["type"] == "tool" && !tools.iter().any(|tool| tool["name"] == choice["name"]) {
        return Err(format!(
            "tool_choice: Tool {} not found in provided tools",
            choice["name"]
        ));
    }
    Ok(())
}

/// Whether thinking is on.
fn thinking(body: &Value) -> Result<bool, String> {
    let thinking = &body["thinking"];
    let kind = thinking["type"].as_str().unwrap_or_default();
    let (known, on): (&[&str], _) = match kind {
        "enabled" => (&["type", "budget_tokens", "display"], true),
        "adaptive" => (&["type", "display"], true),
        "disabled" => (&["type"], false),
        _ if thinking.is_null() => return Ok(false),
        other => {
            return Err(format!(
                "thinking: Input tag '{other}' does not match any of the expected tags"
            ));
        }
    };
    only(thinking, &format!("thinking.{kind}"), known)?;
    if kind == "enabled" {
        let budget = thinking["budget_tokens"].as_u64().unwrap_or_default();
        if budget < 1024 {
            return Err(
                "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
                    .to_owned(),
            );
        }
        if Some(budget) >= body["max_tokens"].as_u64() {
            return Err("`max_tokens` must be greater than `thinking.budget_tokens`.".to_owned());
        }
    }
    if !on {
        return Ok(false);
    }
    if ["any", "tool"]
        .iter()
        .any(|kind| body["tool_choice"]["type"] == **kind)
    {
        return Err("Thinking may not be enabled when tool_choice forces tool use.".to_owned());
    }
    let messages = body["messages"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    if messages
        .last()
        .is_some_and(|last| last["role"] == "assistant")
    {
        return Err(
            "When `thinking` is enabled, the conversation cannot end with an assistant turn"
                .to_owned(),
        );
    }
    if kind == "enabled" {
        replayed(messages)?;
    }
    Ok(true)
}

/// While a tool loop is open, the model's turn begins with its thoughts.
fn replayed(messages: &[Value]) -> Result<(), String> {
    let [.., asked, answered] = messages else {
        return Ok(());
    };
    let is_result = |block: &Value| block["type"] == "tool_result";
    if !answered["content"]
        .as_array()
        .is_some_and(|blocks| blocks.iter().any(is_result))
    {
        return Ok(());
    }
    let first = asked["content"][0]["type"].as_str().unwrap_or_default();
    match first {
        "thinking" | "redacted_thinking" => Ok(()),
        other => Err(format!(
            "messages.{}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{other}`. When \
             `thinking` is enabled, a final `assistant` message must start with a thinking block.",
            messages.len() - 2
        )),
    }
}

fn sampling(body: &Value, thinks: bool) -> Result<(), String> {
    let number = |name: &str| body[name].as_f64();
    if number("temperature").is_some() && number("top_p").is_some() {
        return Err(
            "`temperature` and `top_p` cannot both be specified for this model.".to_owned(),
        );
    }
    for name in ["temperature", "top_p"] {
        if number(name).is_some_and(|value| !(0.0..=1.0).contains(&value)) {
            return Err(format!("{name}: range: 0..1"));
        }
    }
    if !thinks {
        return Ok(());
    }
    if number("temperature").is_some_and(|value| value != 1.0) {
        return Err("`temperature` may only be set to 1 when thinking is enabled.".to_owned());
    }
    if number("top_p").is_some_and(|value| value < 0.95) || number("top_k").is_some() {
        return Err(
            "`top_p` must be at least 0.95, and `top_k` unset, when thinking is enabled."
                .to_owned(),
        );
    }
    Ok(())
}

fn output(config: &Value) -> Result<(), String> {
    if config.is_null() {
        return Ok(());
    }
    only(config, "output_config", &["effort", "format"])?;
    let efforts = ["low", "medium", "high", "xhigh", "max"];
    one_of(&config["effort"], "output_config.effort", &efforts)?;
    let format = &config["format"];
    if format.is_null() {
        return Ok(());
    }
    only(format, "output_config.format", &["type", "schema"])?;
    if format["type"] != "json_schema" {
        return Err("output_config.format.type: Input should be 'json_schema'".to_owned());
    }
    schema::check(&format["schema"], "output_config.format.schema")
}

fn one_of(value: &Value, place: &str, words: &[&str]) -> Result<(), String> {
    match value {
        Value::Null => Ok(()),
        Value::String(word) if words.contains(&word.as_str()) => Ok(()),
        _ => Err(format!("{place}: Input should be one of {words:?}")),
    }
}
