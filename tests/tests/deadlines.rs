//! Each deadline ends what it is for, and no other.

use aisix_tests::{
    client::Client,
    gateway::{Gateway, Setup},
    upstream::{Answer, Flavour, Gate, Reply, Step, Upstream},
};
use serde_json::{Value, json};

async fn house(upstream_settings: Value, model: Value) -> (Upstream, Gateway, Client) {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    let mut settings = json!({"upstream": {"retries": 0}});
    for (name, value) in upstream_settings.as_object().expect("members") {
        settings["upstream"][name] = value.clone();
    }
    let mut members = json!({"model_name": "text"});
    for (name, value) in model.as_object().expect("members") {
        members[name] = value.clone();
    }
    let setup = Setup::new()
        .provider(&upstream)
        .model("text", members)
        .config(settings);
    let gateway = Gateway::start(setup).await;
    let client = Client::new(gateway.proxy());
    (upstream, gateway, client)
}

/// A stream that says nothing after this many events; the first carries only the role.
fn silent_after(events: usize) -> Answer {
    Answer::text(["Hel", "lo"]).after(events, Step::Stall)
}

#[tokio::test]
async fn before_any_content_a_deadline_is_a_504() {
    // Which deadline, whether streamed, and whether the upstream sends a head.
    let table = [
        (json!({"timeout_ms": 200}), json!({}), false, false),
        (json!({}), json!({"timeout": 200}), true, false),
        (json!({"head_timeout_ms": 200}), json!({}), false, false),
        (json!({"head_timeout_ms": 200}), json!({}), true, false),
        (
            json!({"first_token_timeout_ms": 200}),
            json!({}),
            true,
            true,
        ),
        (
            json!({}),
            json!({"timeout": 60_000, "stream_timeout": 200}),
            true,
            true,
        ),
    ];
    for (settings, model, streamed, head) in table {
        let (upstream, _gateway, client) = house(settings.clone(), model.clone()).await;
        match head {
            true => upstream.next(silent_after(1)),
            false => upstream.next(Reply::never()),
        }
        let response = match streamed {
            true => client.chat_stream("text", "hi").await,
            false => client.chat("text", "hi").await,
        };
        let (status, body) = (response.status, response.text().await);
        assert_eq!(status, 504, "{settings} {model}: {body}");
        let error: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(error["error"]["type"], "timeout", "{error}");
        upstream.exchange(0).await.closed().await;
    }
}

#[tokio::test]
async fn after_content_a_gap_ends_the_stream_with_an_error() {
    for (settings, model) in [
        (json!({"stream_timeout_ms": 200}), json!({})),
        (json!({}), json!({"stream_timeout": 200})),
    ] {
        let (upstream, _gateway, client) = house(settings, model).await;
        upstream.next(silent_after(2));
        let response = client.chat_stream("text", "hi").await;
        assert_eq!(response.status, 200);
        let stream = response.text().await;
        assert!(
            stream.contains("Hel")
                && stream.contains("event: error")
                && stream.contains("\"timeout\""),
            "{stream}"
        );
        assert!(!stream.contains("[DONE]"), "{stream}");
        upstream.exchange(0).await.closed().await;
    }
}

#[tokio::test]
async fn a_deadline_for_the_beginning_does_not_end_a_slow_stream() {
    let settings = json!({"head_timeout_ms": 1000, "first_token_timeout_ms": 1000});
    let (upstream, _gateway, client) = house(settings, json!({})).await;
    let gate = Gate::new();
    upstream.next(Answer::text(["Hel", "lo"]).after(2, Step::Wait(gate.clone())));
    let mut stream = client.chat_stream("text", "hi").await;
    stream.data().await.expect("a first chunk");
    gate.reached().await;
    // Longer than both deadlines.
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    gate.open();
    let rest = stream.text().await;
    assert!(rest.ends_with("data: [DONE]\n\n"), "{rest}");
}

#[tokio::test]
async fn silence_is_filled_with_comments_and_commits_the_head() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    let setup = Setup::new().provider(&upstream).models(["text"]);
    let gateway =
        Gateway::start(setup.config(json!({"downstream": {"sse_keepalive_interval_secs": 1}})))
            .await;
    let (early, late) = (Gate::new(), Gate::new());
    let answer = Answer::text(["Hel", "lo"]).after(1, Step::Wait(early.clone()));
    upstream.next(answer.after(2, Step::Wait(late.clone())));
    let mut stream = Client::new(gateway.proxy()).chat_stream("text", "hi").await;
    assert_eq!(stream.status, 200);
    for gate in [early, late] {
        while stream.event().await.expect("a comment") != ":" {}
        gate.open();
    }
    let rest = stream.text().await;
    assert!(
        rest.contains("lo") && rest.ends_with("data: [DONE]\n\n"),
        "{rest}"
    );
}

#[tokio::test]
async fn a_failed_attempt_is_made_again_before_anybody_knows() {
    let (upstream, gateway, client) = house(json!({"retries": 2}), json!({})).await;
    upstream.next(Reply::error(503, "overloaded", None, "busy"));
    upstream.next(Reply::html("never sent").before(Step::Cut));
    let response = client
        .header("x-aisix-request-id", "again")
        .chat("text", "hi")
        .await;
    assert_eq!(response.status, 200);
    assert_eq!(upstream.exchanges().len(), 3);
    let line = gateway.access_log("again").await;
    assert_eq!(
        (
            &line["routing_attempt_count"],
            &line["routing_fallback_count"]
        ),
        (&json!(3), &json!(0))
    );
}
