//! `POST /v1/messages/count_tokens`

use super::rules::{self, Invalid};
use super::{Form, Operation, Streaming};
use crate::{Dialect, Envelope};

/// Anthropic's counting of a conversation's tokens. Nothing is generated, so no tokens are used.
pub static COUNT_TOKENS: Operation = Operation {
    name: "messages.count_tokens",
    path: "/v1/messages/count_tokens",
    form: Form::CountTokens,
    dialect: Dialect::Anthropic,
    streams: Streaming::Never,
    may_retry: true,
    prompt: &[],
    output_limit: &[],
    answers: &[],
    reads: &["model", "messages"],
    rules: check,
};

fn check(bytes: &[u8], e: &Envelope) -> Result<(), Invalid> {
    rules::messages(bytes, e)
}
