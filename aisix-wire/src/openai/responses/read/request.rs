//! The members of the body.

use super::items::Items;
use super::tools;
use crate::chat::{
    Block, Effort, Extra, Format, Opaque, OutputLimit, Place, Reasoning, ReasoningMode, Request,
    Role, Schema, Turn,
};
use crate::json::{Object, Path, Value};
use crate::{Dialect, Invalid};

/// The members that have a place of their own, and those that say nothing here.
const KNOWN: &[&str] = &[
    "model",
    "input",
    "instructions",
    "max_output_tokens",
    "temperature",
    "top_p",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "user",
    "metadata",
    "service_tier",
    "stream",
    "background",
];

/// The members that name what a server of OpenAI's remembers.
const STATE: &[&str] = &["previous_response_id", "conversation", "prompt"];

/// Reads a request.
pub(in super::super) fn request(body: &[u8]) -> Result<Request, Invalid> {
    let object = Object::scan(body).map_err(|error| Invalid::new("", error.to_string()))?;
    let (o, root) = (&object, &Path::Root);
    stateless(o, root)?;
    let mut request = Request::new(Dialect::Responses);
    request.model = o.required_string(root, "model")?;
    let mut items = Items::default();
    if let Some(text) = o.string(root, "instructions")? {
        let turn = Turn::new(Role::System, vec![Block::text(text)]);
        items.push(turn, Place::Member("instructions"));
    }
    items.input(o, root)?;
    (request.turns, request.places) = (items.turns, items.places);
    tools::tools(o, root, &mut request)?;
    request.tool_choice = tools::choice(o, root)?;
    request.parallel_tools = o.bool(root, "parallel_tool_calls")?;
    request.sampling.temperature = o.number(root, "temperature")?;
    request.sampling.top_p = o.number(root, "top_p")?;
    request.output_limit = o
        .count(root, "max_output_tokens")?
        .map(|tokens| OutputLimit { tokens, name: None });
    request.metadata = o.raw_object(root, "metadata")?;
    request.service_tier = o.string(root, "service_tier")?;
    request.stream = o.bool(root, "stream")?.unwrap_or(false);
    request.include_usage = true;
    text(o, root, &mut request)?;
    reasoning(o, root, &mut request)?;
    include(o, root, &mut request)?;
    user(o, root, &mut request)?;
    rest(o, &mut request);
    Ok(request)
}

/// Refuses what needs state that is not kept here.
fn stateless(o: &Object<'_>, root: &Path<'_>) -> Result<(), Invalid> {
    for name in STATE {
        if o.has(name) {
            let message = format!(
                "\"{name}\" needs state that is not kept here; send the whole conversation as \"input\""
            );
            return Err(Invalid::new(*name, message));
        }
    }
    if o.bool(root, "background")? == Some(true) {
        let message = "\"background\" is not supported by the provider of this model".to_owned();
        return Err(Invalid::new("background", message));
    }
    Ok(())
}

fn text(o: &Object<'_>, root: &Path<'_>, request: &mut Request) -> Result<(), Invalid> {
    let Some(text) = o.object(root, "text")? else {
        return Ok(());
    };
    let path = root.member("text");
    if let Some(format) = text.object(&path, "format")? {
        request.format = Some(self::format(&format, &path.member("format"))?);
    }
    nested(&text, "text", &["format"], request);
    Ok(())
}

fn format(o: &Object<'_>, path: &Path<'_>) -> Result<Format, Invalid> {
    Ok(match &*o.required_string(path, "type")? {
        "text" => Format::Text,
        "json_object" => Format::Json,
        "json_schema" => Format::Schema(Schema {
            name: o.string(path, "name")?,
            description: o.string(path, "description")?,
            schema: o.raw_object(path, "schema")?,
            strict: o.bool(path, "strict")?,
        }),
        _ => Format::Opaque(Opaque {
            dialect: Dialect::Responses,
            raw: o.raw(),
        }),
    })
}

/// Reads `reasoning`; who asks for a summary wants to see the thoughts.
fn reasoning(o: &Object<'_>, root: &Path<'_>, request: &mut Request) -> Result<(), Invalid> {
    let Some(object) = o.object(root, "reasoning")? else {
        return Ok(());
    };
    let path = root.member("reasoning");
    let mut reasoning = Reasoning::default();
    match object.text(&path, "effort")?.as_deref() {
        None => {}
        Some("none") => reasoning.mode = ReasoningMode::Off,
        Some(word) => reasoning.effort = Some(Effort::read(word)),
    }
    let summary = object.text(&path, "summary")?.is_some();
    let older = object.text(&path, "generate_summary")?.is_some();
    reasoning.visible = (summary || older).then_some(true);
    if reasoning != Reasoning::default() {
        request.reasoning = Some(reasoning);
    }
    let known = ["effort", "summary", "generate_summary"];
    nested(&object, "reasoning", &known, request);
    Ok(())
}

/// Reads `include` and `top_logprobs`. The signatures of thinking are always told.
fn include(o: &Object<'_>, root: &Path<'_>, request: &mut Request) -> Result<(), Invalid> {
    let path = root.member("include");
    let mut other = false;
    for (index, word) in o.items(root, "include")?.enumerate() {
        let word = word
            .as_str()
            .ok_or_else(|| path.index(index).wrong_type("a string"))?;
        match &*word {
            "message.output_text.logprobs" => request.sampling.logprobs = Some(true),
            "reasoning.encrypted_content" => {}
            _ => other = true,
        }
    }
    if let Some(value) = o.get("include").filter(|_| other) {
        keep(request, "include", &value, false);
    }
    let top = o.count(root, "top_logprobs")?;
    match request.sampling.logprobs {
        Some(true) => request.sampling.top_logprobs = top,
        // Nothing is told of them.
        _ => {
            if let Some(value) = o.get("top_logprobs").filter(|_| top != Some(0)) {
                keep(request, "top_logprobs", &value, false);
            }
        }
    }
    Ok(())
}

/// Reads `user`, or else `safety_identifier`, which is the newer word for it.
fn user(o: &Object<'_>, root: &Path<'_>, request: &mut Request) -> Result<(), Invalid> {
    request.user = o.string(root, "user")?;
    let newer = o.string(root, "safety_identifier")?;
    match (&request.user, o.get("safety_identifier")) {
        (Some(_), Some(value)) => keep(request, "safety_identifier", &value, false),
        _ => request.user = request.user.take().or(newer),
    }
    Ok(())
}

fn rest(o: &Object<'_>, request: &mut Request) {
    for (name, value) in o.members() {
        let taken = [
            "text",
            "reasoning",
            "include",
            "top_logprobs",
            "safety_identifier",
        ];
        let silent = match (&*name, value.as_bool()) {
            ("store", Some(false)) => true,
            ("truncation", _) => value.as_str().as_deref() == Some("disabled"),
            _ => false,
        };
        if silent || KNOWN.contains(&&*name) || taken.contains(&&*name) {
            continue;
        }
        if let Some(options) = value.as_object().filter(|_| name == "stream_options") {
            // Without padding nothing is lost.
            let padded = |(member, value): &(_, Value<'_>)| {
                *member != "include_obfuscation" || value.as_bool() != Some(false)
            };
            for (member, value) in options.members().filter(padded) {
                keep(request, &format!("stream_options.{member}"), &value, false);
            }
            continue;
        }
        keep(request, &name, &value, name == "moderation");
    }
}

/// Keeps the members of a member that have no place of their own.
fn nested(o: &Object<'_>, outer: &str, known: &[&str], request: &mut Request) {
    for (name, value) in o.members() {
        if !known.contains(&&*name) {
            keep(request, &format!("{outer}.{name}"), &value, false);
        }
    }
}

fn keep(request: &mut Request, name: &str, value: &Value<'_>, shapes: bool) {
    request.rest.push(Extra {
        name: name.to_owned(),
        value: value.raw(),
        shapes,
    });
}
