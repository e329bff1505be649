use serde_json::json;

use super::{value, written};
use crate::chat::OnUnsupported;
use crate::gemini::{Encoding, write_embed_request, write_embed_response};
use crate::{ResponseError, Usage};

#[test]
fn embeddings_are_translated_as_the_fixtures_say() {
    for text in [
        include_str!("../../../tests/fixtures/gemini/embed/one.json"),
        include_str!("../../../tests/fixtures/gemini/embed/base64.json"),
    ] {
        let golden = value(text);
        let model = golden["model"].as_str().unwrap();
        let body = golden["openai"].to_string();
        let request =
            write_embed_request(body.as_bytes(), model, OnUnsupported::default()).unwrap();
        assert_eq!(written(&request.body), golden["gemini"]);
        assert_eq!(json!(request.dropped), golden["dropped"]);
        let answer = golden["answer"].to_string();
        let list = write_embed_response(answer.as_bytes(), model, request.encoding).unwrap();
        assert_eq!(written(&list.body), golden["list"]);
    }
}

#[test]
fn numbers_of_vectors_keep_their_text() {
    let answer = br#"{"embedding":{"values":[0.10, -1e-7, 12345678901234567890]}}"#;
    let list = write_embed_response(answer, "e", Encoding::Float).unwrap();
    let text = String::from_utf8(list.body.to_vec()).unwrap();
    assert!(text.contains("[0.10,-1e-7,12345678901234567890]"), "{text}");
    assert_eq!(list.usage, None);
    let answer = br#"{"embeddings":[{"values":[1]}],"usageMetadata":{"promptTokenCount":3}}"#;
    let usage = write_embed_response(answer, "e", Encoding::Float)
        .unwrap()
        .usage;
    assert_eq!(
        usage,
        Some(Usage {
            input: 3,
            ..Usage::default()
        })
    );
}

#[test]
fn inputs_that_are_not_text_are_refused_by_name() {
    for body in [
        r#"{"model":"e"}"#,
        r#"{"input":[1,2]}"#,
        r#"{"input":[[1]]}"#,
        r#"{"input":[]}"#,
        r#"{"input":7}"#,
        r#"{"input":["a",{}]}"#,
    ] {
        let refused =
            write_embed_request(body.as_bytes(), "e", OnUnsupported::default()).unwrap_err();
        assert!(refused.param.starts_with("input"), "{body}: {refused:?}");
    }
    let body = br#"{"input":"a","encoding_format":"int8"}"#;
    assert_eq!(
        write_embed_request(body, "e", OnUnsupported::default())
            .unwrap_err()
            .param,
        "encoding_format"
    );
    let body = br#"{"input":"a","user":"u"}"#;
    assert_eq!(
        write_embed_request(body, "e", OnUnsupported::Refuse)
            .unwrap_err()
            .param,
        "user"
    );
}

#[test]
fn an_answer_without_vectors_is_none() {
    for (body, error) in [
        (&b"{}"[..], ResponseError::NotJson),
        (b"", ResponseError::Empty),
        (b"<html>", ResponseError::NotJson),
    ] {
        assert_eq!(write_embed_response(body, "e", Encoding::Float), Err(error));
    }
    let refused = write_embed_response(
        br#"[{"error":{"code":429,"message":"slow"}}]"#,
        "e",
        Encoding::Float,
    );
    assert!(matches!(refused, Err(ResponseError::InBand(refusal)) if refusal.message == "slow"));
}
