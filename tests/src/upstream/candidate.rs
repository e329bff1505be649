//! A well-formed answer of Gemini's own API: whole, as events, or as the array that a stream is otherwise.

use serde_json::{Value, json};

use super::{Reply, Request, Script, Step};

/// What an upstream of [`Flavour::Gemini`](super::Flavour::Gemini) says: parts, one per event of a stream.
///
/// The usage is that of [`Answer`](super::Answer): 12 tokens of prompt, 8 of them cached, and 3 of answer.
#[derive(Clone, Debug)]
pub struct Candidate {
    parts: Vec<Value>,
    finish: &'static str,
    blocked: Option<&'static str>,
    usage: Value,
    after: Vec<(usize, Step)>,
}

impl Candidate {
    /// Says this text; a stream carries each piece in an event of its own.
    #[must_use]
    pub fn text(pieces: &[&str]) -> Self {
        let parts = pieces.iter().map(|piece| json!({"text": piece}));
        Self {
            parts: parts.collect(),
            finish: "STOP",
            blocked: None,
            usage: usage(12, 8, 3, 0),
            after: Vec::new(),
        }
    }

    /// Refuses to look at the prompt, for this reason.
    #[must_use]
    pub fn blocked(reason: &'static str) -> Self {
        Self {
            blocked: Some(reason),
            usage: json!({"promptTokenCount": 12, "totalTokenCount": 12}),
            ..Self::text(&[])
        }
    }

    /// Thinks aloud in these pieces, after what it said before.
    #[must_use]
    pub fn and_thinking(self, pieces: &[&str]) -> Self {
        let thought = |piece: &&str| json!({"text": piece, "thought": true});
        self.and_parts(pieces.iter().map(thought))
    }

    /// Says this text after what it said before.
    #[must_use]
    pub fn and_text(self, pieces: &[&str]) -> Self {
        self.and_parts(pieces.iter().map(|piece| json!({"text": piece})))
    }

    /// Calls a function with these arguments, which are an object; the call comes whole.
    #[must_use]
    pub fn and_calling(self, name: &str, args: &Value, signature: Option<&str>) -> Self {
        let mut part = json!({"functionCall": {"name": name, "args": args}});
        if let Some(signature) = signature {
            part["thoughtSignature"] = signature.into();
        }
        self.and_parts([part])
    }

    /// Adds parts as they are.
    #[must_use]
    pub fn and_parts(mut self, parts: impl IntoIterator<Item = Value>) -> Self {
        self.parts.extend(parts);
        self
    }

    /// Ends for this reason.
    #[must_use]
    pub fn finish(mut self, reason: &'static str) -> Self {
        self.finish = reason;
        self
    }

    /// Reports this usage: the prompt with its cached tokens, visible tokens, and thoughts besides.
    #[must_use]
    pub fn usage(mut self, prompt: u64, cached: u64, visible: u64, thoughts: u64) -> Self {
        self.usage = usage(prompt, cached, visible, thoughts);
        self
    }

    /// Does `step` after the `sent`-th event of a stream, or before the head of a reply in one piece.
    #[must_use]
    pub fn after(mut self, sent: usize, step: Step) -> Self {
        self.after.push((sent, step));
        self
    }

    /// The reply that this request gets.
    #[must_use]
    pub fn reply_to(&self, request: &Request) -> Reply {
        let model = request.model().unwrap_or_default();
        let streamed = request.path.contains(":streamGenerateContent");
        let reply = match () {
            () if request.path.contains(":batchEmbedContents") => Reply::json(&embeddings(request)),
            () if !streamed => Reply::json(&self.whole(&model)),
            () if request.path.ends_with("?alt=sse") => events(&self.events(&model)),
            () => array(&self.events(&model)),
        };
        self.after
            .iter()
            .fold(reply, |reply, (sent, step)| match streamed {
                true => reply.after(*sent, step.clone()),
                false => reply.before(step.clone()),
            })
    }

    fn whole(&self, model: &str) -> Value {
        let mut answer = answer(model);
        answer["usageMetadata"] = self.usage.clone();
        match self.blocked {
            Some(reason) => answer["promptFeedback"] = json!({"blockReason": reason}),
            None => {
                // Pieces of a stream are one part of an answer.
                let parts = joined(&self.parts);
                answer["candidates"] = json!([candidate(&parts, Some(self.finish))]);
            }
        }
        answer
    }

    fn events(&self, model: &str) -> Vec<Value> {
        if self.blocked.is_some() {
            return vec![self.whole(model)];
        }
        let event = |parts: &[Value], finish| {
            let mut event = answer(model);
            event["candidates"] = json!([candidate(parts, finish)]);
            event["usageMetadata"] = self.usage.clone();
            event
        };
        let said = self
            .parts
            .iter()
            .map(|part| event(std::slice::from_ref(part), None));
        // The end comes by itself, as it does after calls.
        let end = event(&[json!({"text": ""})], Some(self.finish));
        said.chain([end]).collect()
    }
}

impl From<Candidate> for Script {
    fn from(candidate: Candidate) -> Self {
        Self::new(move |request| candidate.reply_to(request))
    }
}

/// Streams these answers as events, one piece of the body per event.
#[must_use]
pub fn events(events: &[Value]) -> Reply {
    let events = events.iter().map(|event| format!("data: {event}\r\n\r\n"));
    Reply::stream("text/event-stream", events)
}

/// Streams these answers as the array that comes without `alt=sse`.
#[must_use]
pub fn array(answers: &[Value]) -> Reply {
    let pieces = answers.iter().enumerate().map(|(index, answer)| {
        let before = if index == 0 { "[" } else { ",\r\n" };
        format!("{before}{answer}")
    });
    Reply::stream("application/json", pieces.chain(["]".to_owned()]))
}

/// Answers `status` with Google's error envelope; `word` is its name for the status.
#[must_use]
pub fn refusal(status: u16, word: &str, message: &str, details: &[Value]) -> Reply {
    let mut error = json!({"code": status, "message": message, "status": word});
    if !details.is_empty() {
        error["details"] = details.into();
    }
    Reply::json(&json!({ "error": error })).status(status)
}

/// The detail of a refusal that says when to come back, instead of a header.
#[must_use]
pub fn retry_info(delay: &str) -> Value {
    json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
}

fn answer(model: &str) -> Value {
    json!({"modelVersion": model, "responseId": "scripted"})
}

fn candidate(parts: &[Value], finish: Option<&str>) -> Value {
    let mut candidate = json!({"content": {"role": "model", "parts": parts}, "index": 0});
    if let Some(finish) = finish {
        candidate["finishReason"] = finish.into();
    }
    candidate
}

/// Counts of zero are left out, as protocol buffers do.
fn usage(prompt: u64, cached: u64, visible: u64, thoughts: u64) -> Value {
    let counts = [
        ("promptTokenCount", prompt),
        ("cachedContentTokenCount", cached),
        ("candidatesTokenCount", visible),
        ("thoughtsTokenCount", thoughts),
        ("totalTokenCount", prompt + visible + thoughts),
    ];
    let told = counts.into_iter().filter(|(_, count)| *count > 0);
    Value::Object(
        told.map(|(name, count)| (name.to_owned(), count.into()))
            .collect(),
    )
}

/// The parts with neighbouring texts of a kind as one.
fn joined(parts: &[Value]) -> Vec<Value> {
    let mut joined: Vec<Value> = Vec::new();
    for part in parts {
        let goes_on = |last: &&mut Value| {
            let texts = last["text"].is_string() && part["text"].is_string();
            texts && last["thought"] == part["thought"] && last["thoughtSignature"].is_null()
        };
        match joined.last_mut().filter(goes_on) {
            Some(last) => {
                let text = format!(
                    "{}{}",
                    last["text"].as_str().unwrap_or_default(),
                    part["text"].as_str().unwrap_or_default()
                );
                let mut part = part.clone();
                part["text"] = text.into();
                *last = part;
            }
            None => joined.push(part.clone()),
        }
    }
    joined
}

fn embeddings(request: &Request) -> Value {
    let asked = request.json();
    let count = asked["requests"].as_array().map_or(0, Vec::len);
    let vectors = (0..count).map(|index| json!({"values": [index, 0.5, -0.25]}));
    json!({"embeddings": vectors.collect::<Vec<_>>()})
}
