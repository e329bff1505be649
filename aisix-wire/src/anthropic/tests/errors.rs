use crate::anthropic::{derived_code, read_error, read_response, status_of};
use crate::openai::ResponseError;

#[test]
fn a_refusal_keeps_its_type_and_gets_the_code_that_others_know() {
    let body = br#"{"type":"error","error":{"type":"rate_limit_error","message":"slow"},"request_id":"req_1"}"#;
    let refusal = read_error(body).unwrap();
    assert_eq!(refusal.message, "slow");
    assert_eq!(refusal.kind.as_deref(), Some("rate_limit_error"));
    assert_eq!(refusal.code.as_deref(), Some("rate_limit_exceeded"));
    assert_eq!(read_error(b"<html>"), None);
}

#[test]
fn overload_keeps_its_meaning() {
    assert_eq!(status_of("overloaded_error"), Some(529));
    let body = br#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let refusal = read_error(body).unwrap();
    assert_eq!(refusal.kind.as_deref(), Some("overloaded_error"));
    assert_eq!(refusal.code, None);
}

#[test]
fn codes_are_derived_as_the_table_says() {
    for (kind, code) in [
        ("authentication_error", "invalid_api_key"),
        ("permission_error", "permission_denied"),
        ("not_found_error", "model_not_found"),
        ("request_too_large", "request_too_large"),
        ("rate_limit_error", "rate_limit_exceeded"),
    ] {
        assert_eq!(derived_code(kind), Some(code));
    }
    for kind in ["api_error", "invalid_request_error", "news", ""] {
        assert_eq!(derived_code(kind), None);
    }
}

#[test]
fn an_answer_tells_its_facts_or_is_none() {
    let body = include_bytes!("../../../tests/fixtures/anthropic/response/thinking_and_tools.json");
    let facts = read_response(body).unwrap();
    assert_eq!(facts.id.as_deref(), Some("msg_2"));
    assert_eq!(facts.model.as_deref(), Some("claude"));
    assert_eq!(facts.finish_reason.as_deref(), Some("tool_use"));
    let usage = facts.usage.unwrap();
    assert_eq!(
        (usage.input, usage.cache_read, usage.cache_write),
        (40, 60, 5)
    );
    assert_eq!((usage.output, usage.reasoning), (5, 4));

    assert_eq!(read_response(b" \n"), Err(ResponseError::Empty));
    assert_eq!(read_response(b"<html>"), Err(ResponseError::NotJson));
    let inband = br#"{"type":"error","error":{"type":"api_error","message":"m"}}"#;
    assert!(matches!(
        read_response(inband),
        Err(ResponseError::InBand(_))
    ));
}
