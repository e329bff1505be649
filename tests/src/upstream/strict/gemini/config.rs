//! Tools and `generationConfig`: what excludes what.

use std::collections::HashSet;

use serde_json::Value;

use super::Fault;

pub(super) fn check(body: &Value, model: &str) -> Result<(), Fault> {
    let declared = tools(body)?;
    choice(body, &declared)?;
    generation(&body["generationConfig"], model, !declared.is_empty())
}

/// The names of the functions.
fn tools(body: &Value) -> Result<HashSet<&str>, Fault> {
    let mut names = HashSet::new();
    for (index, tool) in items(&body["tools"]).enumerate() {
        if tool.as_object().is_none_or(|tool| tool.len() != 1) {
            let place = format!("* GenerateContentRequest.tools[{index}].tool_type");
            return Err(Fault::invalid(format!(
                "{place}: required one_of 'tool_type' must have one initialized field\n"
            )));
        }
        for function in items(&tool["functionDeclarations"]) {
            let name = function["name"].as_str().unwrap_or_default();
            if !is_name(name) {
                return Err(Fault::invalid(
                    "Invalid function name. Must start with a letter or an underscore. Must be alphameric (a-z, A-Z, \
                     0-9), underscores (_), dots (.), colons (:), or dashes (-), with a maximum length of 64.",
                ));
            }
            if !names.insert(name) {
                return Err(Fault::invalid(format!(
                    "Duplicate function declaration found: {name}"
                )));
            }
            exclusive(function, "parameters", "parametersJsonSchema")?;
            exclusive(function, "response", "responseJsonSchema")?;
            schema(
                &function["parameters"],
                &format!("functions[{name}].parameters"),
            )?;
        }
    }
    Ok(names)
}

fn choice(body: &Value, declared: &HashSet<&str>) -> Result<(), Fault> {
    let calling = &body["toolConfig"]["functionCallingConfig"];
    let forced = calling["mode"] == "ANY";
    if forced && declared.is_empty() {
        return Err(Fault::invalid(
            "Function calling config is set without function_declarations.",
        ));
    }
    let mut allowed = items(&calling["allowedFunctionNames"]).peekable();
    if allowed.peek().is_some() && !forced && calling["mode"] != "VALIDATED" {
        return Err(Fault::invalid(
            "allowed_function_names should only be set when the function calling mode is ANY.",
        ));
    }
    match allowed.all(|name| name.as_str().is_some_and(|name| declared.contains(name))) {
        true => Ok(()),
        false => Err(Fault::invalid(
            "allowed_function_names must be among function_declarations.",
        )),
    }
}

fn generation(config: &Value, model: &str, with_functions: bool) -> Result<(), Fault> {
    exclusive(config, "responseSchema", "responseJsonSchema")?;
    schema(
        &config["responseSchema"],
        "generation_config.response_schema",
    )?;
    let json = config["responseMimeType"] == "application/json";
    let schema = ["responseSchema", "responseJsonSchema"];
    if !json && schema.iter().any(|name| config.get(name).is_some()) {
        return Err(Fault::invalid(
            "Response schema is only supported with response mime type application/json.",
        ));
    }
    let new = is_third(model);
    if json && with_functions && !new {
        return Err(Fault::invalid(
            "Function calling with a response mime type: 'application/json' is unsupported",
        ));
    }
    let thinking = &config["thinkingConfig"];
    let level = thinking.get("thinkingLevel").is_some();
    if level && thinking.get("thinkingBudget").is_some() {
        return Err(Fault::invalid(
            "You can only set only one of thinking budget and thinking level.",
        ));
    }
    if level && !new {
        return Err(Fault::invalid(
            "Thinking level is not supported for this model.",
        ));
    }
    let ranges = [
        ("temperature", 0.0, 2.0),
        ("topP", 0.0, 1.0),
        ("maxOutputTokens", 1.0, 65_536.0),
        ("candidateCount", 1.0, 8.0),
        ("seed", f64::from(i32::MIN), f64::from(i32::MAX)),
        ("presencePenalty", -2.0, 2.0),
        ("frequencyPenalty", -2.0, 2.0),
    ];
    for (name, low, high) in ranges {
        if config[name]
            .as_f64()
            .is_some_and(|value| !(low..=high).contains(&value))
        {
            return Err(Fault::invalid(format!(
                "* GenerateContentRequest.generation_config.{name}: must be in the range [{low}, {high}].\n"
            )));
        }
    }
    match items(&config["stopSequences"]).count() {
        0..=5 => Ok(()),
        _ => Err(Fault::invalid("The number of stop sequences is at most 5.")),
    }
}

/// What even the subset of OpenAPI's schemas must be.
fn schema(schema: &Value, place: &str) -> Result<(), Fault> {
    let Some(members) = schema.as_object() else {
        return Ok(());
    };
    let kind = schema["type"].as_str().unwrap_or_default();
    if kind.eq_ignore_ascii_case("object")
        && schema["properties"]
            .as_object()
            .is_none_or(serde_json::Map::is_empty)
    {
        return Err(Fault::invalid(format!(
            "* {place}.properties: should be non-empty for OBJECT type\n"
        )));
    }
    if kind.eq_ignore_ascii_case("array") && !members.contains_key("items") {
        return Err(Fault::invalid(format!("* {place}.items: missing field.\n")));
    }
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        self::schema(inner, &format!("{place}.properties[{name}]"))?;
    }
    self::schema(&schema["items"], &format!("{place}.items"))
}

fn exclusive(value: &Value, one: &str, other: &str) -> Result<(), Fault> {
    match (value.get(one), value.get(other)) {
        (Some(_), Some(_)) => Err(Fault::invalid(format!(
            "{one} and {other} are mutually exclusive."
        ))),
        _ => Ok(()),
    }
}

/// The generation that thinks on levels and wants its signatures back.
pub(super) fn is_third(model: &str) -> bool {
    model.starts_with("gemini-3")
}

fn is_name(name: &str) -> bool {
    let first = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
    name.len() <= 64 && name.as_bytes().first().is_some_and(first) && name.bytes().all(plain)
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
