//! The same streams in the dialects that upstreams and callers speak.

use std::sync::Arc;

use aisix_core::{
    Error,
    body::Body,
    call::Attempt,
    testing::{self, Answer},
    upstream::{Endpoint, Provider, Registry, Spec},
    wire::{Dialect, Operation},
};
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use super::GROUP;
use crate::ask::{CHAT, chat_body};

/// A provider that speaks one dialect, and its endpoint.
#[derive(Clone, Copy)]
struct Native {
    name: &'static str,
    dialect: Dialect,
    address: &'static str,
    /// Whether it goes on with an answer.
    continues: bool,
}

impl Provider for Native {
    fn kind(&self) -> &'static str {
        self.name
    }

    fn has_default_base(&self) -> bool {
        true
    }

    fn endpoint(&self, _: &Spec<'_>) -> Result<Arc<dyn Endpoint>, Error> {
        Ok(Arc::new(*self))
    }
}

#[async_trait::async_trait]
impl Endpoint for Native {
    fn dialect(&self, _: &Operation) -> Option<Dialect> {
        Some(self.dialect)
    }

    fn continues(&self, _: &Operation) -> bool {
        self.continues
    }

    async fn prepare(&self, _: &Attempt, body: Bytes) -> Result<Request<Body>, Error> {
        Ok(Request::post(self.address).body(body.into()).unwrap())
    }
}

/// `messages` is of Anthropic's dialect, `prefix` of OpenAI's and goes on with an answer, `contents` of Gemini's: its requests
/// name no model.
pub(super) fn registry() -> Registry {
    let native = |name, dialect, address, continues| Native {
        name,
        dialect,
        address,
        continues,
    };
    let (messages, chats) = (
        "http://upstream.test/v1/messages",
        "http://upstream.test/chat/completions",
    );
    let contents = "http://upstream.test/generateContent";
    Registry::new()
        .provider(native("messages", Dialect::Anthropic, messages, true))
        .provider(native("prefix", Dialect::OpenAi, chats, true))
        .provider(native("contents", Dialect::Gemini, contents, false))
}

/// Who speaks: OpenAI's dialect or Anthropic's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    Chat,
    Messages,
}

pub(super) const BOTH: [Speaks; 2] = [Speaks::Chat, Speaks::Messages];

impl Speaks {
    /// The provider that does.
    pub(super) fn provider(self) -> &'static str {
        match self {
            Self::Chat => "plain",
            Self::Messages => "messages",
        }
    }

    /// A chat that streams, of a caller who does.
    pub(super) fn request(self) -> Request<Body> {
        let mut members = json!({"model": GROUP, "stream": true, "max_tokens": 99});
        if self == Self::Chat {
            members["stream_options"] = json!({"include_usage": true});
        }
        let path = match self {
            Self::Chat => CHAT,
            Self::Messages => "/v1/messages",
        };
        testing::request(path, chat_body(&members))
    }

    /// The events of a stream that says `texts`, in whose prompt are 5 tokens and in whose answer so many as there
    /// are texts. The first ones say nothing.
    pub(super) fn events(self, id: &str, texts: &[&str]) -> Vec<String> {
        let output = texts.len();
        match self {
            Self::Chat => {
                let chunk = |choices: Value| {
                    let event = json!({"id": id, "object": "chat.completion.chunk", "created": 7,
                        "model": format!("by-{id}"), "choices": choices});
                    format!("data: {event}\n\n")
                };
                let delta = |delta: Value, reason: Value| {
                    chunk(json!([{"index": 0, "delta": delta, "finish_reason": reason}]))
                };
                let role = json!({"role": "assistant", "content": ""});
                let mut events = vec![delta(role, Value::Null)];
                events.extend(
                    texts
                        .iter()
                        .map(|text| delta(json!({"content": text}), Value::Null)),
                );
                events.push(delta(json!({}), json!("stop")));
                let usage = json!({"prompt_tokens": 5, "completion_tokens": output,
                    "total_tokens": 5 + output});
                let event = json!({"id": id, "choices": [], "usage": usage});
                events.push(format!("data: {event}\n\n"));
                events.push("data: [DONE]\n\n".to_owned());
                events
            }
            Self::Messages => {
                let event = |event: Value| {
                    format!(
                        "event: {}\ndata: {event}\n\n",
                        event["type"].as_str().unwrap()
                    )
                };
                let usage = json!({"input_tokens": 5, "output_tokens": 1});
                let message = json!({"id": id, "type": "message", "role": "assistant",
                    "model": format!("by-{id}"), "content": [], "stop_reason": null,
                    "stop_sequence": null, "usage": usage});
                let text = json!({"type": "text", "text": ""});
                let mut events = vec![
                    event(json!({"type": "message_start", "message": message})),
                    event(
                        json!({"type": "content_block_start", "index": 0, "content_block": text}),
                    ),
                    event(json!({"type": "ping"})),
                ];
                events.extend(texts.iter().map(|text| {
                    let delta = json!({"type": "text_delta", "text": text});
                    event(json!({"type": "content_block_delta", "index": 0, "delta": delta}))
                }));
                events.push(event(json!({"type": "content_block_stop", "index": 0})));
                let delta = json!({"stop_reason": "end_turn", "stop_sequence": null});
                let usage = json!({"output_tokens": output});
                events.push(event(
                    json!({"type": "message_delta", "delta": delta, "usage": usage}),
                ));
                events.push(event(json!({"type": "message_stop"})));
                events
            }
        }
    }

    /// How many of them come before the first text.
    pub(super) fn preamble(self) -> usize {
        match self {
            Self::Chat => 1,
            Self::Messages => 3,
        }
    }

    /// A whole stream.
    pub(super) fn stream(self, id: &str, texts: &[&str]) -> Answer {
        let events = self.events(id, texts).into_iter();
        events.fold(Answer::stream(), Answer::send)
    }

    /// An error inside of a stream.
    pub(super) fn error(self) -> String {
        let error = json!({"type": "overloaded_error", "message": "overloaded"});
        match self {
            Self::Chat => format!("data: {}\n\n", json!({"error": error})),
            Self::Messages => {
                format!(
                    "event: error\ndata: {}\n\n",
                    json!({"type": "error", "error": error})
                )
            }
        }
    }

    /// What a caller has read in a stream: it is whole and valid, or ends with an error event.
    pub(super) fn read(self, stream: &str) -> Read {
        let mut read = Read::default();
        let mut is_open = false;
        for event in stream.split_terminator("\n\n") {
            let lines = event.lines();
            let data = lines.filter_map(|line| line.strip_prefix("data: "));
            let data: String = data.collect();
            if data.is_empty() {
                assert!(event.is_empty() || event.starts_with(':'), "{event:?}");
                read.comments
                    .push(event.trim_start_matches(':').trim().to_owned());
                continue;
            }
            assert!(
                !read.is_done && !read.has_failed,
                "nothing comes after the end: {stream}"
            );
            if data == "[DONE]" {
                read.is_done = true;
                continue;
            }
            let data: Value = serde_json::from_str(&data).unwrap();
            if data.get("error").is_some() {
                read.has_failed = true;
                continue;
            }
            match self {
                Self::Chat => {
                    let mut ids = vec![&data["id"]];
                    if data["choices"][0].is_object() {
                        ids.extend([&data["created"], &data["model"]]);
                        read.ids(&ids);
                    }
                    let choice = &data["choices"][0];
                    let delta = &choice["delta"];
                    read.begun += usize::from(delta["role"].is_string());
                    read.text += delta["content"].as_str().unwrap_or_default();
                    read.finish
                        .extend(choice["finish_reason"].as_str().map(str::to_owned));
                    if let Some(usage) = data["usage"].as_object() {
                        let count = |name: &str| usage[name].as_u64().unwrap();
                        read.usage = (count("prompt_tokens"), count("completion_tokens"));
                        assert_eq!(count("total_tokens"), read.usage.0 + read.usage.1);
                    }
                }
                Self::Messages => match data["type"].as_str().unwrap() {
                    "message_start" => {
                        read.begun += 1;
                        let message = &data["message"];
                        read.ids(&[&message["id"], &message["model"]]);
                        read.usage.0 = message["usage"]["input_tokens"].as_u64().unwrap();
                    }
                    "content_block_start" => {
                        assert!(!std::mem::replace(&mut is_open, true), "{stream}");
                        assert_eq!(data["index"], read.blocks, "{stream}");
                    }
                    "content_block_delta" => {
                        assert!(is_open, "{stream}");
                        assert_eq!(data["index"], read.blocks, "{stream}");
                        read.text += data["delta"]["text"].as_str().unwrap();
                    }
                    "content_block_stop" => {
                        assert!(std::mem::take(&mut is_open), "{stream}");
                        assert_eq!(data["index"], read.blocks, "{stream}");
                        read.blocks += 1;
                    }
                    "message_delta" => {
                        let reason = data["delta"]["stop_reason"].as_str();
                        read.finish.extend(reason.map(str::to_owned));
                        let usage = &data["usage"];
                        read.usage.0 = usage["input_tokens"].as_u64().unwrap_or(read.usage.0);
                        read.usage.1 = usage["output_tokens"].as_u64().unwrap();
                    }
                    "message_stop" => read.is_done = true,
                    "ping" => {}
                    other => panic!("{other}"),
                },
            }
        }
        read
    }
}

/// What a caller has read.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) text: String,
    /// How often the answer has begun.
    pub(super) begun: usize,
    /// The id, and what else all events share.
    pub(super) ids: Vec<Value>,
    pub(super) finish: Vec<String>,
    pub(super) is_done: bool,
    pub(super) has_failed: bool,
    pub(super) comments: Vec<String>,
    /// Tokens of the prompt and of the answer.
    pub(super) usage: (u64, u64),
    /// Blocks that have ended, of messages.
    pub(super) blocks: u64,
}

impl Read {
    fn ids(&mut self, ids: &[&Value]) {
        let ids: Vec<Value> = ids.iter().map(|id| (*id).clone()).collect();
        match self.ids.is_empty() {
            true => self.ids = ids,
            false => assert_eq!(self.ids, ids),
        }
    }

    /// How many heartbeats there were.
    pub(super) fn beats(&self) -> usize {
        self.comments
            .iter()
            .filter(|comment| comment.is_empty())
            .count()
    }
}
