//! A request for a provider.

use std::borrow::Cow;

use bytes::BytesMut;

use super::thinking::Thinking;
use super::turns::Plan;
use super::{schemas, tools};
use crate::anthropic::models::Generation;
use crate::chat::{Format, Losses, Member, Number, Raw, Request, Schema, WriteOptions, Written};
use crate::json::Writer;
use crate::{Dialect, Invalid};

/// What a model is told that is to answer in JSON without a schema.
const JSON_ONLY: &str =
    "Answer with one valid JSON object and nothing else: no text around it and no code fence.";

/// What the names of members begin with that stand inside of others.
const NESTED: &[&str] = &["tools.", "thinking.", "output_config."];

/// Writes a request.
pub(in super::super) fn request(
    request: &Request,
    options: &WriteOptions<'_>,
) -> Result<Written, Invalid> {
    let generation = Generation::of(options.model);
    let mut losses = Losses::new(options.on_unsupported);
    losses.rest(request, Dialect::Anthropic)?;
    let plan = Plan::new(request, &mut losses)?;
    let offered = tools::offered(request, &mut losses)?;
    let thinking = Thinking::new(request, options, &plan, &mut losses)?;
    let form = form(request, options, &mut losses)?;
    let mut out = BytesMut::with_capacity(1024);
    Writer::new(&mut out).object(|w| {
        w.name("model").string(options.model);
        w.name("max_tokens").number(thinking.max_tokens);
        let json_only = matches!(form, Form::Instruct).then_some(JSON_ONLY);
        plan.write_system(w, json_only);
        w.name("messages").array(|w| plan.write_messages(w));
        tools::tools(w, request, &offered, &mut losses)?;
        tools::tool_choice(w, request, &offered, generation, &mut losses)?;
        sampling(w, request, options, &thinking, &mut losses)?;
        thinking.write(w, &nested(request, "thinking."));
        output_config(w, request, &thinking, &form);
        metadata(w, request, &mut losses)?;
        service_tier(w, request, &mut losses)?;
        w.maybe_raw("cache_control", request.cache.as_ref().map(Raw::as_str));
        if request.stream {
            w.name("stream").bool(true);
        }
        if request.dialect == Dialect::Anthropic {
            let inside = |name: &str| NESTED.iter().any(|prefix| name.starts_with(prefix));
            let whole = request.rest.iter().filter(|extra| !inside(&extra.name));
            whole.for_each(|extra| w.name(&extra.name).raw(extra.value.as_str()));
        }
        Ok(())
    })?;
    Ok(Written {
        body: out.freeze(),
        dropped: losses.into_dropped(),
    })
}

/// The form of the answer's text, in the dialect's words.
enum Form<'a> {
    Free,
    Instruct,
    Schema(Cow<'a, str>),
    Own(&'a Raw),
}

fn form<'a>(
    request: &'a Request,
    options: &WriteOptions<'_>,
    losses: &mut Losses,
) -> Result<Form<'a>, Invalid> {
    let field = request.member(Member::Format);
    Ok(match &request.format {
        None | Some(Format::Text) => Form::Free,
        Some(Format::Json | Format::Schema(Schema { schema: None, .. })) => Form::Instruct,
        Some(Format::Schema(Schema {
            schema: Some(schema),
            ..
        })) => {
            if Generation::of(options.model).takes_schemas() {
                Form::Schema(held_to(request, schema, losses)?)
            } else {
                losses.shape(field)?;
                Form::Instruct
            }
        }
        Some(Format::Opaque(opaque)) if opaque.dialect == Dialect::Anthropic => {
            Form::Own(&opaque.raw)
        }
        Some(Format::Opaque(_)) => {
            losses.shape(field)?;
            Form::Free
        }
    })
}

/// The schema in keywords that the dialect accepts; a caller of its own knows them.
fn held_to<'a>(
    request: &Request,
    schema: &'a Raw,
    losses: &mut Losses,
) -> Result<Cow<'a, str>, Invalid> {
    if request.dialect == Dialect::Anthropic {
        return Ok(Cow::Borrowed(schema.as_str()));
    }
    let field = request.member(Member::FormatSchema);
    let fitted = schemas::fit(schema.as_str());
    for keyword in &fitted.broken {
        losses.shape(&format!("{field}.{keyword}"))?;
    }
    for keyword in &fitted.weakened {
        losses.hint(&format!("{field}.{keyword}"))?;
    }
    Ok(fitted.text)
}

/// Writes what decides how the answer is drawn, as far as the model and its thinking allow.
fn sampling(
    w: &mut Writer<'_>,
    request: &Request,
    options: &WriteOptions<'_>,
    thinking: &Thinking,
    losses: &mut Losses,
) -> Result<(), Invalid> {
    let sampling = &request.sampling;
    let field = |member| request.member(member);
    let takes = Generation::of(options.model).takes_sampling();
    let temperature = sampling.temperature.as_ref();
    let neutral = |number: &Number| number.as_f64() == Some(1.0);
    if let Some(number) = temperature {
        if takes && (!thinking.thinks() || neutral(number)) {
            w.name("temperature").raw(&clamped(number));
        } else if !neutral(number) {
            losses.hint(field(Member::Temperature))?;
        }
    }
    if let Some(number) = &sampling.top_p {
        let high = number.as_f64().is_some_and(|share| share >= 0.95);
        if takes && temperature.is_none() && (!thinking.thinks() || high) {
            w.name("top_p").raw(number.as_str());
        } else if !neutral(number) {
            losses.hint(field(Member::TopP))?;
        }
    }
    if let Some(number) = &sampling.top_k {
        match whole(number).filter(|_| takes && !thinking.thinks()) {
            Some(count) => w.name("top_k").number(count),
            None => losses.hint(field(Member::TopK))?,
        }
    }
    let stop = sampling.stop.as_deref().unwrap_or_default();
    let (said, blank): (Vec<_>, Vec<_>) = stop.iter().partition(|text| !text.trim().is_empty());
    if !blank.is_empty() {
        losses.hint(field(Member::Stop))?;
    }
    if !said.is_empty() {
        w.name("stop_sequences").array(|w| {
            said.iter().for_each(|text| w.string(text));
        });
    }
    unsaid(request, losses)
}

/// What the dialect has no words for at all.
fn unsaid(request: &Request, losses: &mut Losses) -> Result<(), Invalid> {
    let sampling = &request.sampling;
    let field = |member| request.member(member);
    if sampling.n.is_some_and(|n| n > 1) {
        losses.shape(field(Member::Count))?;
    }
    if sampling.logprobs == Some(true) {
        losses.shape(field(Member::Logprobs))?;
    }
    if sampling.seed.is_some() {
        losses.hint(field(Member::Seed))?;
    }
    let weighs = |number: &Option<Number>| {
        let number = number.as_ref().and_then(Number::as_f64);
        number.is_some_and(|number| number != 0.0)
    };
    if weighs(&sampling.presence_penalty) {
        losses.hint(field(Member::PresencePenalty))?;
    }
    if weighs(&sampling.frequency_penalty) {
        losses.hint(field(Member::FrequencyPenalty))?;
    }
    if sampling.logit_bias.is_some() {
        losses.hint(field(Member::LogitBias))?;
    }
    Ok(())
}

fn output_config(w: &mut Writer<'_>, request: &Request, thinking: &Thinking, form: &Form<'_>) {
    let more = nested(request, "output_config.");
    let formed = matches!(form, Form::Schema(_) | Form::Own(_));
    if thinking.effort().is_none() && !formed && more.is_empty() {
        return;
    }
    w.name("output_config").object(|w| {
        w.maybe_string("effort", thinking.effort());
        match form {
            Form::Schema(schema) => w.name("format").object(|w| {
                w.name("type").string("json_schema");
                w.name("schema").raw(schema);
            }),
            Form::Own(format) => w.name("format").raw(format.as_str()),
            Form::Free | Form::Instruct => {}
        }
        for (name, value) in more {
            w.name(name).raw(value);
        }
    });
}

fn metadata(w: &mut Writer<'_>, request: &Request, losses: &mut Losses) -> Result<(), Invalid> {
    match (&request.metadata, &request.user) {
        (Some(metadata), _) if request.dialect == Dialect::Anthropic => {
            w.name("metadata").raw(metadata.as_str());
            return Ok(());
        }
        (Some(_), _) => losses.hint(request.member(Member::Metadata))?,
        (None, _) => {}
    }
    if let Some(user) = &request.user {
        w.name("metadata").object(|w| {
            w.name("user_id").string(user);
        });
    }
    Ok(())
}

fn service_tier(w: &mut Writer<'_>, request: &Request, losses: &mut Losses) -> Result<(), Invalid> {
    match request.service_tier.as_deref() {
        None => {}
        Some(tier) if request.dialect == Dialect::Anthropic => {
            w.name("service_tier").string(tier);
        }
        Some("auto") => w.name("service_tier").string("auto"),
        Some("default") => w.name("service_tier").string("standard_only"),
        Some(_) => losses.hint(request.member(Member::ServiceTier))?,
    }
    Ok(())
}

/// The members of the rest that stand inside of another, by their names there.
fn nested<'a>(request: &'a Request, prefix: &str) -> Vec<(&'a str, &'a str)> {
    if request.dialect != Dialect::Anthropic {
        return Vec::new();
    }
    let inside = request.rest.iter().filter_map(|extra| {
        let name = extra.name.strip_prefix(prefix)?;
        Some((name, extra.value.as_str()))
    });
    inside.collect()
}

/// A temperature between 0 and 1; one that is, keeps its text.
fn clamped(number: &Number) -> String {
    match number.as_f64() {
        Some(value) if value < 0.0 => String::from("0"),
        Some(value) if value <= 1.0 => number.as_str().to_owned(),
        _ => String::from("1"),
    }
}

/// A count, also when it is written as a float.
fn whole(number: &Number) -> Option<u64> {
    number.as_u64().or_else(|| {
        let value = number.as_f64()?;
        // The cast saturates; what is no count has been sorted out.
        (value >= 0.0 && value.fract() == 0.0).then_some(value as u64)
    })
}
