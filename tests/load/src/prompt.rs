//! The bodies of the calls: chats of a wanted size in English-like text, the same in every run.

use fastrand::Rng;
use serde_json::{Value, json};

const WORDS: &[&str] = &[
    "the",
    "of",
    "and",
    "to",
    "in",
    "a",
    "is",
    "that",
    "for",
    "it",
    "was",
    "on",
    "with",
    "as",
    "be",
    "request",
    "provider",
    "because",
    "stream",
    "answer",
    "question",
    "between",
    "should",
    "naïve",
    "café",
    "function",
    "returns",
    "error",
    "customer",
    "report",
    "meeting",
    "however",
    "their",
    "which",
    "would",
    "there",
    "people",
    "through",
    "important",
    "example",
    "service",
];

/// A body for `POST /v1/chat/completions` of about this many bytes, in turns of user and assistant.
///
/// The text has what real prompts have: line breaks, quotes, backslashes and letters outside ASCII, so
/// that a subject which reads strings has escapes to read.
pub(crate) fn chat(model: &str, stream: bool, size: usize) -> Vec<u8> {
    let mut rng = Rng::with_seed(size as u64);
    let mut messages = vec![json!({
        "role": "system",
        "content": "You are a careful assistant. Answer briefly.\nQuote sources as \"title\".",
    })];
    let turn = (size / 8).clamp(150, 4000);
    loop {
        let user = messages.len() % 2 == 1;
        let used = render(model, stream, &messages).len();
        // A message costs about forty bytes of JSON besides its text; the last one is the user's.
        let left = size.saturating_sub(used + 40);
        if left < turn * 2 && user {
            messages.push(json!({"role": "user", "content": text(&mut rng, left.max(20))}));
            return render(model, stream, &messages);
        }
        let role = if user { "user" } else { "assistant" };
        messages.push(json!({"role": role, "content": text(&mut rng, turn)}));
    }
}

/// The same as a body for `POST /v1/messages`, whose instructions stand apart.
pub(crate) fn message(model: &str, stream: bool, size: usize) -> Vec<u8> {
    let mut body: Value =
        serde_json::from_slice(&chat(model, stream, size)).expect("it was written as JSON");
    if let Some(messages) = body["messages"].as_array_mut() {
        let mut system = messages.remove(0);
        body["system"] = system["content"].take();
    }
    body.to_string().into_bytes()
}

fn render(model: &str, stream: bool, messages: &[Value]) -> Vec<u8> {
    let mut body = json!({
        "model": model,
        "messages": messages,
        "temperature": 0.7,
        "max_tokens": 256,
    });
    if stream {
        body["stream"] = Value::Bool(true);
    }
    body.to_string().into_bytes()
}

/// Sentences, some quoted, some with a line break or a path after them, of about this many bytes.
fn text(rng: &mut Rng, size: usize) -> String {
    let mut text = String::with_capacity(size + 64);
    while text.len() < size {
        for _ in 0..rng.usize(4..12) {
            text.push_str(WORDS[rng.usize(..WORDS.len())]);
            text.push(' ');
        }
        text.push_str(match rng.usize(..6) {
            0 => "said \"yes\".\n",
            1 => "in C:\\temp\\log.\n\n",
            _ => "now. ",
        });
    }
    // Cuts at a character's start, which is at most three bytes away.
    while text.len() > size || text.ends_with(' ') {
        text.pop();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_have_the_wanted_size_and_are_always_the_same() {
        for size in [1024, 100 << 10] {
            let body = chat("chat", false, size);
            let off = body.len().abs_diff(size);
            assert!(off * 20 < size, "{} instead of {size}", body.len());
            assert_eq!(body, chat("chat", false, size));
        }
    }

    #[test]
    fn a_message_has_its_instructions_apart() {
        let body: Value = serde_json::from_slice(&message("chat", true, 1024)).unwrap();
        assert!(body["system"].is_string() && body["max_tokens"].is_u64());
        assert_eq!(body["messages"][0]["role"], "user");
    }

    #[test]
    fn a_large_body_is_a_conversation_with_escapes() {
        let body = chat("stream-200-0", true, 100 << 10);
        let value: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(value["stream"], true);
        let messages = value["messages"].as_array().unwrap();
        assert!(messages.len() > 10);
        assert_eq!(messages.last().unwrap()["role"], "user");
        for escape in ["\\\"", "\\n", "\\\\", "é"] {
            assert!(String::from_utf8_lossy(&body).contains(escape));
        }
    }
}
