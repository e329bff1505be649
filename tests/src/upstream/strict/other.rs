//! `POST /completions` and `POST /embeddings` as OpenAI checks them.

use serde_json::Value;

use super::{
    chat,
    field::{Checked, Fields},
};

pub(super) fn completions(body: &Fields<'_>) -> Checked {
    body.text("model")?;
    texts_or_tokens(body, "prompt")?;
    chat::sampling(body)?;
    chat::stream(body)
}

pub(super) fn embeddings(body: &Fields<'_>) -> Checked {
    body.text("model")?;
    body.required("input", "a string or an array", Some)?;
    texts_or_tokens(body, "input")?;
    body.one_of("encoding_format", &["float", "base64"])?;
    body.count("dimensions")?;
    if body
        .list("input")
        .is_ok_and(|list| list.is_some_and(|list| list.len() > 2048))
    {
        return Err(body.fault("input", "expected at most 2048 inputs"));
    }
    Ok(())
}

/// A string, strings, token ids, or lists of token ids; never empty.
fn texts_or_tokens(body: &Fields<'_>, name: &str) -> Checked {
    let tokens = |list: &Vec<Value>| !list.is_empty() && list.iter().all(Value::is_u64);
    let fine = match body.get(name) {
        None => true,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(list)) => {
            tokens(list)
                || !list.is_empty()
                    && (list.iter().all(Value::is_string)
                        || list.iter().all(|one| one.as_array().is_some_and(tokens)))
        }
        Some(_) => false,
    };
    if fine {
        Ok(())
    } else {
        Err(body.fault(name, "expected a string, strings or token ids"))
    }
}
