//! Rate limits, through the binary: taken together, held to the end, told truly.

use aisix_tests::{
    client::{Client, Response},
    gateway::{Gateway, Setup},
    left_in_minute, room_in_minute,
    upstream::{Answer, Flavour, Gate, Step, Upstream},
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const CHAT: &str = "/v1/chat/completions";

/// A gateway with the model `text`, and a caller with this limit.
async fn limited(limit: Value, more: fn(Setup) -> Setup) -> (Upstream, Gateway, Client) {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    let setup = Setup::new()
        .provider(&upstream)
        .models(["text"])
        .config(json!({"proxy": {"workers": 2}}))
        .key(
            "limited",
            "sk-limited",
            json!({"allowed_models": ["*"], "rate_limit": limit}),
        );
    let gateway = Gateway::start(more(setup)).await;
    let client = Client::anonymous(gateway.proxy()).header("x-api-key", "sk-limited");
    (upstream, gateway, client)
}

/// Finishes a call, and waits until it is accounted for.
async fn settled(gateway: &Gateway, response: Response) -> u16 {
    let id = response
        .header("x-aisix-request-id")
        .expect("always sent")
        .to_owned();
    let status = response.status.as_u16();
    response.text().await;
    gateway.access_log(&id).await;
    status
}

/// Asserts that a call was refused by this limit until the minute ends.
async fn refused_for_the_minute(response: Response, limit: &str) {
    let told: u64 = response
        .header("retry-after")
        .and_then(|text| text.parse().ok())
        .expect("whole seconds");
    assert!(
        told.abs_diff(left_in_minute()) <= 1,
        "{told} s are told, {} are left",
        left_in_minute()
    );
    assert_eq!(response.status, 429);
    let error = response.json().await["error"].clone();
    assert_eq!(
        (&error["type"], &error["message"]),
        (&json!("rate_limit_exceeded"), &json!(limit))
    );
}

#[tokio::test]
async fn requests_of_a_minute_are_counted_and_told() {
    let limits = json!({"rpm": 2, "tpm": 1000, "concurrency": 5});
    let (upstream, gateway, client) = limited(limits, |setup| setup).await;
    room_in_minute().await;
    for left in ["1", "0"] {
        let response = client.chat("text", "hi").await;
        let header = |name: &str| response.header(name).unwrap_or_default().to_owned();
        let told = [
            "limit-requests",
            "remaining-requests",
            "limit-tokens",
            "limit-concurrent",
            "remaining-concurrent",
        ];
        let told = told.map(|name| header(&format!("x-ratelimit-{name}")));
        assert_eq!(told, ["2", left, "1000", "5", "4"]);
        for name in ["x-ratelimit-reset-requests", "x-ratelimit-reset-tokens"] {
            let reset = header(name);
            let seconds: u64 = reset
                .strip_suffix('s')
                .and_then(|text| text.parse().ok())
                .expect("\"<n>s\"");
            assert!(seconds.abs_diff(left_in_minute()) <= 1, "{name}: {reset}");
        }
        assert_eq!(settled(&gateway, response).await, 200);
    }
    refused_for_the_minute(
        client.chat("text", "hi").await,
        "request limit exceeded (rpm)",
    )
    .await;
    assert_eq!(upstream.exchanges().len(), 2);
}

#[tokio::test]
async fn a_call_larger_than_the_token_limit_passes_once() {
    let (_upstream, gateway, client) = limited(json!({"tpm": 10}), |setup| setup).await;
    room_in_minute().await;
    let first = client.chat("text", "hi").await;
    assert_eq!(settled(&gateway, first).await, 200);
    refused_for_the_minute(
        client.chat("text", "hi").await,
        "token limit exceeded (tpm)",
    )
    .await;
}

#[tokio::test]
async fn tokens_are_reserved_while_a_call_is_in_flight_and_settled_with_what_it_used() {
    let (upstream, gateway, client) = limited(json!({"tpd": 10_000}), |setup| setup).await;
    let gate = Gate::new();
    upstream.next(Answer::text(["Hel", "lo"]).after(2, Step::Wait(gate.clone())));
    let ask = |tokens: u64, stream: bool| json!({"model": "text", "max_tokens": tokens, "stream": stream, "messages": [{"role": "user", "content": "hi"}]});
    let mut first = client.post(CHAT, &ask(9_000, true)).await;
    first.data().await.expect("a first chunk");
    assert_eq!(client.post(CHAT, &ask(2_000, false)).await.status, 429);
    assert_eq!(client.post(CHAT, &ask(500, false)).await.status, 200);
    gate.open();
    assert_eq!(settled(&gateway, first).await, 200);
    assert_eq!(client.post(CHAT, &ask(9_900, false)).await.status, 200);
}

#[tokio::test]
async fn a_slot_is_held_until_a_stream_ends_or_its_client_leaves() {
    let (upstream, gateway, client) = limited(json!({"concurrency": 1}), |setup| setup).await;
    for leaves in [false, true] {
        let gate = Gate::new();
        upstream.next(Answer::text(["Hel", "lo"]).after(2, Step::Wait(gate.clone())));
        let mut stream = client.chat_stream("text", "hi").await;
        let id = stream
            .header("x-aisix-request-id")
            .expect("always sent")
            .to_owned();
        stream.data().await.expect("a first chunk");
        let refused = client.chat("text", "hi").await;
        assert_eq!(
            (refused.status.as_u16(), refused.header("retry-after")),
            (429, None)
        );
        assert_eq!(
            refused.json().await["error"]["message"],
            "concurrency limit exceeded"
        );
        if leaves {
            drop(stream);
        } else {
            gate.open();
            stream.text().await;
        }
        gateway.access_log(&id).await;
        let free = client.chat("text", "hi").await;
        assert_eq!(settled(&gateway, free).await, 200, "leaves: {leaves}");
    }
}

#[tokio::test]
async fn all_limits_of_a_call_are_taken_or_none() {
    let (upstream, gateway, client) = limited(json!({"rpd": 1}), |setup| {
        setup
            .entry(
                "provider_keys",
                json!({"display_name": "nowhere", "api_key": "x"}),
            )
            .model(
                "closed",
                json!({"model_name": "text", "rate_limit": {"rpd": 0}}),
            )
            .model(
                "nobody",
                json!({"model_name": "text", "provider": "nobody", "provider_key": "nowhere"}),
            )
    })
    .await;
    // Refused by the model's limit, by its provider, and before any limit: the key's one call is left.
    let refusals = [("closed", 429), ("nobody", 503), ("absent", 404)];
    for (model, status) in refusals {
        let response = client.chat(model, "hi").await;
        assert_eq!(settled(&gateway, response).await, status, "{model}");
    }
    assert_eq!(
        client
            .post_bytes(CHAT, r#"{"model":"text","messages":[]}"#)
            .await
            .status,
        400
    );
    assert_eq!(client.chat("text", "hi").await.status, 200);
    assert_eq!(client.chat("text", "hi").await.status, 429);
    assert_eq!(upstream.exchanges().len(), 1);
}

#[tokio::test]
async fn a_models_limit_is_for_all_callers_and_no_header_of_theirs() {
    let (_upstream, gateway, client) = limited(json!({"rpd": 10}), |setup| {
        setup.model(
            "shared",
            json!({"model_name": "text", "rate_limit": {"rpm": 5, "rpd": 2}}),
        )
    })
    .await;
    let other = Client::new(gateway.proxy());
    assert_eq!(client.chat("shared", "hi").await.status, 200);
    let response = other.chat("shared", "hi").await;
    assert_eq!(response.status, 200);
    assert!(
        !response
            .headers
            .keys()
            .any(|name| name.as_str().starts_with("x-ratelimit"))
    );
    assert_eq!(other.chat("shared", "hi").await.status, 429);
    assert_eq!(client.chat("shared", "hi").await.status, 429);
    assert_eq!(client.chat("text", "hi").await.status, 200);
}

#[tokio::test]
async fn the_workers_share_one_window() {
    let (upstream, _gateway, client) = limited(json!({"rpd": 10}), |setup| setup).await;
    let mut calls = JoinSet::new();
    for _ in 0..40 {
        let client = client.clone();
        calls.spawn(async move { client.chat("text", "hi").await.status.as_u16() });
    }
    let statuses = calls.join_all().await;
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(200), count(429)), (10, 30));
    assert_eq!(upstream.exchanges().len(), 10);
}

#[tokio::test]
async fn a_reload_keeps_what_was_counted() {
    let limit = json!({"allowed_models": ["*"], "rate_limit": {"rpd": 1}});
    let upstream = Upstream::start(Flavour::OpenAi).await;
    let setup =
        Setup::new()
            .provider(&upstream)
            .models(["text"])
            .key("limited", "sk-limited", limit);
    let gateway = Gateway::start(setup.clone()).await;
    let client = Client::anonymous(gateway.proxy()).header("x-api-key", "sk-limited");
    assert_eq!(client.chat("text", "hi").await.status, 200);
    gateway.write_resources(&setup.models(["new"]));
    gateway.reloaded(1).await;
    assert_eq!(client.chat("new", "hi").await.status, 429);
}
