//! What a request asks last.

use aisix_core::{
    call::Call,
    wire::{Dialect, Envelope, Form as Work, Kind, Member, Span, elements},
};

/// The longest text that is embedded, in bytes: few models take more.
const MAX_TEXT: usize = 32 * 1024;

/// What a request asks last, and what it has said before.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct Question {
    /// The member in which the conversation stands.
    pub(in super::super) conversation: &'static str,
    /// The messages before the last one.
    pub(in super::super) before: Vec<Span>,
    /// What the last one says, which is the user's.
    pub(super) text: String,
}

/// A message that is text alone.
struct Message {
    role: String,
    text: String,
}

// === impl Question ===

impl Question {
    /// What a chat asks last; `None` unless all of its messages are text alone, without names, tools and the like, and the
    /// last one is the user's and not too long.
    pub(super) fn of(call: &Call) -> Option<Self> {
        let operation = call.inbound.operation;
        if operation.form != Work::Chat {
            return None;
        }
        Self::read(
            operation.dialect,
            call.bytes(),
            call.inbound.payload.envelope(),
        )
    }

    fn read(dialect: Dialect, bytes: &[u8], envelope: &Envelope) -> Option<Self> {
        let conversation = match dialect {
            Dialect::OpenAi | Dialect::Anthropic => "messages",
            Dialect::Responses => "input",
            Dialect::Gemini => "contents",
            _ => return None,
        };
        let member = envelope.member(bytes, conversation)?;
        let (text, before) = match member.kind {
            Kind::String if dialect == Dialect::Responses => {
                (member.as_str(bytes)?.into_owned(), Vec::new())
            }
            Kind::Array => {
                let mut last = None;
                let mut before = Vec::new();
                for (span, _) in elements(bytes, member.value.clone()) {
                    if let Some((span, _)) = last.take() {
                        before.push(span);
                    }
                    let message = Message::read(dialect, bytes, span.clone())?;
                    last = Some((span, message));
                }
                let (_, message) = last.filter(|(_, message)| message.role == "user")?;
                (message.text, before)
            }
            _ => return None,
        };
        let is_fit = text.len() <= MAX_TEXT && !text.trim().is_empty();
        is_fit.then_some(Self {
            conversation,
            before,
            text,
        })
    }
}

// === impl Message ===

impl Message {
    fn read(dialect: Dialect, bytes: &[u8], message: Span) -> Option<Self> {
        let (mut role, mut text) = (None, None);
        for member in Envelope::scan_at(bytes, message).ok()?.members() {
            let name = member.decoded_name(bytes)?;
            let is_new = match (&*name, dialect) {
                ("role", _) => role.replace(member.as_str(bytes)?.into_owned()).is_none(),
                ("content", Dialect::OpenAi | Dialect::Anthropic | Dialect::Responses)
                | ("parts", Dialect::Gemini) => text.replace(text_of(bytes, member)?).is_none(),
                ("type", Dialect::Responses) => member.as_str(bytes)? == "message",
                _ => says_nothing(member),
            };
            if !is_new {
                return None;
            }
        }
        let role = match role {
            None if dialect == Dialect::Gemini => "user".to_owned(),
            role => role?,
        };
        let is_spoken = matches!(
            &*role,
            "system" | "developer" | "user" | "assistant" | "model"
        );
        let text = text?;
        is_spoken.then_some(Self { role, text })
    }
}

/// The text of a message's content, if it is nothing else.
fn text_of(bytes: &[u8], content: &Member) -> Option<String> {
    if let Some(text) = content.as_str(bytes) {
        return Some(text.into_owned());
    }
    if content.kind != Kind::Array {
        return None;
    }
    let mut text = String::new();
    for (at, (span, _)) in elements(bytes, content.value.clone()).enumerate() {
        if at > 0 {
            text.push('\n');
        }
        let mut is_text = false;
        for member in Envelope::scan_at(bytes, span).ok()?.members() {
            match &*member.decoded_name(bytes)? {
                "text" if !is_text => {
                    text.push_str(&member.as_str(bytes)?);
                    is_text = true;
                }
                "type" => {
                    let kind = member.as_str(bytes)?;
                    if !matches!(&*kind, "text" | "input_text" | "output_text") {
                        return None;
                    }
                }
                // Changes what a request costs, and no answer.
                "cache_control" => {}
                _ if says_nothing(member) => {}
                _ => return None,
            }
        }
        if !is_text {
            return None;
        }
    }
    Some(text)
}

/// Whether a member could as well be left out, as SDKs do not do.
fn says_nothing(member: &Member) -> bool {
    member.is_null() || member.kind == Kind::Array && member.len == 0
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn asked(dialect: Dialect, request: &Value) -> Option<(usize, String)> {
        let request = request.to_string();
        let envelope = Envelope::scan(request.as_bytes(), &[]).unwrap();
        let question = Question::read(dialect, request.as_bytes(), &envelope)?;
        Some((question.before.len(), question.text))
    }

    #[test]
    fn what_is_asked_last_is_found_in_every_dialect() {
        let part = |kind: &str, text: &str| json!({"type": kind, "text": text});
        for (dialect, request, before, text) in [
            (
                Dialect::OpenAi,
                json!({"messages": [
                    {"role": "system", "content": "a"},
                    {"role": "assistant", "content": "b", "refusal": null, "annotations": []},
                    {"role": "user", "content": [part("text", "c"), part("text", "d\n")]},
                ]}),
                2,
                "c\nd\n",
            ),
            (
                Dialect::Anthropic,
                json!({"system": [{"type": "text", "text": "s"}], "messages": [{"role": "user", "content": [
                    {"type": "text", "text": "c", "cache_control": {"type": "ephemeral"}}]}]}),
                0,
                "c",
            ),
            (Dialect::Responses, json!({"input": "c"}), 0, "c"),
            (
                Dialect::Responses,
                json!({"input": [
                    {"role": "assistant", "content": [part("output_text", "b")]},
                    {"type": "message", "role": "user", "content": [part("input_text", "c")]},
                ]}),
                1,
                "c",
            ),
            (
                Dialect::Gemini,
                json!({"contents": [
                    {"role": "user", "parts": [{"text": "a"}]},
                    {"role": "model", "parts": [{"text": "b"}]},
                    {"parts": [{"text": "c"}]},
                ]}),
                2,
                "c",
            ),
        ] {
            let expected = Some((before, text.to_owned()));
            assert_eq!(asked(dialect, &request), expected, "{request}");
        }
    }

    #[test]
    fn what_is_not_text_alone_asks_nothing() {
        let user = json!({"role": "user", "content": "a"});
        let image = json!({"type": "image_url", "image_url": {"url": "data:"}});
        for message in [
            json!({"role": "user", "content": "a", "name": "ann"}),
            json!({"role": "assistant", "content": "a", "tool_calls": [{"id": "1"}]}),
            json!({"role": "tool", "content": "a", "tool_call_id": "1"}),
            json!({"role": "tool", "content": "a"}),
            json!({"role": "user", "content": [{"type": "text", "text": "a"}, image]}),
            json!({"role": "user", "content": [{"type": "text"}]}),
            json!({"role": "user", "content": ["a"]}),
            json!({"role": "assistant", "content": null}),
            json!({"role": "user", "content": "a", "strange": 1}),
            json!({"content": "a"}),
            json!("a"),
        ] {
            for messages in [json!([message, user]), json!([message])] {
                let request = json!({"messages": messages});
                assert_eq!(asked(Dialect::OpenAi, &request), None, "{request}");
            }
        }
        for messages in [
            json!([]),
            json!("a"),
            json!([user, {"role": "assistant", "content": "a"}]),
            json!([{"role": "user", "content": " \n"}]),
            json!([{"role": "user", "content": "a".repeat(MAX_TEXT + 1)}]),
        ] {
            let request = json!({"messages": messages});
            assert_eq!(asked(Dialect::OpenAi, &request), None);
        }
        for message in [
            r#"{"role":"user","content":"a","content":"b"}"#,
            r#"{"role":"system","role":"user","content":"a"}"#,
        ] {
            let request = format!(r#"{{"messages":[{message}]}}"#);
            let envelope = Envelope::scan(request.as_bytes(), &[]).unwrap();
            let question = Question::read(Dialect::OpenAi, request.as_bytes(), &envelope);
            assert_eq!(question, None, "{message}");
        }
    }
}
