//! Hiding a word that comes in pieces.

use std::collections::HashMap;

use aisix_core::wire::sse::{self, Event};
use serde_json::Value;

/// Hides a word of ASCII letters, in any case.
pub struct Hide {
    word: &'static str,
    /// What could be the beginning of the word, for each of the answers in the stream.
    held: HashMap<u64, String>,
}

impl Hide {
    pub fn new(word: &'static str) -> Self {
        Self {
            word,
            held: HashMap::new(),
        }
    }

    /// The event as the caller may see it.
    pub fn event(&mut self, mut event: Event) -> Event {
        let parsed = event
            .data()
            .and_then(|data| serde_json::from_slice::<Value>(&data).ok());
        // What is no JSON, such as `[DONE]`, passes as it is.
        let Some(mut chunk) = parsed else {
            return event;
        };
        let choices = chunk["choices"].as_array_mut();
        for choice in choices.into_iter().flatten() {
            let held = self.held.entry(choice["index"].as_u64().unwrap_or(0));
            let held = held.or_default();
            held.push_str(choice["delta"]["content"].as_str().unwrap_or_default());
            let text = match choice["finish_reason"].is_null() {
                true => release(held, self.word),
                // Nothing more will come that could complete the word.
                false => release(held, self.word) + &std::mem::take(held),
            };
            if choice["delta"]["content"].is_string() || !text.is_empty() {
                choice["delta"]["content"] = text.into();
            }
        }
        event.raw = sse::encode(None, chunk.to_string().as_bytes());
        event
    }
}

/// Takes out of `held` what cannot become the word any more, with each whole word hidden.
fn release(held: &mut String, word: &str) -> String {
    let mut text = String::new();
    while let Some(at) = held.to_ascii_lowercase().find(word) {
        text.push_str(&held[..at]);
        text.push_str(&"*".repeat(word.len()));
        held.drain(..at + word.len());
    }
    let lower = held.to_ascii_lowercase();
    let could_be = |at: &usize| held.is_char_boundary(*at) && word.starts_with(&lower[*at..]);
    let keep = (held.len().saturating_sub(word.len())..held.len()).find(could_be);
    text.extend(held.drain(..keep.unwrap_or(held.len())));
    text
}
