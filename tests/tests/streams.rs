//! What passes through the gateway, and when: bytes unchanged, content at once, usage only on demand.

use aisix_tests::{
    client::Client,
    gateway::{Gateway, Setup},
    upstream::{Answer, Flavour, Gate, Step, Upstream},
};
use serde_json::{Value, json};

async fn house() -> (Upstream, Gateway, Client) {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    let setup = Setup::new().provider(&upstream).models(["text", "stalls"]);
    let gateway = Gateway::start(setup.model("alias", json!({"model_name": "text"}))).await;
    let client = Client::new(gateway.proxy());
    (upstream, gateway, client)
}

#[tokio::test]
async fn the_client_bytes_reach_the_provider_but_for_the_model() {
    let (upstream, _gateway, client) = house().await;
    let body = |model: &str| {
        format!(
            "{{ \"x\" : 1.50,\n \"messages\":[{{\"role\":\"user\",\"content\":\"\\u00e9 \\/\"}}],\t\"model\" : \"{model}\", \
             \"seed\":0, \"big\":12345678901234567890123, \"nested\":{{\"model\":\"mine\"}} }}"
        )
    };
    assert_eq!(
        client
            .post_bytes("/v1/chat/completions", body("alias"))
            .await
            .status,
        200
    );
    assert_eq!(upstream.exchange(0).await.request.body, body("text"));
}

#[tokio::test]
async fn content_is_relayed_while_the_provider_still_thinks() {
    let (upstream, _gateway, client) = house().await;
    let gate = Gate::new();
    upstream.next(Answer::text(["Hel", "lo"]).after(2, Step::Wait(gate.clone())));
    let mut response = client.chat_stream("text", "hi").await;
    assert_eq!(
        response
            .header("content-type")
            .map(|kind| kind.starts_with("text/event-stream")),
        Some(true)
    );
    while response.data().await.expect("a chunk")["choices"][0]["delta"]["content"] != "Hel" {}
    assert!(upstream.exchange(0).await.going_on());
    gate.open();
    assert!(response.text().await.ends_with("data: [DONE]\n\n"));
}

#[tokio::test]
async fn usage_is_asked_for_and_kept_from_who_did_not_ask() {
    let (upstream, gateway, client) = house().await;
    let ask = async |options: Option<Value>| {
        let mut body = json!({"model": "text", "stream": true, "messages": [{"role": "user", "content": "hi"}]});
        if let Some(options) = options {
            body["stream_options"] = options;
        }
        let response = client.post("/v1/chat/completions", &body).await;
        let id = response
            .header("x-aisix-request-id")
            .expect("always sent")
            .to_owned();
        (id, response.text().await)
    };
    let (id, stream) = ask(None).await;
    assert!(
        !stream.contains("total_tokens") && stream.ends_with("data: [DONE]\n\n"),
        "{stream}"
    );
    assert_eq!(gateway.access_log(&id).await["total_tokens"], 15);
    assert_eq!(
        upstream.exchange(0).await.request.json()["stream_options"],
        json!({"include_usage": true})
    );

    let (id, stream) = ask(Some(json!({"include_usage": true}))).await;
    assert!(stream.contains("\"total_tokens\":15"), "{stream}");
    assert_eq!(gateway.access_log(&id).await["total_tokens"], 15);

    // Limits and accounts need the figure, whatever the caller wants to see.
    let (id, stream) = ask(Some(json!({"include_usage": false}))).await;
    let asked = upstream.exchange(2).await.request.json();
    assert_eq!(asked["stream_options"], json!({"include_usage": true}));
    assert!(!stream.contains("total_tokens"), "{stream}");
    assert_eq!(gateway.access_log(&id).await["total_tokens"], 15);
}

#[tokio::test]
async fn a_caller_who_leaves_gives_back_its_slot_and_cancels_the_provider() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    let one_at_a_time = json!({"allowed_models": ["*"], "rate_limit": {"concurrency": 1}});
    let setup =
        Setup::new()
            .provider(&upstream)
            .models(["text"])
            .key("single", "sk-single", one_at_a_time);
    let gateway = Gateway::start(setup).await;
    let client = Client::anonymous(gateway.proxy()).header("authorization", "Bearer sk-single");
    upstream.next(Answer::text(["Hel", "lo"]).after(2, Step::Stall));
    let mut first = client.chat_stream("text", "hi").await;
    let id = first
        .header("x-aisix-request-id")
        .expect("always sent")
        .to_owned();
    while first.data().await.expect("a chunk")["choices"][0]["delta"]["content"] != "Hel" {}

    let second = client.chat("text", "hi").await;
    assert_eq!(
        (second.status.as_u16(), second.header("retry-after")),
        (429, None)
    );
    assert_eq!(second.json().await["error"]["type"], "rate_limit_exceeded");

    drop(first);
    upstream.exchange(0).await.closed().await;
    gateway.access_log(&id).await;
    assert_eq!(client.chat("text", "hi").await.status, 200);
}
