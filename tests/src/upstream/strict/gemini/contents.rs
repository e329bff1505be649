//! The conversation: whose turn it is, and that results answer calls.

use serde_json::Value;

use super::Fault;

/// What a part may hold, one of them at a time.
const DATA: [&str; 7] = [
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
];

/// Checks `contents` and `systemInstruction`; `signed` tells that calls must have their signatures.
pub(super) fn check(body: &Value, signed: bool) -> Result<(), Fault> {
    if let Some(instruction) = body.get("systemInstruction") {
        parts(instruction, "system_instruction")?;
    }
    let contents = body["contents"].as_array().filter(|list| !list.is_empty());
    let contents = contents.ok_or_else(|| {
        Fault::invalid("* GenerateContentRequest.contents: contents is not specified\n")
    })?;
    let mut before: Option<(&str, Vec<&Value>)> = None;
    for (index, content) in contents.iter().enumerate() {
        let role = match content["role"].as_str() {
            None if contents.len() == 1 => "user",
            Some(role @ ("user" | "model")) => role,
            _ => return Err(Fault::invalid("Please use a valid role: user, model.")),
        };
        let place = format!("GenerateContentRequest.contents[{index}]");
        let parts = parts(content, &place)?;
        let calls = held(parts, "functionCall");
        let results = held(parts, "functionResponse");
        match before
            .as_ref()
            .map(|(role, calls)| (*role, calls.as_slice()))
        {
            None if role == "model" => {
                return Err(Fault::invalid(
                    "Please ensure that multiturn requests alternate between user and model.",
                ));
            }
            Some((last, _)) if last == role => {
                return Err(Fault::invalid(
                    "Please ensure that multiturn requests alternate between user and model.",
                ));
            }
            None => answers(&[], &results)?,
            Some((_, asked)) => answers(asked, &results)?,
        }
        if role == "user" && !calls.is_empty() || role == "model" && !results.is_empty() {
            return Err(Fault::invalid(
                "Function calls are made by the model, and responded to by the user.",
            ));
        }
        let first = parts.iter().find(|part| part.get("functionCall").is_some());
        if let Some(call) = first.filter(|call| signed && call.get("thoughtSignature").is_none()) {
            let name = call["functionCall"]["name"].as_str().unwrap_or_default();
            return Err(Fault::invalid(format!(
                "Function call is missing a thought_signature in functionCall parts. Additional data, function \
                 call `default_api:{name}`, position {}.",
                index + 1
            )));
        }
        before = Some((role, calls));
    }
    match before {
        Some((_, calls)) => answers(&calls, &[]),
        None => Ok(()),
    }
}

/// The parts of a content, each holding one thing.
fn parts<'v>(content: &'v Value, place: &str) -> Result<&'v [Value], Fault> {
    let parts = content["parts"].as_array().map(Vec::as_slice);
    let parts = parts.filter(|parts| !parts.is_empty()).ok_or_else(|| {
        Fault::invalid(format!(
            "* {place}.parts: contents.parts must not be empty.\n"
        ))
    })?;
    for (index, part) in parts.iter().enumerate() {
        // An empty text is nothing, unless it carries a signature.
        let holds = |name: &&&str| match part.get(**name) {
            Some(Value::String(text)) => !text.is_empty() || part.get("thoughtSignature").is_some(),
            held => held.is_some(),
        };
        match DATA.iter().filter(holds).count() {
            1 => {}
            0 => {
                return Err(Fault::invalid(format!(
                    "* {place}.parts[{index}].data: required oneof field 'data' must have one initialized field\n"
                )));
            }
            _ => {
                return Err(Fault::invalid(format!(
                    "Invalid value at '{place}.parts[{index}]' (oneof), oneof field 'data' is already set."
                )));
            }
        }
        part_is_whole(part, &format!("{place}.parts[{index}]"))?;
    }
    Ok(parts)
}

fn part_is_whole(part: &Value, place: &str) -> Result<(), Fault> {
    let needs: [(&str, &[&str]); 4] = [
        ("inlineData", &["mimeType", "data"]),
        ("fileData", &["fileUri"]),
        ("functionCall", &["name"]),
        ("functionResponse", &["name", "response"]),
    ];
    for (held, members) in needs {
        let Some(held_value) = part.get(held) else {
            continue;
        };
        let is_there = |member: &&str| match held_value.get(*member) {
            Some(Value::String(text)) => !text.is_empty(),
            value => value.is_some(),
        };
        if let Some(missing) = members.iter().find(|member| !is_there(member)) {
            return Err(Fault::invalid(format!(
                "* {place}.{held}.{missing}: cannot be empty.\n"
            )));
        }
    }
    Ok(())
}

fn held<'v>(parts: &'v [Value], name: &str) -> Vec<&'v Value> {
    parts.iter().filter_map(|part| part.get(name)).collect()
}

/// The results are those of these calls, in their order.
fn answers(calls: &[&Value], results: &[&Value]) -> Result<(), Fault> {
    if calls.is_empty() && !results.is_empty() {
        return Err(Fault::invalid(
            "Please ensure that function response turn comes immediately after a function call turn.",
        ));
    }
    if calls.len() != results.len() {
        return Err(Fault::invalid(
            "Please ensure that the number of function response parts is equal to the number of function call \
             parts of the function call turn.",
        ));
    }
    let same = |(call, result): (&&Value, &&Value)| {
        let ids = (call.get("id"), result.get("id"));
        let of_one = matches!(ids, (None, _) | (_, None)) || ids.0 == ids.1;
        of_one && call["name"] == result["name"]
    };
    match calls.iter().zip(results).all(same) {
        true => Ok(()),
        false => Err(Fault::invalid(
            "Please ensure that function response parts answer the function calls, in their order.",
        )),
    }
}
