//! OpenAI's chat completions.

use aisix_tests::client::Client;
use serde_json::{Value, json};

use super::{Caller, arguments, chat_stream, count, ensure, items, text};
use crate::said::{Call, Heard, Piece, Question, Said, Stop, Thought, Tokens, Told, Turn};

pub(crate) struct Chat;

impl Caller for Chat {
    fn name(&self) -> &'static str {
        "chat"
    }

    fn path(&self, _: &Question) -> String {
        "/v1/chat/completions".to_owned()
    }

    fn with_key(&self, client: Client, key: &str) -> Client {
        client.header("authorization", &format!("Bearer {key}"))
    }

    fn body(&self, question: &Question) -> Value {
        let system = question.system.iter();
        let mut messages: Vec<_> = system
            .map(|text| json!({"role": "system", "content": text}))
            .collect();
        question
            .turns
            .iter()
            .for_each(|turn| write(turn, &mut messages));
        let mut body = json!({"model": question.model, "messages": messages, "max_completion_tokens": question.limit()});
        if !question.tools.is_empty() {
            let tool = |(name, parameters): &(&str, Value)| {
                let function = json!({"name": name, "description": name, "parameters": parameters});
                json!({"type": "function", "function": function})
            };
            body["tools"] = question.tools.iter().map(tool).collect();
        }
        if let Some(schema) = &question.schema {
            let named = json!({"name": "answer", "schema": schema, "strict": true});
            body["response_format"] = json!({"type": "json_schema", "json_schema": named});
        }
        if question.thinks {
            body["reasoning_effort"] = "low".into();
        }
        if question.streamed {
            body["stream"] = true.into();
            if question.counted {
                body["stream_options"] = json!({"include_usage": true});
            }
        }
        body
    }

    fn whole(&self, answer: &Value) -> Result<Said, String> {
        ensure(answer["object"] == "chat.completion", || {
            format!("no completion: {answer}")
        })?;
        for name in ["id", "model"] {
            text(answer, name)?;
        }
        count(answer, "created")?;
        let [choice] = items(answer, "choices")? else {
            return Err(format!("not one choice: {answer}"));
        };
        let message = &choice["message"];
        ensure(message["role"] == "assistant", || {
            format!("whose message is it: {message}")
        })?;
        let mut said = Said {
            stop: Some(stop(&choice["finish_reason"])?),
            tokens: Some(tokens(&answer["usage"])?),
            text: message["content"].as_str().unwrap_or_default().to_owned(),
            refusal: message["refusal"].as_str().unwrap_or_default().to_owned(),
            ..Said::default()
        };
        if let Some(thought) = message["reasoning_content"].as_str() {
            said.thoughts = vec![Thought {
                text: thought.to_owned(),
                signature: None,
            }];
        }
        if message.get("tool_calls").is_some() {
            let calls = items(message, "tool_calls")?.iter().map(call);
            said.calls = calls.collect::<Result<_, _>>()?;
        }
        Ok(said)
    }

    fn stream(&self, stream: &str, counted: bool) -> Result<Heard, String> {
        chat_stream::read(stream, counted)
    }

    fn refusal(&self, _: u16, answer: &Value) -> Result<Told, String> {
        let error = &answer["error"];
        let told = Told {
            kind: text(error, "type")?.to_owned(),
            message: text(error, "message")?.to_owned(),
        };
        ensure(answer.as_object().is_some_and(|all| all.len() == 1), || {
            format!("more than an error: {answer}")
        })?;
        Ok(told)
    }
}

fn write(turn: &Turn, messages: &mut Vec<Value>) {
    match turn {
        Turn::User(pieces) => {
            let pieces = pieces.iter().map(|piece| match piece {
                Piece::Text(text) => json!({"type": "text", "text": text}),
                Piece::Picture(kind, data) => picture(&format!("data:{kind};base64,{data}")),
                Piece::PictureAt(url) => picture(url),
            });
            messages.push(json!({"role": "user", "content": pieces.collect::<Vec<_>>()}));
        }
        Turn::Model(said) => {
            let mut message = json!({"role": "assistant", "content": said.text});
            if !said.thoughts.is_empty() {
                message["reasoning_content"] = said.thought().into();
            }
            if !said.calls.is_empty() {
                message["tool_calls"] = said.calls.iter().map(replayed).collect();
            }
            messages.push(message);
        }
        Turn::Results(results) => messages.extend(results.iter().map(
            |(call, result)| json!({"role": "tool", "tool_call_id": call.id, "content": result}),
        )),
    }
}

fn picture(url: &str) -> Value {
    json!({"type": "image_url", "image_url": {"url": url}})
}

fn replayed(call: &Call) -> Value {
    let function = json!({"name": call.name, "arguments": call.arguments.to_string()});
    let mut replayed = json!({"id": call.id, "type": "function", "function": function});
    if let Some(signature) = &call.signature {
        replayed["extra_content"] = json!({"google": {"thought_signature": signature}});
    }
    replayed
}

fn call(call: &Value) -> Result<Call, String> {
    ensure(call["type"] == "function", || {
        format!("no function: {call}")
    })?;
    Ok(Call {
        id: text(call, "id")?.to_owned(),
        name: text(&call["function"], "name")?.to_owned(),
        arguments: arguments(text(&call["function"], "arguments")?)?,
        signature: signature(call),
    })
}

pub(super) fn signature(call: &Value) -> Option<String> {
    let signature = call.pointer("/extra_content/google/thought_signature")?;
    Some(signature.as_str()?.to_owned())
}

pub(super) fn stop(reason: &Value) -> Result<Stop, String> {
    match reason.as_str() {
        Some("stop") => Ok(Stop::End),
        Some("length") => Ok(Stop::Length),
        Some("tool_calls") => Ok(Stop::Calls),
        Some("content_filter") => Ok(Stop::Filtered),
        _ => Err(format!("an unknown finish_reason: {reason}")),
    }
}

pub(super) fn tokens(usage: &Value) -> Result<Tokens, String> {
    let (input, output) = (
        count(usage, "prompt_tokens")?,
        count(usage, "completion_tokens")?,
    );
    ensure(count(usage, "total_tokens")? == input + output, || {
        format!("a wrong sum: {usage}")
    })?;
    // DeepSeek's word for it is relayed as it is.
    let hits = usage["prompt_cache_hit_tokens"].as_u64();
    let cached = usage["prompt_tokens_details"]["cached_tokens"]
        .as_u64()
        .or(hits);
    let cached = cached.unwrap_or(0);
    Ok(Tokens {
        input,
        cached,
        output,
    })
}
