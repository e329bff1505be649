//! A whole answer that is passed on as it came.

use std::borrow::Cow;

use crate::error::{error_member, refusal};
use crate::openai::{ResponseError, ResponseFacts};
use crate::{Envelope, ScanErrorKind, anthropic};

/// Reads what the gateway wants to know of an answer; white space before it is skipped.
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
            .and_then(|usage| anthropic::usage(usage.raw(body))),
        id: text("id"),
        model: text("model"),
        finish_reason: text("stop_reason"),
    })
}
