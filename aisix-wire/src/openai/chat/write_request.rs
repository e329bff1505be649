//! Requests for an upstream, the members of the body.

use bytes::BytesMut;

use super::{write_tools, write_turns};
use crate::chat::{
    Effort, Format, Losses, Member, Number, OutputLimit, Raw, Reasoning, ReasoningMode, Request,
    Schema, WriteOptions, Written,
};
use crate::json::{Object, Writer};
use crate::{Dialect, Invalid};

pub(super) fn write(request: &Request, options: &WriteOptions<'_>) -> Result<Written, Invalid> {
    let mut losses = Losses::new(options.on_unsupported);
    let mut body = BytesMut::with_capacity(4096);
    let mut w = Writer::new(&mut body);
    w.object(|w| {
        w.name("model").string(options.model);
        write_turns::write(w, request, options, &mut losses)?;
        write_tools::write(w, request, &mut losses)?;
        format(w, request, &mut losses)?;
        sampling(w, request, &mut losses)?;
        output_limit(w, request.output_limit, options);
        if let Some(reasoning) = &request.reasoning {
            self::reasoning(w, reasoning, request.dialect);
        }
        who(w, request, &mut losses)?;
        if request.stream {
            w.name("stream").bool(true);
        }
        rest(w, request, &mut losses)
    })?;
    Ok(Written {
        body: body.freeze(),
        dropped: losses.into_dropped(),
    })
}

fn sampling(w: &mut Writer<'_>, request: &Request, losses: &mut Losses) -> Result<(), Invalid> {
    let s = &request.sampling;
    let mut number = |name, number: &Option<Number>| {
        w.maybe_raw(name, number.as_ref().map(Number::as_str));
    };
    number("temperature", &s.temperature);
    number("top_p", &s.top_p);
    number("seed", &s.seed);
    number("presence_penalty", &s.presence_penalty);
    number("frequency_penalty", &s.frequency_penalty);
    match (&s.top_k, request.dialect) {
        (None, _) => {}
        // Some servers of this dialect know it: a caller who says it means it.
        (top_k, Dialect::OpenAi) => number("top_k", top_k),
        _ => losses.hint(request.member(Member::TopK))?,
    }
    w.maybe_raw("logit_bias", s.logit_bias.as_ref().map(Raw::as_str));
    if let Some(stop) = &s.stop {
        w.name("stop")
            .array(|w| stop.iter().for_each(|text| w.string(text)));
    }
    w.maybe_number("n", s.n);
    w.maybe_bool("logprobs", s.logprobs);
    w.maybe_number("top_logprobs", s.top_logprobs);
    Ok(())
}

fn output_limit(w: &mut Writer<'_>, limit: Option<OutputLimit>, options: &WriteOptions<'_>) {
    if let Some(limit) = limit {
        let name = limit.name.unwrap_or(options.limit_name);
        w.name(name.as_str()).number(limit.tokens);
    }
}

/// Models that do not think refuse any effort, so none is made up, and callers of other dialects who
/// want no thinking get what the model does by itself.
fn reasoning(w: &mut Writer<'_>, reasoning: &Reasoning, dialect: Dialect) {
    let effort = match (reasoning.mode, &reasoning.effort) {
        (ReasoningMode::Off, _) => {
            if dialect == Dialect::OpenAi {
                w.name("reasoning_effort").string("none");
            }
            return;
        }
        (_, Some(effort)) => effort.clone(),
        (ReasoningMode::Budget(tokens), None) => Effort::of_budget(tokens),
        (ReasoningMode::Unsaid | ReasoningMode::Adaptive, None) => return,
    };
    w.name("reasoning_effort").string(effort.as_str());
}

fn format(w: &mut Writer<'_>, request: &Request, losses: &mut Losses) -> Result<(), Invalid> {
    let plain = |w: &mut Writer<'_>, kind| {
        w.name("response_format")
            .object(|w| w.name("type").string(kind));
    };
    match &request.format {
        None => {}
        Some(Format::Text) => plain(w, "text"),
        Some(Format::Json) => plain(w, "json_object"),
        Some(Format::Schema(schema)) => w.name("response_format").object(|w| {
            w.name("type").string("json_schema");
            w.name("json_schema")
                .object(|w| self::schema(w, schema, request.dialect));
        }),
        Some(Format::Opaque(opaque)) if opaque.dialect == Dialect::OpenAi => {
            w.name("response_format").raw(opaque.raw.as_str());
        }
        Some(Format::Opaque(_)) => losses.shape(request.member(Member::Format))?,
    }
    Ok(())
}

fn schema(w: &mut Writer<'_>, schema: &Schema, dialect: Dialect) {
    // A name is demanded here; other dialects have none.
    let made_up = (dialect != Dialect::OpenAi).then_some("answer");
    w.maybe_string("name", schema.name.as_deref().or(made_up));
    w.maybe_string("description", schema.description.as_deref());
    w.maybe_raw("schema", schema.schema.as_ref().map(Raw::as_str));
    w.maybe_bool("strict", schema.strict);
}

/// Who asks, for whose records, and how dear.
fn who(w: &mut Writer<'_>, request: &Request, losses: &mut Losses) -> Result<(), Invalid> {
    let same = request.dialect == Dialect::OpenAi;
    w.maybe_string("user", request.user.as_deref());
    match &request.metadata {
        Some(metadata) if same => w.name("metadata").raw(metadata.as_str()),
        Some(_) => losses.hint(request.member(Member::Metadata))?,
        None => {}
    }
    match request.service_tier.as_deref() {
        Some(tier) if same || tier == "auto" => w.name("service_tier").string(tier),
        Some(_) => losses.hint(request.member(Member::ServiceTier))?,
        None => {}
    }
    if request.cache.is_some() {
        losses.note(request.member(Member::Cache));
    }
    Ok(())
}

fn rest(w: &mut Writer<'_>, request: &Request, losses: &mut Losses) -> Result<(), Invalid> {
    losses.rest(request, Dialect::OpenAi)?;
    let same = request.dialect == Dialect::OpenAi;
    let rest = request.rest.iter().filter(|_| same);
    let mut options = None;
    for extra in rest {
        match extra.name.as_str() {
            "stream_options" => options = Some(&extra.value),
            name => w.name(name).raw(extra.value.as_str()),
        }
    }
    let usage = request.stream && request.include_usage;
    if usage || options.is_some() {
        w.name("stream_options").object(|w| {
            if usage || request.include_usage {
                w.name("include_usage").bool(true);
            }
            let raw = options.map(Raw::as_bytes).unwrap_or_default();
            let Ok(object) = Object::scan(raw) else {
                return;
            };
            for (name, value) in object.members() {
                if name != "include_usage" {
                    w.name(&name).raw(value.raw().as_str());
                }
            }
        });
    }
    Ok(())
}
