//! `/v1/messages/count_tokens`.

use aisix_core::testing::{self, Answer};
use serde_json::json;

use crate::{House, message};

const PATH: &str = "/v1/messages/count_tokens";

#[tokio::test]
async fn anthropic_counts_the_very_bytes() {
    let house = House::of("anthropic", testing::MODEL);
    let answer = Answer::json(200, &json!({"input_tokens": 2095}));
    let (response, mut exchange) = house.post(PATH, message(), answer).await;
    let sent = exchange.request().await;
    let address = "https://api.anthropic.com/v1/messages/count_tokens";
    assert_eq!(sent.head.uri.to_string(), address);
    let mut body = message();
    body["model"] = testing::MODEL.into();
    assert_eq!(sent.text(), body.to_string());
    assert_eq!(testing::json(response).await, json!({"input_tokens": 2095}));
}

#[tokio::test]
async fn other_providers_do_not_count() {
    for provider in ["openai", "gemini", "deepseek"] {
        let house = House::of(provider, "x");
        let answer = Answer::json(200, &json!({"input_tokens": 1}));
        let (response, _) = house.post(PATH, message(), answer).await;
        assert_eq!(response.status(), 400, "{provider}");
        let error = testing::json(response).await;
        assert_eq!(error["error"]["type"], "invalid_request_error");
        let said = error["error"]["message"].as_str().unwrap();
        assert!(said.contains("does not support"), "{said}");
        assert!(house.upstream.requests().is_empty());
    }
}
