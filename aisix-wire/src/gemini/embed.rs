//! Embeddings: asked in OpenAI's dialect, answered by Gemini.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};

use super::{meter, usage};
use crate::chat::{Losses, Number, OnUnsupported};
use crate::json::{Object, Path, Writer};
use crate::{Invalid, Kind, ResponseError, Usage};

/// A request for embeddings as it goes to `:batchEmbedContents`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbedRequest {
    /// The body.
    pub body: Bytes,
    /// The members that were dropped.
    pub dropped: Vec<String>,
    /// The form in which the caller wants the vectors.
    pub encoding: Encoding,
}

/// How vectors are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// As lists of numbers.
    #[default]
    Float,
    /// As base64 of packed 32-bit floats, the least significant byte first.
    Base64,
}

/// An answer to a request for embeddings, in OpenAI's dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbedResponse {
    /// The body.
    pub body: Bytes,
    /// The tokens, if Gemini tells; the body says 0 if it does not.
    pub usage: Option<Usage>,
}

/// Turns an OpenAI request for embeddings into one for `:batchEmbedContents` of `model`.
///
/// `dimensions` become `outputDimensionality`. Members that Gemini does not know are hints, see
/// [`OnUnsupported`].
///
/// # Errors
/// An `input` that is missing, empty, or made of token numbers, which mean nothing to another provider; an
/// unknown `encoding_format`.
pub fn write_embed_request(
    body: &[u8],
    model: &str,
    on_unsupported: OnUnsupported,
) -> Result<EmbedRequest, Invalid> {
    let not_json = |_| Invalid::new("", "the body is not a JSON object".to_owned());
    let request = Object::scan(body).map_err(not_json)?;
    let root = Path::Root;
    let inputs = inputs(&request)?;
    let encoding = match request.text(&root, "encoding_format")?.as_deref() {
        None | Some("float") => Encoding::Float,
        Some("base64") => Encoding::Base64,
        Some(_) => {
            return Err(root
                .member("encoding_format")
                .wrong_type("\"float\" or \"base64\""));
        }
    };
    let dimensions = request.count(&root, "dimensions")?;
    let mut losses = Losses::new(on_unsupported);
    for (name, _) in request.members() {
        if !["model", "input", "encoding_format", "dimensions"].contains(&&*name) {
            losses.hint(&name)?;
        }
    }
    let model = match model.strip_prefix("models/") {
        Some(_) => model.to_owned(),
        None => format!("models/{model}"),
    };
    let mut out = BytesMut::with_capacity(body.len() + inputs.len() * (model.len() + 64));
    Writer::new(&mut out).object(|w| {
        w.name("requests").array(|w| {
            for input in &inputs {
                w.object(|w| {
                    w.name("model").string(&model);
                    w.name("content").object(|w| {
                        w.name("parts")
                            .array(|w| w.object(|w| w.name("text").string(input)));
                    });
                    w.maybe_number("outputDimensionality", dimensions);
                });
            }
        });
    });
    Ok(EmbedRequest {
        body: out.freeze(),
        dropped: losses.into_dropped(),
        encoding,
    })
}

/// Turns Gemini's answer to `:batchEmbedContents` or `:embedContent` into OpenAI's list, in order.
///
/// `model` is the name the caller knows.
///
/// # Errors
/// See [`ResponseError`]; an answer without any vector is [`ResponseError::NotJson`].
pub fn write_embed_response(
    body: &[u8],
    model: &str,
    encoding: Encoding,
) -> Result<EmbedResponse, ResponseError> {
    let answer = meter::scan(body)?;
    let usage = answer
        .try_object("usageMetadata")
        .as_ref()
        .and_then(usage::read);
    let one = answer.try_object("embedding");
    let many = answer
        .try_items("embeddings")
        .filter_map(|item| item.as_object());
    let mut out = BytesMut::with_capacity(body.len() + 256);
    let mut vectors = 0;
    Writer::new(&mut out).object(|w| {
        w.name("object").string("list");
        w.name("data").array(|w| {
            for vector in many.chain(one) {
                w.object(|w| {
                    w.name("object").string("embedding");
                    w.name("index").number(vectors);
                    write_vector(w, &vector, encoding);
                });
                vectors += 1;
            }
        });
        w.name("model").string(model);
        let tokens = usage.map_or(0, |usage| usage.input_total());
        w.name("usage").object(|w| {
            w.name("prompt_tokens").number(tokens);
            w.name("total_tokens").number(tokens);
        });
    });
    if vectors == 0 {
        return Err(ResponseError::NotJson);
    }
    let body = out.freeze();
    Ok(EmbedResponse { body, usage })
}

/// The texts to embed.
fn inputs(request: &Object<'_>) -> Result<Vec<String>, Invalid> {
    let path = Path::Root;
    let path = path.member("input");
    let input = request.get("input").ok_or_else(|| path.missing())?;
    if let Some(text) = input.as_str() {
        return Ok(vec![text.into_owned()]);
    }
    let items = input
        .items()
        .ok_or_else(|| path.wrong_type("a string or an array"))?;
    let texts: Result<Vec<String>, Invalid> = items
        .enumerate()
        .map(|(index, item)| match item.as_str() {
            Some(text) => Ok(text.into_owned()),
            None if matches!(item.kind(), Kind::Number | Kind::Array) => Err(Invalid::new(
                "input",
                "\"input\" must be text: the provider of this model takes no token numbers"
                    .to_owned(),
            )),
            None => Err(path.index(index).wrong_type("a string")),
        })
        .collect();
    let texts = texts?;
    match texts.is_empty() {
        true => Err(Invalid::empty("input")),
        false => Ok(texts),
    }
}

fn write_vector(w: &mut Writer<'_>, vector: &Object<'_>, encoding: Encoding) {
    let numbers = vector
        .try_items("values")
        .filter_map(|value| value.as_number());
    w.name("embedding");
    match encoding {
        Encoding::Float => w.array(|w| numbers.for_each(|number| w.raw(number.as_str()))),
        Encoding::Base64 => {
            let packed: Vec<u8> = numbers
                .flat_map(|number| single(&number).to_le_bytes())
                .collect();
            w.string(&STANDARD.encode(packed));
        }
    }
}

/// The nearest 32-bit float.
fn single(number: &Number) -> f32 {
    number.as_str().parse().unwrap_or(0.0)
}
