//! `generationConfig`

use bytes::BytesMut;

use super::{Scene, schemas, thinking};
use crate::chat::{Format, Member, Number, Schema};
use crate::gemini::response;
use crate::json::Writer;
use crate::{Dialect, Invalid};

/// How members of `generationConfig` are named that have no place of their own.
pub(super) const PREFIX: &str = "generationConfig.";

/// Writes `generationConfig`, unless there is nothing in it.
pub(super) fn write(w: &mut Writer<'_>, scene: &mut Scene<'_>) -> Result<(), Invalid> {
    let mut out = BytesMut::new();
    Writer::new(&mut out).object(|w| members(w, scene))?;
    let config = std::str::from_utf8(&out).unwrap_or("{}");
    if config != "{}" {
        w.name("generationConfig").raw(config);
    }
    Ok(())
}

fn members(w: &mut Writer<'_>, scene: &mut Scene<'_>) -> Result<(), Invalid> {
    let request = scene.request;
    let sampling = &request.sampling;
    let number = |w: &mut Writer<'_>, name, number: &Option<Number>| {
        w.maybe_raw(name, number.as_ref().map(Number::as_str));
    };
    number(w, "temperature", &sampling.temperature);
    number(w, "topP", &sampling.top_p);
    number(w, "topK", &sampling.top_k);
    w.maybe_number(
        "maxOutputTokens",
        request.output_limit.map(|limit| limit.tokens),
    );
    if let Some(stop) = &sampling.stop {
        w.name("stopSequences")
            .array(|w| stop.iter().for_each(|text| w.string(text)));
    }
    candidates_and_penalties(w, scene)?;
    match &sampling.seed {
        Some(seed) if seed.as_str().parse::<i32>().is_ok() => w.name("seed").raw(seed.as_str()),
        Some(_) => scene.losses.hint(scene.request.member(Member::Seed))?,
        None => {}
    }
    w.maybe_bool("responseLogprobs", sampling.logprobs);
    w.maybe_number("logprobs", sampling.top_logprobs);
    format(w, scene)?;
    thinking::write(w, scene)?;
    if scene.own() {
        for extra in &request.rest {
            if let Some(name) = extra.name.strip_prefix(PREFIX) {
                w.name(name).raw(extra.value.as_str());
            }
        }
    }
    Ok(())
}

/// Writes how many answers are wanted and what repetition costs, or reports what of it matters.
fn candidates_and_penalties(w: &mut Writer<'_>, scene: &mut Scene<'_>) -> Result<(), Invalid> {
    let sampling = &scene.request.sampling;
    let penalties = [
        (
            "presencePenalty",
            &sampling.presence_penalty,
            "presence_penalty",
        ),
        (
            "frequencyPenalty",
            &sampling.frequency_penalty,
            "frequency_penalty",
        ),
    ];
    // Who speaks the dialect knows the model.
    if scene.own() || scene.family.takes_candidates_and_penalties() {
        w.maybe_number("candidateCount", sampling.n);
        for (name, number, _) in penalties {
            w.maybe_raw(name, number.as_ref().map(Number::as_str));
        }
        return Ok(());
    }
    if sampling.n.is_some_and(|n| n > 1) {
        scene.losses.shape("n")?;
    }
    for (_, number, field) in penalties {
        let weighs = number.as_ref().and_then(Number::as_f64);
        if weighs.is_some_and(|number| number != 0.0) {
            scene.losses.hint(field)?;
        }
    }
    Ok(())
}

fn format(w: &mut Writer<'_>, scene: &mut Scene<'_>) -> Result<(), Invalid> {
    const JSON: &str = "application/json";
    match &scene.request.format {
        None => {}
        Some(Format::Text) => w.name("responseMimeType").string("text/plain"),
        Some(Format::Json) => w.name("responseMimeType").string(JSON),
        Some(Format::Schema(schema)) => {
            w.name("responseMimeType").string(JSON);
            let schema = response_schema(schema, scene)?;
            w.maybe_raw("responseJsonSchema", schema.as_deref());
        }
        Some(Format::Opaque(format)) if format.dialect == Dialect::Gemini => {
            response::splice(w, &format.raw);
        }
        Some(Format::Opaque(_)) => scene.losses.shape(scene.request.member(Member::Format))?,
    }
    Ok(())
}

/// The schema of an answer: what only narrows values is a hint, the rest is its shape.
fn response_schema(schema: &Schema, scene: &mut Scene<'_>) -> Result<Option<String>, Invalid> {
    let Some(raw) = &schema.schema else {
        return Ok(None);
    };
    let Some((text, cleaned)) = schemas::clean(raw) else {
        scene
            .losses
            .shape(scene.request.member(Member::FormatSchema))?;
        return Ok(None);
    };
    let name =
        |keyword: &String| format!("{}.{keyword}", scene.request.member(Member::FormatSchema));
    for keyword in &cleaned.broken {
        scene.losses.shape(&name(keyword))?;
    }
    for keyword in &cleaned.weakened {
        scene.losses.hint(&name(keyword))?;
    }
    let serde_json::Value::Object(mut object) = cleaned.schema else {
        return Ok(Some(text));
    };
    // What the schema is for has no other place.
    match &schema.description {
        Some(what) if !object.contains_key("description") && !object.contains_key("$ref") => {
            object.insert("description".to_owned(), what.as_str().into());
            Ok(Some(serde_json::Value::Object(object).to_string()))
        }
        _ => Ok(Some(text)),
    }
}
