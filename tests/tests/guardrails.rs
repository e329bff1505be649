//! Guardrails through the real binary: from a file, and from the Admin API with attachments.

use aisix_tests::{
    client::Client,
    gateway::{Gateway, KEY, Setup},
    upstream::{self, Answer, Flavour, Upstream},
};
use http::{Method, StatusCode};
use serde_json::{Value, json};

async fn house() -> Upstream {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    upstream.on("text", Answer::text(["project ", "fal", "con flies"]));
    upstream
}

fn words(word: &str, members: Value) -> Value {
    let mut document = json!({"name": word, "kind": "keyword",
        "patterns": [{"kind": "literal", "value": word}]});
    for (name, value) in members.as_object().into_iter().flatten() {
        document[name] = value.clone();
    }
    document
}

#[tokio::test]
async fn guardrails_of_a_file_guard_every_call_and_are_told_of() {
    let upstream = house().await;
    let gateway = Gateway::start(
        Setup::new()
            .provider(&upstream)
            .models(["text"])
            .entry("guardrails", words("falcon", json!({})))
            .entry(
                "guardrails",
                words("flies", json!({"enforcement_mode": "monitor"})),
            ),
    )
    .await;
    let client = |id: &str| Client::new(gateway.proxy()).header("x-aisix-request-id", id);
    let refused = client("asked").chat("text", "project Falcon").await;
    assert_eq!(refused.status, 422);
    let refused = client("answered").chat("text", "hi").await;
    assert_eq!(refused.status, 422);
    assert_eq!(
        refused.json().await["error"]["message"],
        "response blocked by content policy (guardrail 'falcon')"
    );
    let streamed = client("streamed").chat_stream("text", "hi").await;
    let streamed = streamed.text().await;
    assert!(
        streamed.contains("project ") && !streamed.contains("fal\""),
        "{streamed}"
    );

    for (id, status, outcome) in [("asked", 422, "refused"), ("streamed", 200, "failed")] {
        let line = gateway.access_log(id).await;
        assert_eq!(line["status"], status, "{line}");
        assert_eq!(line["outcome"], outcome, "{line}");
        assert_eq!(line["error_kind"], "blocked", "{line}");
        assert_eq!(line["marks"]["guardrail_blocked"], "falcon", "{line}");
    }
    let metrics = gateway.metrics().await;
    let counted = |line: &str| line == "aisix_guardrail_blocks_total 3";
    assert!(metrics.lines().any(counted), "{metrics}");
}

#[tokio::test]
async fn what_administrators_attach_guards_what_it_is_attached_to_at_once() {
    let upstream = house().await;
    let gateway = Gateway::start(Setup::embedded()).await;
    let admin = gateway.administrator().await;
    let put = async |path: &str, document: Value| {
        let json = admin.clone().header("content-type", "application/json");
        let path = format!("/aisix/admin/{path}");
        let body = document.to_string().into();
        json.send(Method::PUT, &path, body).await.status
    };
    for name in ["free", "guarded"] {
        let provider = json!({"api_key": upstream::KEY, "api_base": upstream.base_url()});
        let model = json!({"name": name, "model": "openai/text", "provider_config": provider});
        assert_eq!(
            put(&format!("models/{name}"), model).await,
            StatusCode::CREATED
        );
    }
    let key = json!({"key": KEY, "allowed_models": ["*"]});
    assert_eq!(put("api_keys/me", key).await, StatusCode::CREATED);
    let client = Client::new(gateway.proxy());
    let asked = async || {
        let free = client.chat("free", "hi").await.status.as_u16();
        (free, client.chat("guarded", "hi").await.status.as_u16())
    };
    assert_eq!(asked().await, (200, 200));

    let wrong = words(
        "falcon",
        json!({"patterns": [{"kind": "regex", "value": "("}]}),
    );
    let refused = put("guardrails/g", wrong).await;
    assert_eq!(refused, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        put("guardrails/g", words("falcon", json!({}))).await,
        StatusCode::CREATED
    );
    assert_eq!(
        asked().await,
        (422, 422),
        "what nothing attaches applies everywhere"
    );
    let mut attachment = json!({"guardrail_id": "g", "priority": 1,
        "scope_type": "model", "scope_id": "guarded"});
    let path = "guardrail_attachments/a";
    assert_eq!(put(path, attachment.clone()).await, StatusCode::CREATED);
    assert_eq!(asked().await, (200, 422));
    attachment["enabled"] = json!(false);
    assert_eq!(put(path, attachment.clone()).await, StatusCode::OK);
    assert_eq!(asked().await, (200, 200));
    attachment["enabled"] = json!(true);
    attachment["scope_type"] = json!("api_key");
    attachment["scope_id"] = json!("me");
    assert_eq!(put(path, attachment).await, StatusCode::OK);
    assert_eq!(asked().await, (422, 422));
}
