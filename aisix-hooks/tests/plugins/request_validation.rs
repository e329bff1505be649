//! What a request must look like.

use aisix_core::testing::{self, Answer, Upstream};
use serde_json::{Value, json};

use crate::ask::*;

fn validation(schema: &Value) -> Value {
    json!([{"name": "request_validation", "settings": {"schema": schema}}])
}

#[tokio::test]
async fn what_the_schema_does_not_describe_is_refused_by_its_path() {
    let upstream = Upstream::new();
    let schema = json!({"properties": {"messages": {"items": {
        "properties": {"content": {"type": "string", "maxLength": 3}}}}}});
    let gateway = gateway(&upstream, validation(&schema));
    upstream.answer(Answer::chat("hello"));
    let response = send(&gateway, testing::chat_request("hi")).await;
    assert_eq!(response.status(), 200);
    let response = send(&gateway, testing::chat_request("longer")).await;
    assert_eq!(response.status(), 400);
    let error = &testing::json(response).await["error"];
    assert_eq!(error["param"], "/messages/0/content");
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn schemas_are_checked() {
    for schema in [
        json!({"type": 7}),
        json!({"$ref": "https://example.com/schema.json"}),
        json!({"$ref": "file:///etc/passwd"}),
        json!({"pattern": "(a{1000}){1000}"}),
        json!({"description": "x".repeat(70_000)}),
    ] {
        let said = wrong(validation(&schema));
        assert!(said.contains("settings.schema"), "{said}");
    }
}
