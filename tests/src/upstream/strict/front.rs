//! `POST /chat/completions` as Gemini's OpenAI front checks it.

use serde_json::{Value, json};

use super::{
    chat,
    field::{Checked, Fault, Fields},
};
use crate::upstream::Reply;

pub(super) const BASE: &str = "/v1beta/openai";

pub(super) fn check(body: &Fields<'_>) -> Checked {
    chat::check(body)?;
    let signed = body.text("model")?.starts_with("gemini-3");
    for (index, message) in body.list("messages")?.into_iter().flatten().enumerate() {
        let first = &message["tool_calls"][0];
        let signature = first.pointer("/extra_content/google/thought_signature");
        if signed && first.is_object() && !signature.is_some_and(Value::is_string) {
            return Err(Fault::new(
                format!("messages[{index}].tool_calls"),
                "Function call is missing a thought_signature in functionCall parts.",
            ));
        }
    }
    Ok(())
}

/// The same refusal in Google's envelope.
pub(super) fn told(refusal: Reply) -> Reply {
    let said: Value = serde_json::from_slice(&refusal.body()).expect("refusals are JSON");
    let (status, message) = (refusal.status, &said["error"]["message"]);
    let word = match status {
        401 => "UNAUTHENTICATED",
        404 => "NOT_FOUND",
        _ => "INVALID_ARGUMENT",
    };
    let error = json!({"code": status, "message": message, "status": word});
    Reply::json(&json!([{ "error": error }])).status(status)
}
