//! DeepSeek's deviations, against an upstream as strict as DeepSeek.

use aisix_tests::{
    client::Client,
    gateway::{Gateway, Setup},
    upstream::{Answer, Flavour, Upstream},
};
use serde_json::json;

const CHAT: &str = "/v1/chat/completions";

#[tokio::test]
async fn deepseek_takes_what_a_client_of_openai_sends() {
    let upstream = Upstream::start(Flavour::DeepSeek).await;
    let gateway = Gateway::start(Setup::new().provider(&upstream).models(["text"])).await;
    let client = Client::new(gateway.proxy());
    let user = json!({"role": "user", "content": "Name as JSON"});
    let called = json!({"role": "assistant", "content": "", "tool_calls": [
        {"id": "call_0", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]});
    let result = json!({"role": "tool", "tool_call_id": "call_0", "content": "sunny"});
    let schema = json!({"type": "json_schema", "json_schema": {"name": "person", "schema": {"type": "object", "title": "Person"}}});
    // What is sent, and what must have become of a member.
    let table = [
        (
            "developer",
            json!({"messages": [{"role": "developer", "content": "be kind"}, user]}),
            "/messages/0/role",
            json!("system"),
        ),
        (
            "max_completion_tokens",
            json!({"messages": [user], "max_completion_tokens": 9}),
            "/max_tokens",
            json!(9),
        ),
        (
            "json_schema",
            json!({"messages": [user], "response_format": schema}),
            "/response_format",
            json!({"type": "json_object"}),
        ),
        (
            "lost reasoning",
            json!({"messages": [user, called, result]}),
            "/messages/1/reasoning_content",
            json!(""),
        ),
    ];
    for (number, (what, mut body, place, value)) in table.into_iter().enumerate() {
        body["model"] = "text".into();
        let response = client.post(CHAT, &body).await;
        let (status, answer) = (response.status, response.text().await);
        assert_eq!(status, 200, "{what}: {answer}");
        let sent = upstream.exchange(number).await.request.json();
        assert_eq!(sent.pointer(place), Some(&value), "{what}: {sent}");
        assert_eq!(sent.get("max_completion_tokens"), None, "{what}: {sent}");
        if what == "json_schema" {
            assert!(sent["messages"][0].to_string().contains("Person"), "{sent}");
        }
    }
    // With thinking off nothing is asked back, so nothing is added.
    let off = json!({"model": "text", "messages": [user, called, result], "thinking": {"type": "disabled"}}).to_string();
    assert_eq!(client.post_bytes(CHAT, off.clone()).await.status, 200);
    assert_eq!(upstream.exchange(4).await.request.body, off);
}

#[tokio::test]
async fn deepseek_gets_the_very_bytes_of_a_request_without_deviations() {
    let upstream = Upstream::start(Flavour::DeepSeek).await;
    let gateway = Gateway::start(Setup::new().provider(&upstream).models(["text"])).await;
    let body = r#"{ "messages" : [ {"content":"caf\u00e9","role":"user"} ],"x":1.0,  "model":"text","max_tokens":5 }"#;
    assert_eq!(
        Client::new(gateway.proxy())
            .post_bytes(CHAT, body)
            .await
            .status,
        200
    );
    assert_eq!(upstream.exchange(0).await.request.body, body);
}

#[tokio::test]
async fn deepseek_shows_its_reasoning_and_has_no_embeddings() {
    let upstream = Upstream::start(Flavour::DeepSeek).await;
    upstream.on("text", Answer::text(["Hi"]).reasoning(&["Hm", "m"]));
    let gateway = Gateway::start(Setup::new().provider(&upstream).models(["text"])).await;
    let client = Client::new(gateway.proxy());
    let answer = client.chat("text", "hi").await.json().await;
    assert_eq!(answer["choices"][0]["message"]["reasoning_content"], "Hmm");
    let embedding = client
        .post("/v1/embeddings", &json!({"model": "text", "input": "a"}))
        .await;
    assert_eq!(embedding.status, 501);
    assert_eq!(embedding.json().await["error"]["type"], "not_implemented");
}
