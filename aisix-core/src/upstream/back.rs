//! From the upstream's answer to the caller's.

use aisix_wire::{
    Dialect, ResponseError, Usage, anthropic,
    chat::{CallerCodec, Names, UpstreamCodec},
    gemini, openai,
};
use bytes::Bytes;

use super::{classify::in_band, encode};
use crate::{
    call::Attempt,
    error::{Error, ErrorKind},
};

/// What becomes of an answer.
pub(super) enum Back {
    /// It is passed on as it came.
    Same(Dialect),
    /// It is read in the upstream's dialect and written in the caller's.
    Chat {
        caller: &'static dyn CallerCodec,
        upstream: &'static dyn UpstreamCodec,
        /// Tools that the upstream knows under another name.
        names: Names,
    },
    /// Gemini's vectors are written in OpenAI's form, in this encoding.
    Embed(gemini::Encoding),
}

// === impl Back ===

impl Back {
    /// Turns a whole answer into the caller's, and finds what it used.
    ///
    /// # Errors
    ///
    /// When the answer is an error or makes no sense.
    pub(super) fn answer(
        &self,
        attempt: &Attempt,
        body: Bytes,
    ) -> Result<(Bytes, Option<Usage>), Error> {
        match self {
            Self::Same(dialect) => {
                let facts = match dialect {
                    Dialect::Anthropic => anthropic::read_response(&body),
                    Dialect::Gemini => gemini::read_facts(&body),
                    Dialect::Responses => openai::responses::read_facts(&body),
                    _ => openai::read_response(&body),
                };
                let usage = facts.map_err(unreadable)?.usage;
                let body = attempt.target.shape.rewrite(&body).unwrap_or(body);
                Ok((body, usage))
            }
            Self::Chat {
                caller,
                upstream,
                names,
            } => {
                let mut answer = upstream.read_response(&body).map_err(unreadable)?;
                names.restore(&mut answer);
                let context = encode::context(attempt, true);
                Ok((caller.write_response(&answer, &context), answer.usage))
            }
            Self::Embed(encoding) => {
                let model = attempt.call.requested_model();
                let answer = gemini::write_embed_response(&body, model, *encoding);
                let answer = answer.map_err(unreadable)?;
                Ok((answer.body, answer.usage))
            }
        }
    }
}

fn unreadable(error: ResponseError) -> Error {
    match error {
        ResponseError::InBand(said) => in_band(&said),
        other => Error::new(
            ErrorKind::Decode,
            "the upstream's answer could not be decoded",
        )
        .with_source(format!("{other:?}")),
    }
}
