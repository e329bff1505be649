//! A whole answer.

use std::borrow::Cow;

use crate::error::{ResponseError, error_member, refusal};
use crate::{Envelope, Kind, ScanErrorKind, Usage, elements, openai};

/// What the gateway wants to know of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseFacts {
    /// The tokens, if the answer tells.
    pub usage: Option<Usage>,
    /// The provider's id of the answer.
    pub id: Option<String>,
    /// The model that answered, in the provider's words.
    pub model: Option<String>,
    /// Why the first choice ended, in the provider's words.
    pub finish_reason: Option<String>,
}

/// Reads an answer to a chat completion, completion or embedding; white space before it is skipped.
///
/// # Errors
/// See [`ResponseError`].
pub fn read_response(body: &[u8]) -> Result<ResponseFacts, ResponseError> {
    let envelope = Envelope::scan(body, &[]).map_err(|error| {
        let blank = error.kind == ScanErrorKind::Syntax && error.at == body.len();
        match blank && body.iter().all(u8::is_ascii_whitespace) {
            true => ResponseError::Empty,
            false => ResponseError::NotJson,
        }
    })?;
    if let Some(error) = error_member(body, &envelope) {
        return Err(ResponseError::InBand(refusal(body, error)));
    }
    let text = |name| {
        envelope
            .member(body, name)?
            .as_str(body)
            .map(Cow::into_owned)
    };
    Ok(ResponseFacts {
        usage: envelope
            .member(body, "usage")
            .and_then(|usage| openai::usage(usage.raw(body))),
        id: text("id"),
        model: text("model"),
        finish_reason: finish_reason(body, &envelope),
    })
}

fn finish_reason(body: &[u8], envelope: &Envelope) -> Option<String> {
    let choices = envelope
        .member(body, "choices")
        .filter(|choices| choices.kind == Kind::Array)?;
    let (first, _) = elements(body, choices.value.clone()).next()?;
    let choice = Envelope::scan_at(body, first).ok()?;
    let reason = choice.member(body, "finish_reason")?.as_str(body)?;
    Some(reason.into_owned())
}
