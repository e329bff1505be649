//! The end of a stream that broke.

use bytes::BytesMut;

use super::head::Status;
use super::sequence::Sequence;
use crate::error::ErrorBody;

/// Writes the `error` event.
///
/// The documented form is flat, but the official SDKs hand such an event on like any other, and
/// `response.failed` too: they raise an error only where the data has an `error` member, which is what OpenAI
/// itself sends. So the error is told in both forms.
pub(super) fn error_event(sequence: &mut Sequence, error: &ErrorBody<'_>, out: &mut BytesMut) {
    sequence.event(out, "error", |w| {
        w.name("code");
        match error.code {
            Some(code) => w.string(code),
            None => w.null(),
        }
        w.name("message").string(error.message);
        w.name("param");
        match error.param {
            Some(param) => w.string(param),
            None => w.null(),
        }
        w.name("error").object(|w| {
            w.name("type").string(error.kind);
            w.maybe_string("code", error.code);
            w.name("message").string(error.message);
            w.maybe_string("param", error.param);
        });
    });
}

/// How a response stands that ended in an error.
pub(super) fn failed<'a>(error: &ErrorBody<'a>) -> Status<'a> {
    let plain = match error.status {
        429 => "rate_limit_exceeded",
        _ => "server_error",
    };
    Status::Failed {
        code: error.code.unwrap_or(plain),
        message: error.message,
    }
}
