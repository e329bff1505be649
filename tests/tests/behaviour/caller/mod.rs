//! Callers: each dialect's way to ask, and its strict reading of what comes back.

mod chat;
mod chat_stream;
mod gemini;
mod messages;
mod messages_stream;
mod responses;
mod responses_stream;
mod sse;
mod tests;

use aisix_tests::client::Client;
use serde_json::Value;

use crate::said::{Heard, Question, Said, Told};

pub(crate) use self::{chat::Chat, gemini::Gemini, messages::Messages, responses::Responses};

/// The dialects that run through the table.
pub(crate) const ALL: &[&dyn Caller] = &[&Chat, &Messages, &Gemini, &Responses];

/// A caller of one dialect. Its readers refuse what an SDK of the dialect would stumble over.
pub(crate) trait Caller: Sync {
    fn name(&self) -> &'static str;

    /// Where to ask.
    fn path(&self, question: &Question) -> String;

    /// The same client with this key, where the dialect wants it.
    fn with_key(&self, client: Client, key: &str) -> Client;

    /// The question in this dialect.
    fn body(&self, question: &Question) -> Value;

    /// Reads an answer in one piece.
    fn whole(&self, answer: &Value) -> Result<Said, String>;

    /// Reads a stream to its end; `counted` tells whether usage was asked for.
    fn stream(&self, stream: &str, counted: bool) -> Result<Heard, String>;

    /// Reads a refusal with this status.
    fn refusal(&self, status: u16, answer: &Value) -> Result<Told, String>;
}

/// Fails with what is wrong, unless it is as it should be.
fn ensure(right: bool, wrong: impl FnOnce() -> String) -> Result<(), String> {
    match right {
        true => Ok(()),
        false => Err(wrong()),
    }
}

fn text<'v>(value: &'v Value, name: &str) -> Result<&'v str, String> {
    let text = value[name].as_str();
    text.ok_or_else(|| format!("`{name}` is no text in {value}"))
}

fn count(value: &Value, name: &str) -> Result<u64, String> {
    let count = value[name].as_u64();
    count.ok_or_else(|| format!("`{name}` is no count in {value}"))
}

fn items<'v>(value: &'v Value, name: &str) -> Result<&'v [Value], String> {
    let items = value[name].as_array();
    let items = items.ok_or_else(|| format!("`{name}` is no list in {value}"))?;
    Ok(items)
}

/// The arguments of a call, which are an object.
fn arguments(text: &str) -> Result<Value, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("{error}: {text}"))?;
    ensure(value.is_object(), || {
        format!("arguments that are no object: {value}")
    })?;
    Ok(value)
}
