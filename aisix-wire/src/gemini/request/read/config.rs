//! `generationConfig`

use bytes::BytesMut;

use super::names::Names;
use super::{extra, tools};
use crate::chat::{
    Effort, Format, Opaque, OutputLimit, Raw, Reasoning, ReasoningMode, Request, Schema,
};
use crate::json::{Value, Writer};
use crate::{Dialect, Invalid, Kind};

/// The members without which an answer has another shape.
const SHAPES: &[&str] = &["responseModalities", "speechConfig", "imageConfig"];

pub(super) fn read(object: &Names<'_, '_>, request: &mut Request) -> Result<(), Invalid> {
    let Some(config) = object.object("generationConfig")? else {
        return Ok(());
    };
    let config = Names::new(config, object.at("generationConfig"));
    let number = |name| config.typed(name, "a number", Value::as_number);
    let count = |name| config.typed(name, "a non-negative integer", Value::as_u64);
    let sampling = &mut request.sampling;
    sampling.temperature = number("temperature")?;
    sampling.top_p = number("topP")?;
    sampling.top_k = number("topK")?;
    sampling.seed = number("seed")?;
    sampling.presence_penalty = number("presencePenalty")?;
    sampling.frequency_penalty = number("frequencyPenalty")?;
    sampling.n = count("candidateCount")?;
    sampling.logprobs = config.typed("responseLogprobs", "a boolean", Value::as_bool)?;
    sampling.top_logprobs = count("logprobs")?;
    let texts = |value: &Value<'_>| -> Option<Vec<String>> {
        value
            .items()?
            .map(|text| Some(text.as_str()?.into_owned()))
            .collect()
    };
    sampling.stop = config.typed("stopSequences", "an array of strings", texts)?;
    request.output_limit =
        count("maxOutputTokens")?.map(|tokens| OutputLimit { tokens, name: None });
    request.format = format(&config)?;
    request.reasoning = reasoning(&config)?;
    for (name, value) in config.others() {
        let shapes = SHAPES.contains(&name.as_str()) && !only_text(&value);
        request
            .rest
            .push(extra(format!("generationConfig.{name}"), value, shapes));
    }
    Ok(())
}

fn format(config: &Names<'_, '_>) -> Result<Option<Format>, Invalid> {
    let media_type = config.string("responseMimeType")?;
    let json = config.object("responseJsonSchema")?;
    let json = json.map(|schema| schema.raw());
    let openapi = config.object("responseSchema")?;
    let form = match media_type.as_deref() {
        Some("application/json") => {
            match json.or_else(|| openapi.as_ref().and_then(tools::from_openapi)) {
                None => Format::Json,
                schema => Format::Schema(Schema {
                    name: None,
                    description: None,
                    schema,
                    strict: None,
                }),
            }
        }
        None if json.is_none() && openapi.is_none() => return Ok(None),
        Some("text/plain") if json.is_none() && openapi.is_none() => Format::Text,
        // A list of words to choose from, or what is still to come.
        _ => {
            let mut out = BytesMut::new();
            Writer::new(&mut out).object(|w| {
                w.maybe_string("responseMimeType", media_type.as_deref());
                w.maybe_raw("responseJsonSchema", json.as_ref().map(Raw::as_str));
                let openapi = openapi.map(|schema| schema.raw());
                w.maybe_raw("responseSchema", openapi.as_ref().map(Raw::as_str));
            });
            let raw = std::str::from_utf8(&out).ok().and_then(Raw::parse);
            let dialect = Dialect::Gemini;
            return Ok(raw.map(|raw| Format::Opaque(Opaque { dialect, raw })));
        }
    };
    Ok(Some(form))
}

fn reasoning(config: &Names<'_, '_>) -> Result<Option<Reasoning>, Invalid> {
    let Some(thinking) = config.object("thinkingConfig")? else {
        return Ok(None);
    };
    let thinking = Names::new(thinking, config.at("thinkingConfig"));
    let budget = thinking.typed("thinkingBudget", "an integer", |value| {
        value.as_number()?.as_str().parse::<i64>().ok()
    })?;
    let level = thinking.string("thinkingLevel")?;
    let level = level.map(|level| level.to_ascii_lowercase());
    Ok(Some(Reasoning {
        mode: match budget.map(u64::try_from) {
            None => ReasoningMode::Unsaid,
            Some(Ok(0)) => ReasoningMode::Off,
            Some(Ok(tokens)) => ReasoningMode::Budget(tokens),
            Some(Err(_)) => ReasoningMode::Adaptive,
        },
        effort: level
            .filter(|level| level != "thinking_level_unspecified")
            .map(|level| Effort::read(&level)),
        visible: thinking.typed("includeThoughts", "a boolean", Value::as_bool)?,
    }))
}

/// Whether a list of modalities names nothing but text.
fn only_text(value: &Raw) -> bool {
    value.kind() == Kind::Array
        && value
            .as_str()
            .replace(' ', "")
            .eq_ignore_ascii_case("[\"text\"]")
}
