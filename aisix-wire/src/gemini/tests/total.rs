//! Nothing makes the codec panic, and writing settles at once.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::written;
use crate::chat::*;
use crate::gemini::Gemini;

fn any_json(words: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-zA-Z🦀]{0,6}".prop_map(Value::from),
        prop::sample::select(
            &[
                "model",
                "user",
                "STOP",
                "image/png",
                "application/json",
                "ANY",
                "c1",
                "low"
            ][..]
        )
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(7, 80, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(words), inner), 0..6).prop_map(|members| {
                Value::Object(
                    members
                        .into_iter()
                        .map(|(name, value)| (name.to_owned(), value))
                        .collect(),
                )
            }),
        ]
    })
}

const PARTS: &[&str] = &[
    "text",
    "thought",
    "thoughtSignature",
    "inlineData",
    "mimeType",
    "data",
    "fileData",
    "fileUri",
    "functionCall",
    "functionResponse",
    "id",
    "name",
    "args",
    "response",
    "result",
    "error",
    "parts",
    "odd",
    "executableCode",
];

fn contents() -> impl Strategy<Value = Value> {
    let part = prop::collection::vec((prop::sample::select(PARTS), any_json(PARTS)), 0..4)
        .prop_map(|members| {
            Value::Object(
                members
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect(),
            )
        });
    let content = (
        prop::sample::select(&["user", "model", "system"][..]),
        prop::collection::vec(part, 0..4),
    )
        .prop_map(|(role, parts)| json!({"role": role, "parts": parts}));
    prop::collection::vec(content, 0..5).prop_map(Value::from)
}

const CONFIG: &[&str] = &[
    "temperature",
    "topP",
    "stopSequences",
    "candidateCount",
    "seed",
    "responseMimeType",
    "responseJsonSchema",
    "responseSchema",
    "thinkingConfig",
    "thinkingBudget",
    "thinkingLevel",
    "includeThoughts",
    "speechConfig",
    "type",
    "properties",
    "tools",
    "functionDeclarations",
    "name",
    "parameters",
    "functionCallingConfig",
    "mode",
    "allowedFunctionNames",
    "googleSearch",
];

proptest! {
    #[test]
    fn any_request_is_read_and_written_without_a_panic(contents in contents(), config in any_json(CONFIG), tools in any_json(CONFIG), choice in any_json(CONFIG), model in prop::sample::select(&["gemini-2.5-pro", "gemini-3-pro", "gemini-2.0-flash"][..])) {
        for body in [
            json!({"contents": contents}),
            json!({"contents": contents, "generationConfig": config}),
            json!({"contents": contents, "tools": tools, "toolConfig": choice}),
        ] {
            let Ok(request) = Gemini.read_request(body.to_string().as_bytes()) else { continue };
            let options = WriteOptions { on_unsupported: OnUnsupported::Drop, ..WriteOptions::new(model) };
            let out = Gemini.write_request(&request, &options).unwrap();
            let again = Gemini.read_request(&out.body).unwrap();
            let twice = Gemini.write_request(&again, &options).unwrap();
            prop_assert_eq!(written(&out.body), written(&twice.body), "writing and reading settles at once");
        }
    }

    #[test]
    fn bytes_of_any_kind_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = Gemini.read_request(&bytes);
        let _ = Gemini.read_response(&bytes);
        let mut out = Vec::new();
        let mut reader = Gemini.reader();
        let _ = reader.read(None, &bytes, &mut out);
        let _ = reader.end(&mut out);
    }
}
