//! Reading answers.

use bytes::BytesMut;

use crate::chat::{Choice, Content, Extra, Finish, FinishReason, Opaque, Raw, Response};
use crate::gemini::part::{self, Ids};
use crate::gemini::{finish, meter, usage};
use crate::json::{Object, Writer};
use crate::{Dialect, ResponseError};

/// How many candidates are read.
const MAX_CHOICES: usize = 128;

/// Reads an answer; a prompt that was blocked becomes one choice that says nothing.
pub(crate) fn read(body: &[u8]) -> Result<Response, ResponseError> {
    let answer = meter::scan(body)?;
    let mut response = Response::new(Dialect::Gemini);
    response.id = answer.try_string("responseId");
    response.model = answer.try_string("modelVersion");
    response.usage = answer
        .try_object("usageMetadata")
        .as_ref()
        .and_then(usage::read);
    let mut ids = Ids::new(response.id.clone(), body);
    let candidates = answer
        .try_items("candidates")
        .filter_map(|item| item.as_object());
    for (position, candidate) in candidates.take(MAX_CHOICES).enumerate() {
        response
            .choices
            .push(choice(&candidate, position, &mut ids));
    }
    if let (true, Some(reason)) = (response.choices.is_empty(), meter::block_reason(&answer)) {
        response.choices.push(Choice {
            index: 0,
            blocks: Vec::new(),
            finish: finish::blocked(&reason),
            logprobs: None,
        });
    }
    for (name, value) in answer.members() {
        if !["candidates", "usageMetadata", "modelVersion", "responseId"].contains(&&*name) {
            response.rest.push(Extra {
                name: name.into_owned(),
                value: value.raw(),
                shapes: false,
            });
        }
    }
    Ok(response)
}

fn choice(candidate: &Object<'_>, position: usize, ids: &mut Ids) -> Choice {
    let index = candidate
        .try_count("index")
        .and_then(|index| u32::try_from(index).ok());
    let content = candidate.try_object("content");
    let parts = content
        .iter()
        .flat_map(|content| content.try_items("parts"));
    let mut choice = Choice {
        index: index.or(u32::try_from(position).ok()).unwrap_or_default(),
        blocks: parts
            .filter_map(|part| part::read(&part.as_object()?, ids))
            .collect(),
        finish: Finish::new(FinishReason::Other, None),
        logprobs: logprobs(candidate),
    };
    let texts = choice.blocks.iter_mut().rev();
    let last = texts
        .map(|block| &mut block.content)
        .find_map(|content| match content {
            Content::Text { citations, .. } => Some(citations),
            _ => None,
        });
    if let Some(citations) = last {
        *citations = grounding(candidate);
    }
    let calls = choice.calls_tools();
    choice.finish = match candidate.try_text("finishReason") {
        Some(word) => finish::read(&word, calls),
        None => Finish::new(FinishReason::Other, None).with_calls(calls),
    };
    choice
}

/// How likely each token of a candidate was.
pub(crate) fn logprobs(candidate: &Object<'_>) -> Option<Opaque> {
    let raw = candidate.try_object("logprobsResult")?.raw();
    let dialect = Dialect::Gemini;
    Some(Opaque { dialect, raw })
}

/// Where the text of a candidate was taken from: an object of those members that tell.
pub(crate) fn grounding(candidate: &Object<'_>) -> Option<Opaque> {
    const MEMBERS: &[&str] = &[
        "citationMetadata",
        "groundingMetadata",
        "urlContextMetadata",
    ];
    let found = MEMBERS
        .iter()
        .filter_map(|name| Some((*name, candidate.try_object(name)?)));
    let mut found = found.peekable();
    found.peek()?;
    let mut out = BytesMut::new();
    Writer::new(&mut out).object(|w| {
        found.for_each(|(name, object)| w.name(name).raw(object.raw().as_str()));
    });
    let raw = Raw::parse(std::str::from_utf8(&out).ok()?)?;
    let dialect = Dialect::Gemini;
    Some(Opaque { dialect, raw })
}
