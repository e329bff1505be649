//! A whole answer that is passed on as it came.

use super::usage;
use crate::ScanErrorKind;
use crate::error::{ResponseError, error_member, refusal};
use crate::json::Object;
use crate::openai::ResponseFacts;

/// Reads what the gateway wants to know of an answer; white space before it is skipped.
///
/// The finish reason is why the answer is incomplete, or else its status.
///
/// # Errors
/// See [`ResponseError`]. An answer that failed is an error in the guise of an answer.
pub fn read_facts(body: &[u8]) -> Result<ResponseFacts, ResponseError> {
    let answer = Object::scan(body).map_err(|error| {
        let blank = error.kind == ScanErrorKind::Syntax && error.at == body.len();
        match blank && body.iter().all(u8::is_ascii_whitespace) {
            true => ResponseError::Empty,
            false => ResponseError::NotJson,
        }
    })?;
    if let Some(error) = error_member(body, answer.envelope()) {
        return Err(ResponseError::InBand(refusal(body, error)));
    }
    let details = answer.try_object("incomplete_details");
    let reason = details.and_then(|details| details.try_string("reason"));
    Ok(ResponseFacts {
        usage: answer.try_object("usage").as_ref().and_then(usage::read),
        id: answer.try_string("id"),
        model: answer.try_string("model"),
        finish_reason: reason.or_else(|| answer.try_string("status")),
    })
}
