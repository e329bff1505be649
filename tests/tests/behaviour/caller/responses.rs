//! OpenAI's responses.

use aisix_tests::client::Client;
use serde_json::{Value, json};

use super::{Caller, arguments, chat::Chat, count, ensure, items, responses_stream, text};
use crate::said::{Call, Heard, Piece, Question, Said, Stop, Thought, Tokens, Told, Turn};

pub(crate) struct Responses;

impl Caller for Responses {
    fn name(&self) -> &'static str {
        "responses"
    }

    fn path(&self, _: &Question) -> String {
        "/v1/responses".to_owned()
    }

    fn with_key(&self, client: Client, key: &str) -> Client {
        Chat.with_key(client, key)
    }

    fn body(&self, question: &Question) -> Value {
        let mut input = Vec::new();
        question
            .turns
            .iter()
            .for_each(|turn| write(turn, &mut input));
        let mut body = json!({"model": question.model, "input": input, "max_output_tokens": question.limit(), "store": false});
        if let Some(system) = question.system {
            body["instructions"] = system.into();
        }
        if !question.tools.is_empty() {
            let tool = |(name, parameters): &(&str, Value)| json!({"type": "function", "name": name, "description": name, "parameters": parameters, "strict": false});
            body["tools"] = question.tools.iter().map(tool).collect();
        }
        if let Some(schema) = &question.schema {
            let format =
                json!({"type": "json_schema", "name": "answer", "schema": schema, "strict": true});
            body["text"] = json!({"format": format});
        }
        if question.thinks {
            body["reasoning"] = json!({"effort": "low", "summary": "auto"});
            body["include"] = json!(["reasoning.encrypted_content"]);
        }
        if question.streamed {
            body["stream"] = true.into();
        }
        body
    }

    fn whole(&self, answer: &Value) -> Result<Said, String> {
        read(answer)
    }

    fn stream(&self, stream: &str, _: bool) -> Result<Heard, String> {
        responses_stream::read(stream)
    }

    fn refusal(&self, status: u16, answer: &Value) -> Result<Told, String> {
        Chat.refusal(status, answer)
    }
}

fn write(turn: &Turn, input: &mut Vec<Value>) {
    match turn {
        Turn::User(pieces) => {
            let pieces = pieces.iter().map(|piece| match piece {
                Piece::Text(text) => json!({"type": "input_text", "text": text}),
                Piece::Picture(kind, data) => {
                    json!({"type": "input_image", "image_url": format!("data:{kind};base64,{data}")})
                }
                Piece::PictureAt(url) => json!({"type": "input_image", "image_url": url}),
            });
            input.push(json!({"role": "user", "content": pieces.collect::<Vec<_>>()}));
        }
        Turn::Model(said) => {
            input.extend(said.thoughts.iter().enumerate().map(|(index, thought)| {
                json!({"type": "reasoning", "id": format!("rs_{index}"), "encrypted_content": thought.signature,
                    "summary": [{"type": "summary_text", "text": thought.text}]})
            }));
            if !said.text.is_empty() {
                let text = json!({"type": "output_text", "text": said.text, "annotations": []});
                input.push(json!({"type": "message", "role": "assistant", "content": [text]}));
            }
            for call in &said.calls {
                let arguments = call.arguments.to_string();
                input.push(json!({"type": "function_call", "call_id": call.id, "name": call.name, "arguments": arguments}));
                input.extend(call.signature.iter().map(|sealed| {
                    json!({"type": "reasoning", "id": format!("rs_{}", call.id), "encrypted_content": sealed, "summary": []})
                }));
            }
        }
        Turn::Results(results) => input.extend(results.iter().map(|(call, result)| {
            json!({"type": "function_call_output", "call_id": call.id, "output": result})
        })),
    }
}

/// Reads a whole response, which the last event of a stream holds too.
pub(super) fn read(answer: &Value) -> Result<Said, String> {
    ensure(answer["object"] == "response", || {
        format!("no response: {answer}")
    })?;
    for name in ["id", "model"] {
        text(answer, name)?;
    }
    count(answer, "created_at")?;
    let mut said = Said::default();
    for item in items(answer, "output")? {
        self::item(item, &mut said)?;
    }
    said.stop = Some(stop(answer, !said.calls.is_empty())?);
    said.tokens = Some(tokens(&answer["usage"])?);
    Ok(said)
}

fn item(item: &Value, said: &mut Said) -> Result<(), String> {
    ensure(!text(item, "id")?.is_empty(), || {
        format!("an item without an id: {item}")
    })?;
    match text(item, "type")? {
        "message" => {
            ensure(item["role"] == "assistant", || {
                format!("whose message is it: {item}")
            })?;
            for part in items(item, "content")? {
                match text(part, "type")? {
                    "output_text" => {
                        items(part, "annotations")?;
                        said.text += text(part, "text")?;
                    }
                    "refusal" => said.refusal += text(part, "refusal")?,
                    other => return Err(format!("an unknown part: {other}")),
                }
            }
        }
        "reasoning" => {
            let pieces = items(item, "summary")?
                .iter()
                .map(|part| text(part, "text"));
            let thought: String = pieces.collect::<Result<_, _>>()?;
            let sealed = item["encrypted_content"].as_str().map(str::to_owned);
            match said.calls.last_mut() {
                // What stands behind a call and shows no thought belongs to the call.
                Some(call) if thought.is_empty() => call.signature = sealed,
                _ => said.thoughts.push(Thought {
                    text: thought,
                    signature: sealed,
                }),
            }
        }
        "function_call" => said.calls.push(Call {
            id: text(item, "call_id")?.to_owned(),
            name: text(item, "name")?.to_owned(),
            arguments: arguments(text(item, "arguments")?)?,
            signature: None,
        }),
        other => return Err(format!("an unknown item: {other}")),
    }
    Ok(())
}

fn stop(answer: &Value, calls: bool) -> Result<Stop, String> {
    let reason = answer["incomplete_details"]["reason"].as_str();
    match (text(answer, "status")?, reason) {
        ("completed", None) if calls => Ok(Stop::Calls),
        ("completed", None) => Ok(Stop::End),
        ("incomplete", Some("max_output_tokens")) => Ok(Stop::Length),
        ("incomplete", Some("content_filter")) => Ok(Stop::Filtered),
        (status, reason) => Err(format!("{status} because of {reason:?}")),
    }
}

fn tokens(usage: &Value) -> Result<Tokens, String> {
    let (input, output) = (
        count(usage, "input_tokens")?,
        count(usage, "output_tokens")?,
    );
    ensure(count(usage, "total_tokens")? == input + output, || {
        format!("a wrong sum: {usage}")
    })?;
    count(&usage["output_tokens_details"], "reasoning_tokens")?;
    let cached = count(&usage["input_tokens_details"], "cached_tokens")?;
    Ok(Tokens {
        input,
        cached,
        output,
    })
}
