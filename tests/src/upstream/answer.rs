//! A well-formed answer of a model, written as the request asks: whole or streamed, with usage or without.

use serde_json::{Value, json};

use super::{Framing, Reply, Request, Step};

const ID: &str = "chatcmpl-scripted";
const CREATED: u64 = 1_760_000_000;

/// What a model says to any inference request: chat, legacy completion or embedding.
///
/// The default usage is 12 prompt tokens, 8 of them cached, and 3 of completion.
#[derive(Clone, Debug)]
pub struct Answer {
    text: Vec<String>,
    reasoning: Vec<String>,
    refusal: Vec<String>,
    tools: Vec<Tool>,
    finish: Option<&'static str>,
    prompt_tokens: u64,
    completion_tokens: u64,
    report: Option<Value>,
    framing: Framing,
    after: Vec<(usize, Step)>,
}

#[derive(Clone, Debug)]
struct Tool {
    id: String,
    name: String,
    arguments: Vec<String>,
    signature: Option<String>,
}

impl Answer {
    /// Says this text; a stream carries each piece in a chunk of its own.
    pub fn text<S: Into<String>>(pieces: impl IntoIterator<Item = S>) -> Self {
        Self {
            text: pieces.into_iter().map(Into::into).collect(),
            reasoning: Vec::new(),
            refusal: Vec::new(),
            tools: Vec::new(),
            finish: None,
            prompt_tokens: 12,
            completion_tokens: 3,
            report: None,
            framing: Framing::default(),
            after: Vec::new(),
        }
    }

    /// Says nothing but calls a tool; a stream carries each piece of the arguments in a chunk of its own.
    #[must_use]
    pub fn calling(id: &str, name: &str, arguments: &[&str]) -> Self {
        Self::text::<String>([]).and_calling(id, name, arguments)
    }

    /// Calls one more tool.
    #[must_use]
    pub fn and_calling(mut self, id: &str, name: &str, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(ToString::to_string).collect();
        self.tools.push(Tool {
            id: id.to_owned(),
            name: name.to_owned(),
            arguments,
            signature: None,
        });
        self
    }

    /// Signs the latest call, as Gemini's front does.
    #[must_use]
    pub fn signed(mut self, signature: &str) -> Self {
        let call = self.tools.last_mut().expect("there is a call");
        call.signature = Some(signature.to_owned());
        self
    }

    /// Declines in these words, in `refusal`.
    #[must_use]
    pub fn refusing(mut self, pieces: &[&str]) -> Self {
        self.refusal = pieces.iter().map(ToString::to_string).collect();
        self
    }

    /// Ends for this reason, instead of `stop` or `tool_calls`.
    #[must_use]
    pub fn finish(mut self, reason: &'static str) -> Self {
        self.finish = Some(reason);
        self
    }

    /// Thinks aloud first, in `reasoning_content`.
    #[must_use]
    pub fn reasoning(mut self, pieces: &[&str]) -> Self {
        self.reasoning = pieces.iter().map(ToString::to_string).collect();
        self
    }

    /// Reports this usage.
    #[must_use]
    pub fn usage(mut self, prompt_tokens: u64, completion_tokens: u64) -> Self {
        (self.prompt_tokens, self.completion_tokens) = (prompt_tokens, completion_tokens);
        self
    }

    /// Reports its usage in these members.
    #[must_use]
    pub fn report(mut self, usage: Value) -> Self {
        self.report = Some(usage);
        self
    }

    /// Writes streams in this framing.
    #[must_use]
    pub fn framing(mut self, framing: Framing) -> Self {
        self.framing = framing;
        self
    }

    /// Does `step` after the `sent`-th event of a stream (the first carries only the role), or before
    /// the head of a reply that is not streamed.
    #[must_use]
    pub fn after(mut self, sent: usize, step: Step) -> Self {
        self.after.push((sent, step));
        self
    }

    /// The reply that this request gets.
    #[must_use]
    pub fn reply_to(&self, request: &Request) -> Reply {
        let asked = request.json();
        let streamed = asked["stream"] == true;
        let reply = match () {
            () if request.path.ends_with("/embeddings") => Reply::json(&self.embeddings(&asked)),
            () if streamed => self.framing.reply(&self.chunks(&asked, legacy(request))),
            () if legacy(request) => Reply::json(&self.completion(&asked)),
            () => Reply::json(&self.chat(&asked)),
        };
        let reply = reply.header("x-request-id", "req_scripted");
        self.after
            .iter()
            .fold(reply, |reply, (sent, step)| match streamed {
                true => reply.after(*sent, step.clone()),
                false => reply.before(step.clone()),
            })
    }

    fn reason(&self) -> &'static str {
        match (self.finish, self.tools.is_empty()) {
            (Some(reason), _) => reason,
            (None, true) => "stop",
            (None, false) => "tool_calls",
        }
    }

    fn usage_report(&self) -> Value {
        if let Some(report) = &self.report {
            return report.clone();
        }
        let (prompt, completion) = (self.prompt_tokens, self.completion_tokens);
        json!({
            "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": prompt.min(8)},
            "completion_tokens_details": {"reasoning_tokens": 0},
        })
    }

    fn chat(&self, asked: &Value) -> Value {
        let text = self.text.concat();
        let content = if text.is_empty() {
            Value::Null
        } else {
            text.into()
        };
        let mut message = json!({"role": "assistant", "content": content, "refusal": null});
        if !self.reasoning.is_empty() {
            message["reasoning_content"] = self.reasoning.concat().into();
        }
        if !self.refusal.is_empty() {
            message["refusal"] = self.refusal.concat().into();
        }
        if !self.tools.is_empty() {
            message["tool_calls"] = self.tools.iter().map(Tool::whole).collect();
        }
        let choice = json!({"index": 0, "message": message, "logprobs": null, "finish_reason": self.reason()});
        json!({
            "id": ID, "object": "chat.completion", "created": CREATED, "model": asked["model"],
            "choices": [choice], "usage": self.usage_report(),
        })
    }

    fn completion(&self, asked: &Value) -> Value {
        let choice = json!({"index": 0, "text": self.text.concat(), "logprobs": null, "finish_reason": self.reason()});
        json!({
            "id": ID, "object": "text_completion", "created": CREATED, "model": asked["model"],
            "choices": [choice], "usage": self.usage_report(),
        })
    }

    fn chunks(&self, asked: &Value, legacy: bool) -> Vec<Value> {
        let with_usage = asked["stream_options"]["include_usage"] == true;
        let object = if legacy {
            "text_completion"
        } else {
            "chat.completion.chunk"
        };
        let chunk = |choices: Value, usage: Value| {
            let mut chunk = json!({"id": ID, "object": object, "created": CREATED, "model": asked["model"], "choices": choices});
            if with_usage {
                chunk["usage"] = usage;
            }
            chunk
        };
        let choices = if legacy { self.texts() } else { self.deltas() };
        let mut chunks: Vec<_> = choices
            .into_iter()
            .map(|choice| chunk(json!([choice]), Value::Null))
            .collect();
        if with_usage {
            chunks.push(chunk(json!([]), self.usage_report()));
        }
        chunks
    }

    fn texts(&self) -> Vec<Value> {
        let choice = |text: &str, finish: Value| json!({"index": 0, "text": text, "logprobs": null, "finish_reason": finish});
        let mut choices: Vec<_> = self
            .text
            .iter()
            .map(|piece| choice(piece, Value::Null))
            .collect();
        choices.push(choice("", self.reason().into()));
        choices
    }

    fn deltas(&self) -> Vec<Value> {
        let choice = |delta: Value, finish: Value| json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish});
        let mut deltas = vec![json!({"role": "assistant", "content": ""})];
        deltas.extend(
            self.reasoning
                .iter()
                .map(|piece| json!({"reasoning_content": piece})),
        );
        deltas.extend(self.text.iter().map(|piece| json!({"content": piece})));
        let refusal = self.refusal.iter();
        deltas.extend(refusal.map(|piece| json!({"refusal": piece})));
        for (index, tool) in self.tools.iter().enumerate() {
            let calls = tool.fragments(index).into_iter();
            deltas.extend(calls.map(|call| json!({"tool_calls": [call]})));
        }
        let mut choices: Vec<_> = deltas
            .into_iter()
            .map(|delta| choice(delta, Value::Null))
            .collect();
        choices.push(choice(json!({}), self.reason().into()));
        choices
    }

    /// One vector per input: its number and two constants, which floats hold exactly.
    fn embeddings(&self, asked: &Value) -> Value {
        let inputs = match asked["input"].as_array() {
            Some(list) if !list.first().is_some_and(Value::is_number) => list.len(),
            _ => 1,
        };
        let data = (0..inputs).map(|index| {
            #[expect(clippy::cast_precision_loss, reason = "a test has a handful of inputs")]
            let vector = [index as f32, 0.5, -0.25];
            let embedding = match asked["encoding_format"] == "base64" {
                true => base64(&vector.map(f32::to_le_bytes).concat()).into(),
                false => json!(vector),
            };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        });
        let usage =
            json!({"prompt_tokens": self.prompt_tokens, "total_tokens": self.prompt_tokens});
        json!({"object": "list", "model": asked["model"], "data": data.collect::<Vec<_>>(), "usage": usage})
    }
}

impl Tool {
    fn whole(&self) -> Value {
        let function = json!({"name": self.name, "arguments": self.arguments.concat()});
        self.sign(json!({"id": self.id, "type": "function", "function": function}))
    }

    fn sign(&self, mut call: Value) -> Value {
        if let Some(signature) = &self.signature {
            call["extra_content"] = json!({"google": {"thought_signature": signature}});
        }
        call
    }

    fn fragments(&self, index: usize) -> Vec<Value> {
        let function = json!({"name": self.name, "arguments": ""});
        let first =
            json!({"index": index, "id": self.id, "type": "function", "function": function});
        let rest = self
            .arguments
            .iter()
            .map(|piece| json!({"index": index, "function": {"arguments": piece}}));
        std::iter::once(self.sign(first)).chain(rest).collect()
    }
}

fn legacy(request: &Request) -> bool {
    request.path.ends_with("/completions") && !request.path.ends_with("/chat/completions")
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - group.len()));
        for place in 0..4 {
            let six = (bits >> (18 - 6 * place) & 63) as usize;
            text.push(if place <= group.len() {
                ALPHABET[six].into()
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_pads_like_everybody() {
        assert_eq!(
            ["", "f", "fo", "foo", "foob"].map(|text| base64(text.as_bytes())),
            ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg=="]
        );
    }
}
