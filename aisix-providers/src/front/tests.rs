//! What reaches the front of Gemini, byte for byte, through the gateway, and what its refusals become.

use aisix_core::testing::{self, Answer, MODEL, Setup, Upstream};
use http::Response;
use serde_json::json;
use tower::ServiceExt;

/// A chat with these messages at a model of this name: what the upstream got, and the answer.
async fn chat(
    name: &str,
    messages: &str,
    answer: Answer,
) -> (String, Response<aisix_core::body::Body>) {
    let upstream = Upstream::new();
    upstream.answer(answer);
    let key = json!({"provider": "gemini", "adapter": "openai", "api_key": "sk"});
    let gateway = Setup::new()
        .providers(crate::registry())
        .provider_key(key)
        .model(json!({"provider": "gemini", "model_name": name}))
        .gateway(&upstream);
    let body = format!(r#"{{"model":"{MODEL}","messages":[{messages}]}}"#);
    let request = testing::request("/v1/chat/completions", body);
    let response = gateway.oneshot(request).await.unwrap();
    let sent = upstream.last_request();
    let uri = "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions";
    assert_eq!(sent.head.uri, uri);
    let sent = sent.text().replace(name, MODEL);
    let (_, sent) = sent.split_once(r#""messages":["#).unwrap();
    (sent.strip_suffix("]}").unwrap().to_owned(), response)
}

#[tokio::test]
async fn the_first_of_calls_without_a_signature_gets_one() {
    let messages = r#"{"role":"assistant","tool_calls":[{"id":"a"},{"id":"b"}]},{"role":"user","tool_calls":[]}"#;
    let signed = messages.replace(
        r#"{"id":"a"}"#,
        r#"{"extra_content":{"google":{"thought_signature":"skip_thought_signature_validator"}},"id":"a"}"#,
    );
    for (name, wanted) in [
        ("gemini-3-pro", signed.as_str()),
        ("gemini-2.5-pro", messages),
    ] {
        let (sent, response) = chat(name, messages, Answer::chat("hi")).await;
        assert_eq!(sent, wanted, "{name}");
        assert_eq!(response.status(), 200);
    }
}

#[tokio::test]
async fn what_is_signed_or_makes_no_sense_stays_as_it_is() {
    for messages in [
        r#"{"tool_calls":[{"id":"a","extra_content":{"google":{"thought_signature":"x"}}},{"id":"b"}]}"#,
        r#"{"tool_calls":[{"id":"a"},{"id":"b","extra_content":{}}]}"#,
        r#"{"tool_calls":"none"},{"tool_calls":[5]}"#,
    ] {
        assert_eq!(
            chat("gemini-3-pro", messages, Answer::chat("hi")).await.0,
            messages
        );
    }
}

#[tokio::test]
async fn refusals_are_read_in_googles_envelope() {
    let refusal = |status: u16, detail: serde_json::Value| {
        let error = json!({"code": status, "message": "no", "status": "S", "details": [detail]});
        Answer::json(status, &json!([{ "error": error }]))
    };
    let reason =
        json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"});
    let retry = json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17s"});
    let user = r#"{"role":"user","content":"hi"}"#;
    let (_, response) = chat("gemini-3-pro", user, refusal(400, reason)).await;
    assert_eq!(response.status(), 401);
    let (_, response) = chat("gemini-3-pro", user, refusal(429, retry)).await;
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "17");
}
