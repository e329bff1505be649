//! The smallest request of an endpoint.

use aisix_wire::{Dialect, Form, Operation};
use bytes::Bytes;
use serde_json::{Value, json};

/// A minimal valid body of an operation.
pub(super) fn body(operation: &Operation, model: &str) -> Bytes {
    let turns = json!([{"role": "user", "content": "Hello"}]);
    let mut body = match (operation.form, operation.dialect) {
        (Form::Chat, Dialect::OpenAi) | (Form::CountTokens, _) => json!({ "messages": turns }),
        (Form::Chat, Dialect::Anthropic) => json!({"max_tokens": 16, "messages": turns}),
        (Form::Chat, Dialect::Gemini) => {
            json!({"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]})
        }
        (Form::Complete, _) => json!({"prompt": "Hello"}),
        _ => json!({"input": "Hello"}),
    };
    if let (Value::Object(members), false) = (&mut body, operation.names_model_in_path()) {
        members.insert("model".to_owned(), model.into());
    }
    body.to_string().into()
}

#[cfg(test)]
mod tests {
    use aisix_wire::{Envelope, OPERATIONS};

    use super::*;

    #[test]
    fn every_operation_takes_its_sample() {
        for operation in OPERATIONS {
            let body = body(operation, "m");
            let envelope = Envelope::scan(&body, operation.reads).unwrap();
            let checked = operation.check(&body, &envelope);
            assert!(checked.is_ok(), "{}: {checked:?}", operation.name);
        }
    }
}
