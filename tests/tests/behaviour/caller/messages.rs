//! Anthropic's messages.

use aisix_tests::client::Client;
use serde_json::{Value, json};

use super::{Caller, count, ensure, items, messages_stream, text};
use crate::said::{Call, Heard, Piece, Question, Said, Stop, Thought, Tokens, Told, Turn};

pub(crate) struct Messages;

impl Caller for Messages {
    fn name(&self) -> &'static str {
        "messages"
    }

    fn path(&self, _: &Question) -> String {
        "/v1/messages".to_owned()
    }

    fn with_key(&self, client: Client, key: &str) -> Client {
        client
            .header("x-api-key", key)
            .header("anthropic-version", "2023-06-01")
    }

    fn body(&self, question: &Question) -> Value {
        let messages: Vec<_> = question.turns.iter().map(write).collect();
        let mut body =
            json!({"model": question.model, "messages": messages, "max_tokens": question.limit()});
        if let Some(system) = question.system {
            body["system"] = system.into();
        }
        if !question.tools.is_empty() {
            let tool = |(name, parameters): &(&str, Value)| json!({"name": name, "description": name, "input_schema": parameters});
            body["tools"] = question.tools.iter().map(tool).collect();
        }
        if let Some(schema) = &question.schema {
            body["output_config"] = json!({"format": {"type": "json_schema", "schema": schema}});
        }
        if question.thinks {
            body["thinking"] = json!({"type": "enabled", "budget_tokens": 1024});
        }
        if question.streamed {
            body["stream"] = true.into();
        }
        body
    }

    fn whole(&self, answer: &Value) -> Result<Said, String> {
        let message = answer["type"] == "message" && answer["role"] == "assistant";
        ensure(message, || format!("no message: {answer}"))?;
        for name in ["id", "model"] {
            text(answer, name)?;
        }
        ensure(answer.get("stop_sequence").is_some(), || {
            format!("no stop_sequence: {answer}")
        })?;
        let mut said = Said {
            stop: Some(stop(&answer["stop_reason"])?),
            tokens: Some(tokens(&answer["usage"])?),
            ..Said::default()
        };
        items(answer, "content")?
            .iter()
            .try_for_each(|block| read(block, &mut said))?;
        Ok(said)
    }

    fn stream(&self, stream: &str, _: bool) -> Result<Heard, String> {
        messages_stream::read(stream)
    }

    fn refusal(&self, status: u16, answer: &Value) -> Result<Told, String> {
        ensure(answer["type"] == "error", || format!("no error: {answer}"))?;
        let told = error(&answer["error"])?;
        let wanted = match status {
            400 | 422 => "invalid_request_error",
            401 => "authentication_error",
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            503 | 529 => "overloaded_error",
            _ => "api_error",
        };
        ensure(told.kind == wanted, || {
            format!("{status} is {wanted}: {answer}")
        })?;
        Ok(told)
    }
}

fn write(turn: &Turn) -> Value {
    let (role, blocks): (_, Vec<_>) = match turn {
        Turn::User(pieces) => ("user", pieces.iter().map(piece).collect()),
        Turn::Results(results) => {
            let result = |(call, result): &(Call, String)| json!({"type": "tool_result", "tool_use_id": call.id, "content": result});
            ("user", results.iter().map(result).collect())
        }
        Turn::Model(said) => {
            let thoughts = said.thoughts.iter().map(|thought| {
                let signature = thought.signature.clone().unwrap_or_default();
                json!({"type": "thinking", "thinking": thought.text, "signature": signature})
            });
            let text = (!said.text.is_empty()).then(|| json!({"type": "text", "text": said.text}));
            let calls = said.calls.iter().map(|call| {
                json!({"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments})
            });
            ("assistant", thoughts.chain(text).chain(calls).collect())
        }
    };
    json!({"role": role, "content": blocks})
}

fn piece(piece: &Piece) -> Value {
    let source = match piece {
        Piece::Text(text) => return json!({"type": "text", "text": text}),
        Piece::Picture(kind, data) => json!({"type": "base64", "media_type": kind, "data": data}),
        Piece::PictureAt(url) => json!({"type": "url", "url": url}),
    };
    json!({"type": "image", "source": source})
}

/// Adds a whole block to what was said.
pub(super) fn read(block: &Value, said: &mut Said) -> Result<(), String> {
    match text(block, "type")? {
        "text" => said.text += text(block, "text")?,
        "thinking" => said.thoughts.push(Thought {
            text: text(block, "thinking")?.to_owned(),
            signature: Some(text(block, "signature")?.to_owned()).filter(|text| !text.is_empty()),
        }),
        "tool_use" => {
            ensure(block["input"].is_object(), || {
                format!("an input that is no object: {block}")
            })?;
            let call = Call {
                id: text(block, "id")?.to_owned(),
                name: text(block, "name")?.to_owned(),
                arguments: block["input"].clone(),
                signature: None,
            };
            let twice = said.calls.iter().any(|known| known.id == call.id);
            ensure(!twice && !call.id.is_empty(), || {
                format!("an odd id: {block}")
            })?;
            said.calls.push(call);
        }
        other => return Err(format!("an unknown block: {other}")),
    }
    Ok(())
}

pub(super) fn error(error: &Value) -> Result<Told, String> {
    Ok(Told {
        kind: text(error, "type")?.to_owned(),
        message: text(error, "message")?.to_owned(),
    })
}

pub(super) fn stop(reason: &Value) -> Result<Stop, String> {
    match reason.as_str() {
        Some("end_turn" | "stop_sequence") => Ok(Stop::End),
        Some("max_tokens") => Ok(Stop::Length),
        Some("tool_use") => Ok(Stop::Calls),
        Some("refusal") => Ok(Stop::Filtered),
        _ => Err(format!("an unknown stop_reason: {reason}")),
    }
}

/// The prompt's tokens come in three parts here.
pub(super) fn tokens(usage: &Value) -> Result<Tokens, String> {
    let cached = usage["cache_read_input_tokens"].as_u64().unwrap_or(0);
    let written = usage["cache_creation_input_tokens"].as_u64().unwrap_or(0);
    Ok(Tokens {
        input: count(usage, "input_tokens")? + cached + written,
        cached,
        output: count(usage, "output_tokens")?,
    })
}
