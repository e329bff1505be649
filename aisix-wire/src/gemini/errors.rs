//! What a refusal says beside its message.

use std::time::Duration;

use crate::error::{error_member, refusal};
use crate::json::{Object, Value};
use crate::{Refusal, elements};

/// How long to wait before trying again: the `retryDelay` of an error's `RetryInfo`.
///
/// Gemini rarely sends a `retry-after`, so one is made of this. Understands the error as an object and
/// wrapped in an array. `None` when the body is no such error, or does not say.
pub fn retry_delay(body: &[u8]) -> Option<Duration> {
    let details = details(body)?;
    let info = detail(details, "google.rpc.RetryInfo")?;
    seconds(&info.try_text("retryDelay")?)
}

/// Google's finer word for an error, like `API_KEY_INVALID`: the `reason` of its `ErrorInfo`.
///
/// A bad API key is refused with a status of 400, and only this tells it from a bad request.
pub fn error_reason(body: &[u8]) -> Option<String> {
    detail(details(body)?, "google.rpc.ErrorInfo")?.try_string("reason")
}

/// The error that an answer is, if it is one.
pub(super) fn of_answer(answer: &Object<'_>) -> Option<Refusal> {
    let error = error_member(answer.bytes(), answer.envelope())?;
    Some(refusal(answer.bytes(), error))
}

/// The error in something that is no object: it may be wrapped in an array.
pub(super) fn of_array(data: &[u8]) -> Option<Refusal> {
    of_answer(&outermost(data)?)
}

fn details(body: &[u8]) -> Option<impl Iterator<Item = Value<'_>>> {
    let error = outermost(body)?.try_object("error")?;
    Some(error.try_items("details"))
}

fn detail<'a>(details: impl Iterator<Item = Value<'a>>, kind: &str) -> Option<Object<'a>> {
    details
        .filter_map(|detail| detail.as_object())
        .find(|detail| {
            detail
                .try_text("@type")
                .is_some_and(|name| name.ends_with(kind))
        })
}

/// The object that a document is, or the first one of the array that it is.
fn outermost(body: &[u8]) -> Option<Object<'_>> {
    let start = body.iter().position(|byte| !byte.is_ascii_whitespace())?;
    if body[start] != b'[' {
        return Object::scan(body).ok();
    }
    std::str::from_utf8(body).ok()?;
    let (first, _) = elements(body, start..body.len()).next()?;
    Object::at(body, first)
}

/// A duration in the form of protocol buffers: seconds with a fraction, and an `s`.
fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}
