//! Gemini's own API. Its streams are answers that hold what is new; the last says why it ends.

use aisix_tests::client::Client;
use serde_json::{Value, json};

use super::{Caller, count, ensure, items, sse::events, text};
use crate::said::{Call, Heard, Piece, Question, Said, Stop, Thought, Tokens, Told, Turn};

pub(crate) struct Gemini;

impl Caller for Gemini {
    fn name(&self) -> &'static str {
        "gemini"
    }

    fn path(&self, question: &Question) -> String {
        let method = match question.streamed {
            true => "streamGenerateContent?alt=sse",
            false => "generateContent",
        };
        format!("/v1beta/models/{}:{method}", question.model)
    }

    fn with_key(&self, client: Client, key: &str) -> Client {
        client.header("x-goog-api-key", key)
    }

    fn body(&self, question: &Question) -> Value {
        let contents: Vec<_> = question.turns.iter().map(write).collect();
        let mut config = json!({"maxOutputTokens": question.limit()});
        if let Some(schema) = &question.schema {
            config["responseMimeType"] = "application/json".into();
            config["responseJsonSchema"] = schema.clone();
        }
        if question.thinks {
            config["thinkingConfig"] = json!({"thinkingLevel": "low", "includeThoughts": true});
        }
        let mut body = json!({"contents": contents, "generationConfig": config});
        if let Some(system) = question.system {
            body["systemInstruction"] = json!({"parts": [{"text": system}]});
        }
        if !question.tools.is_empty() {
            let tool = |(name, parameters): &(&str, Value)| json!({"name": name, "description": name, "parametersJsonSchema": parameters});
            let functions: Vec<_> = question.tools.iter().map(tool).collect();
            body["tools"] = json!([{"functionDeclarations": functions}]);
        }
        body
    }

    fn whole(&self, answer: &Value) -> Result<Said, String> {
        let mut said = Said::default();
        read(answer, &mut said)?;
        finish(said)
    }

    fn stream(&self, stream: &str, _: bool) -> Result<Heard, String> {
        let mut said = Said::default();
        let events = events(stream)?;
        for (number, event) in events.iter().enumerate() {
            ensure(event.name.is_none(), || {
                format!("events have no names: {event:?}")
            })?;
            let data = event.json()?;
            if data.get("error").is_some() {
                ensure(number + 1 == events.len(), || {
                    format!("after an error: {data}")
                })?;
                let broken = Some(self.refusal(0, &data)?.message);
                ensure(said.stop.is_none(), || {
                    "a finishReason before an error".to_owned()
                })?;
                return Ok(Heard { said, broken });
            }
            read(&data, &mut said)?;
        }
        let said = finish(said)?;
        Ok(Heard { said, broken: None })
    }

    /// The status is in the body too; within a stream there is no other.
    fn refusal(&self, status: u16, answer: &Value) -> Result<Told, String> {
        let error = &answer["error"];
        let code = count(error, "code")?;
        ensure(status == 0 || code == u64::from(status), || {
            format!("another status: {answer}")
        })?;
        Ok(Told {
            kind: text(error, "status")?.to_owned(),
            message: text(error, "message")?.to_owned(),
        })
    }
}

fn write(turn: &Turn) -> Value {
    let (role, parts): (_, Vec<_>) = match turn {
        Turn::User(pieces) => ("user", pieces.iter().map(piece).collect()),
        Turn::Results(results) => {
            let result = |(call, result): &(Call, String)| {
                let response = json!({"result": result});
                json!({"functionResponse": {"id": call.id, "name": call.name, "response": response}})
            };
            ("user", results.iter().map(result).collect())
        }
        Turn::Model(said) => {
            let signed = |mut part: Value, signature: &Option<String>| {
                if let Some(signature) = signature {
                    part["thoughtSignature"] = signature.as_str().into();
                }
                part
            };
            let thoughts = said.thoughts.iter().map(|thought| {
                signed(
                    json!({"text": thought.text, "thought": true}),
                    &thought.signature,
                )
            });
            let text = (!said.text.is_empty()).then(|| json!({"text": said.text}));
            let calls = said.calls.iter().map(|call| {
                let function = json!({"id": call.id, "name": call.name, "args": call.arguments});
                signed(json!({"functionCall": function}), &call.signature)
            });
            ("model", thoughts.chain(text).chain(calls).collect())
        }
    };
    json!({"role": role, "parts": parts})
}

fn piece(piece: &Piece) -> Value {
    match piece {
        Piece::Text(text) => json!({"text": text}),
        Piece::Picture(kind, data) => json!({"inlineData": {"mimeType": kind, "data": data}}),
        Piece::PictureAt(url) => json!({"fileData": {"fileUri": url}}),
    }
}

/// Adds what an answer, or an event, says.
fn read(answer: &Value, said: &mut Said) -> Result<(), String> {
    text(answer, "modelVersion")?;
    if answer.get("usageMetadata").is_some() {
        said.tokens = Some(tokens(&answer["usageMetadata"])?);
    }
    if answer["promptFeedback"]["blockReason"].is_string() {
        said.stop = Some(Stop::Filtered);
        return ensure(answer.get("candidates").is_none(), || {
            format!("blocked, and yet: {answer}")
        });
    }
    let candidate = match items(answer, "candidates")? {
        [candidate] => candidate,
        _ => return Err(format!("not one candidate: {answer}")),
    };
    let parts = candidate["content"]["parts"].as_array();
    if let Some(parts) = parts {
        ensure(candidate["content"]["role"] == "model", || {
            format!("whose turn is it: {candidate}")
        })?;
        for part in parts {
            let nothing = part["text"] == "" && part.get("thoughtSignature").is_none();
            ensure(said.stop.is_none() || nothing, || {
                format!("after the finishReason: {part}")
            })?;
            self::part(part, said)?;
        }
    }
    if let Some(reason) = candidate.get("finishReason") {
        said.stop = Some(stop(reason)?);
    }
    Ok(())
}

fn part(part: &Value, said: &mut Said) -> Result<(), String> {
    let signature = part["thoughtSignature"].as_str().map(str::to_owned);
    let held = ["text", "functionCall", "inlineData"];
    let held: Vec<_> = held
        .into_iter()
        .filter(|name| part.get(*name).is_some())
        .collect();
    match held.as_slice() {
        ["text"] if part["thought"] == true => {
            let piece = text(part, "text")?;
            match said.thoughts.last_mut() {
                Some(open) if open.signature.is_none() => {
                    open.text += piece;
                    open.signature = signature;
                }
                _ => said.thoughts.push(Thought {
                    text: piece.to_owned(),
                    signature,
                }),
            }
        }
        ["text"] => said.text += text(part, "text")?,
        ["functionCall"] => {
            let call = &part["functionCall"];
            ensure(call["args"].is_object(), || {
                format!("args that are no object: {call}")
            })?;
            said.calls.push(Call {
                id: call["id"].as_str().unwrap_or_default().to_owned(),
                name: text(call, "name")?.to_owned(),
                arguments: call["args"].clone(),
                signature,
            });
        }
        _ => return Err(format!("not one thing: {part}")),
    }
    Ok(())
}

/// An answer that ends, which calls make another kind of end.
fn finish(mut said: Said) -> Result<Said, String> {
    ensure(said.stop.is_some(), || "no finishReason".to_owned())?;
    if said.stop == Some(Stop::End) && !said.calls.is_empty() {
        said.stop = Some(Stop::Calls);
    }
    Ok(said)
}

fn stop(reason: &Value) -> Result<Stop, String> {
    match reason.as_str() {
        Some("STOP") => Ok(Stop::End),
        Some("MAX_TOKENS") => Ok(Stop::Length),
        Some("SAFETY" | "PROHIBITED_CONTENT") => Ok(Stop::Filtered),
        _ => Err(format!("an unknown finishReason: {reason}")),
    }
}

/// Counts that are zero are not written.
fn tokens(usage: &Value) -> Result<Tokens, String> {
    let number = |name: &str| usage[name].as_u64().unwrap_or(0);
    let input = number("promptTokenCount");
    let output = number("candidatesTokenCount") + number("thoughtsTokenCount");
    ensure(count(usage, "totalTokenCount")? == input + output, || {
        format!("a wrong sum: {usage}")
    })?;
    let cached = number("cachedContentTokenCount");
    Ok(Tokens {
        input,
        cached,
        output,
    })
}
