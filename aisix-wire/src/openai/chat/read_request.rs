//! Requests, the members of the body.

use super::{read_tools, read_turns};
use crate::chat::{
    Effort, Extra, Format, LimitName, Opaque, OutputLimit, Reasoning, ReasoningMode, Request,
    Sampling, Schema,
};
use crate::json::{Object, Path, Value};
use crate::{Dialect, Invalid, Kind};

/// The members that have a place of their own.
const KNOWN: &[&str] = &[
    "model",
    "messages",
    "max_completion_tokens",
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "n",
    "stop",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "stream",
    "stream_options",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "functions",
    "function_call",
    "response_format",
    "reasoning_effort",
    "user",
    "metadata",
    "service_tier",
];

pub(super) fn read(body: &[u8]) -> Result<Request, Invalid> {
    let object = Object::scan(body).map_err(|error| Invalid::new("", error.to_string()))?;
    let (o, root) = (&object, &Path::Root);
    let mut request = Request::new(Dialect::OpenAi);
    request.model = o.required_string(root, "model")?;
    (request.turns, request.places) = read_turns::turns(o, root)?;
    request.tools = read_tools::tools(o, root)?;
    request.tool_choice = read_tools::choice(o, root)?;
    request.parallel_tools = o.bool(root, "parallel_tool_calls")?;
    request.format = format(o, root)?;
    request.sampling = sampling(o, root)?;
    request.output_limit = output_limit(o, root)?;
    request.reasoning = reasoning(o, root)?;
    request.user = o.string(root, "user")?;
    request.metadata = o.raw_object(root, "metadata")?;
    request.service_tier = o.string(root, "service_tier")?;
    request.stream = o.bool(root, "stream")?.unwrap_or(false);
    if let Some(options) = o.object(root, "stream_options")? {
        let path = root.member("stream_options");
        request.include_usage = options.bool(&path, "include_usage")?.unwrap_or(false);
    }
    request.rest = rest(o);
    Ok(request)
}

fn sampling(o: &Object<'_>, root: &Path<'_>) -> Result<Sampling, Invalid> {
    Ok(Sampling {
        temperature: o.number(root, "temperature")?,
        top_p: o.number(root, "top_p")?,
        top_k: o.number(root, "top_k")?,
        seed: o.number(root, "seed")?,
        presence_penalty: o.number(root, "presence_penalty")?,
        frequency_penalty: o.number(root, "frequency_penalty")?,
        logit_bias: o.raw_object(root, "logit_bias")?,
        stop: stop(o, root)?,
        n: o.count(root, "n")?,
        logprobs: o.bool(root, "logprobs")?,
        top_logprobs: o.count(root, "top_logprobs")?,
    })
}

/// A text or a list of texts.
fn stop(o: &Object<'_>, root: &Path<'_>) -> Result<Option<Vec<String>>, Invalid> {
    const EXPECTED: &str = "a string or an array of strings";
    let Some(value) = o.get("stop") else {
        return Ok(None);
    };
    if let Some(one) = value.as_str() {
        return Ok(Some(vec![one.into_owned()]));
    }
    let path = root.member("stop");
    let items = value.items().ok_or_else(|| path.wrong_type(EXPECTED))?;
    let texts = items.map(|item| item.as_str().map(std::borrow::Cow::into_owned));
    let texts: Option<Vec<String>> = texts.collect();
    texts.map(Some).ok_or_else(|| path.wrong_type(EXPECTED))
}

fn output_limit(o: &Object<'_>, root: &Path<'_>) -> Result<Option<OutputLimit>, Invalid> {
    for name in [LimitName::MaxCompletionTokens, LimitName::MaxTokens] {
        if let Some(tokens) = o.count(root, name.as_str())? {
            let name = Some(name);
            return Ok(Some(OutputLimit { tokens, name }));
        }
    }
    Ok(None)
}

fn reasoning(o: &Object<'_>, root: &Path<'_>) -> Result<Option<Reasoning>, Invalid> {
    let Some(word) = o.text(root, "reasoning_effort")? else {
        return Ok(None);
    };
    let mut reasoning = Reasoning::default();
    match &*word {
        "none" => reasoning.mode = ReasoningMode::Off,
        word => reasoning.effort = Some(Effort::read(word)),
    }
    Ok(Some(reasoning))
}

fn format(o: &Object<'_>, root: &Path<'_>) -> Result<Option<Format>, Invalid> {
    let Some(format) = o.object(root, "response_format")? else {
        return Ok(None);
    };
    let path = root.member("response_format");
    let kind = format.required_string(&path, "type")?;
    Ok(Some(match kind.as_str() {
        "text" => Format::Text,
        "json_object" => Format::Json,
        "json_schema" => {
            let outer = path.member("json_schema");
            let schema = format
                .object(&path, "json_schema")?
                .ok_or_else(|| outer.missing())?;
            Format::Schema(Schema {
                name: schema.string(&outer, "name")?,
                description: schema.string(&outer, "description")?,
                schema: schema.raw_object(&outer, "schema")?,
                strict: schema.bool(&outer, "strict")?,
            })
        }
        _ => Format::Opaque(Opaque {
            dialect: Dialect::OpenAi,
            raw: format.raw(),
        }),
    }))
}

fn rest(o: &Object<'_>) -> Vec<Extra> {
    let mut rest: Vec<Extra> = Vec::new();
    for (name, value) in o.members() {
        let plain = name == "stream_options" && !has_other_options(&value);
        if plain || name != "stream_options" && KNOWN.contains(&&*name) {
            continue;
        }
        let extra = Extra {
            shapes: shapes(&name, &value),
            name: name.into_owned(),
            value: value.raw(),
        };
        // Of a repeated member the last one holds.
        match rest.iter_mut().find(|known| known.name == extra.name) {
            Some(known) => *known = extra,
            None => rest.push(extra),
        }
    }
    rest
}

fn has_other_options(value: &Value<'_>) -> bool {
    let Some(options) = value.as_object() else {
        return false;
    };
    options.members().any(|(name, _)| name != "include_usage")
}

/// Whether the answer has another shape without this member.
fn shapes(name: &str, value: &Value<'_>) -> bool {
    match name {
        "modalities" => value
            .items()
            .is_some_and(|mut items| items.any(|item| item.as_str().as_deref() != Some("text"))),
        "web_search_options" => value.kind() == Kind::Object,
        _ => false,
    }
}
