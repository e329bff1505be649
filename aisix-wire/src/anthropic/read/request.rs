//! A request that a caller sent.

use super::{block, tools};
use crate::chat::{
    Effort, Extra, Format, Opaque, OutputLimit, Reasoning, ReasoningMode, Request, Role, Schema,
    Turn,
};
use crate::json::{Object, Path};
use crate::{Dialect, Invalid, Kind};

/// The members of the body that have a place in the neutral form.
const KNOWN: &[&str] = &[
    "model",
    "messages",
    "system",
    "max_tokens",
    "stop_sequences",
    "stream",
    "temperature",
    "top_p",
    "top_k",
    "metadata",
    "service_tier",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "cache_control",
];

/// The members without which the answer has another shape.
const SHAPING: &[&str] = &["mcp_servers", "container", "output_format"];

/// Reads a request.
pub(in super::super) fn request(bytes: &[u8]) -> Result<Request, Invalid> {
    let body = Object::scan(bytes).map_err(|error| Invalid::new("", error.to_string()))?;
    let root = Path::Root;
    refuse_thread(&body)?;
    let mut request = Request::new(Dialect::Anthropic);
    request.model = body.required_string(&root, "model")?;
    request.output_limit = body
        .count(&root, "max_tokens")?
        .map(|tokens| OutputLimit { tokens, name: None });
    turns(&body, &mut request)?;
    tools::tools(&body, &root, &mut request)?;
    tools::tool_choice(&body, &root, &mut request)?;
    sampling(&body, &mut request)?;
    thinking(&body, &mut request)?;
    output_config(&body, &mut request)?;
    metadata(&body, &mut request)?;
    request.service_tier = body.string(&root, "service_tier")?;
    request.cache = body.raw_object(&root, "cache_control")?;
    request.stream = body.bool(&root, "stream")?.unwrap_or(false);
    request.include_usage = true;
    for (name, value) in body.members() {
        if !KNOWN.contains(&name.as_ref()) {
            request.rest.push(Extra {
                shapes: SHAPING.contains(&name.as_ref()),
                name: name.into_owned(),
                value: value.raw(),
            });
        }
    }
    Ok(request)
}

/// Refuses `thread`, by which Anthropic keeps the conversation and is sent only what is new. In these words,
/// the SDKs begin again without it.
fn refuse_thread(body: &Object<'_>) -> Result<(), Invalid> {
    if !body.has("thread") {
        return Ok(());
    }
    let message = "\"thread\" is not supported by the provider of this model".to_owned();
    Err(Invalid::new("thread", message).with_code("thread_unsupported_request"))
}

fn turns(body: &Object<'_>, request: &mut Request) -> Result<(), Invalid> {
    let root = Path::Root;
    if let Some(system) = body.get("system") {
        let blocks = block::blocks(&system, &root.member("system"))?;
        if !blocks.is_empty() {
            request.turns.push(Turn::new(Role::System, blocks));
        }
    }
    let path = root.member("messages");
    if !body.has("messages") {
        return Err(path.missing());
    }
    for (index, item) in body.items(&root, "messages")?.enumerate() {
        let path = path.index(index);
        let item = item
            .as_object()
            .ok_or_else(|| path.wrong_type("an object"))?;
        let role = match item.required_string(&path, "role")?.as_str() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            _ => {
                return Err(path.member("role").wrong_type("\"user\" or \"assistant\""));
            }
        };
        let path = path.member("content");
        let content = item.get("content").ok_or_else(|| path.missing())?;
        let blocks = block::blocks(&content, &path)?;
        request.turns.push(Turn::new(role, blocks));
    }
    Ok(())
}

fn sampling(body: &Object<'_>, request: &mut Request) -> Result<(), Invalid> {
    let root = Path::Root;
    let sampling = &mut request.sampling;
    sampling.temperature = body.number(&root, "temperature")?;
    sampling.top_p = body.number(&root, "top_p")?;
    sampling.top_k = body.number(&root, "top_k")?;
    if body.has("stop_sequences") {
        let path = root.member("stop_sequences");
        let texts = body
            .items(&root, "stop_sequences")?
            .enumerate()
            .map(|(index, item)| {
                let text = item.as_str().map(std::borrow::Cow::into_owned);
                text.ok_or_else(|| path.index(index).wrong_type("a string"))
            });
        sampling.stop = Some(texts.collect::<Result<_, _>>()?);
    }
    Ok(())
}

/// Reads `thinking`; a kind that is not known here is kept whole in the rest.
fn thinking(body: &Object<'_>, request: &mut Request) -> Result<(), Invalid> {
    let Some(thinking) = body.object(&Path::Root, "thinking")? else {
        return Ok(());
    };
    let path = Path::Root.member("thinking");
    let mode = match thinking.required_string(&path, "type")?.as_str() {
        "enabled" => ReasoningMode::Budget(
            thinking
                .count(&path, "budget_tokens")?
                .ok_or_else(|| path.member("budget_tokens").missing())?,
        ),
        "adaptive" => ReasoningMode::Adaptive,
        // The second is the first for models that cannot stop altogether.
        "disabled" | "between_tools" => ReasoningMode::Off,
        _ => {
            keep(request, "thinking", &thinking);
            return Ok(());
        }
    };
    let mut visible = None;
    for (name, value) in thinking.members() {
        match (name.as_ref(), value.as_str().as_deref()) {
            ("type" | "budget_tokens", _) => {}
            ("display", Some("summarized")) => visible = Some(true),
            ("display", Some("omitted")) => visible = Some(false),
            _ => request.rest.push(Extra {
                name: format!("thinking.{name}"),
                value: value.raw(),
                shapes: false,
            }),
        }
    }
    request.reasoning = Some(Reasoning {
        mode,
        effort: None,
        visible,
    });
    Ok(())
}

fn output_config(body: &Object<'_>, request: &mut Request) -> Result<(), Invalid> {
    let Some(config) = body.object(&Path::Root, "output_config")? else {
        return Ok(());
    };
    let path = Path::Root.member("output_config");
    if let Some(effort) = config.text(&path, "effort")? {
        let reasoning = request.reasoning.get_or_insert_default();
        reasoning.effort = Some(Effort::read(&effort));
    }
    if let Some(format) = config.object(&path, "format")? {
        let path = path.member("format");
        let kind = format.required_string(&path, "type")?;
        request.format = Some(match kind.as_str() {
            "json_schema" => Format::Schema(Schema {
                name: None,
                description: None,
                schema: format.raw_object(&path, "schema")?,
                strict: None,
            }),
            _ => Format::Opaque(Opaque {
                dialect: Dialect::Anthropic,
                raw: format.raw(),
            }),
        });
    }
    for (name, value) in config.members() {
        if !matches!(name.as_ref(), "effort" | "format") {
            request.rest.push(Extra {
                name: format!("output_config.{name}"),
                value: value.raw(),
                shapes: false,
            });
        }
    }
    Ok(())
}

/// Reads `metadata`: the user, or the whole object when it says more.
fn metadata(body: &Object<'_>, request: &mut Request) -> Result<(), Invalid> {
    let Some(metadata) = body.object(&Path::Root, "metadata")? else {
        return Ok(());
    };
    request.user = metadata.string(&Path::Root.member("metadata"), "user_id")?;
    let known = |name: &str, kind| name == "user_id" && kind == Kind::String;
    let more = metadata
        .members()
        .any(|(name, value)| !known(&name, value.kind()));
    if more {
        request.metadata = Some(metadata.raw());
    }
    Ok(())
}

fn keep(request: &mut Request, name: &str, object: &Object<'_>) {
    request.rest.push(Extra {
        name: name.to_owned(),
        value: object.raw(),
        shapes: false,
    });
}
