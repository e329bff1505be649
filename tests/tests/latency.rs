//! Calls that another target answers as well, because the first takes its time, through the real binary.

use aisix_tests::{
    client::Client,
    gateway::{Gateway, Setup},
    upstream::{Answer, Flavour, Reply, Step, Upstream},
};
use serde_json::{Value, json};

#[tokio::test]
async fn who_is_faster_answers_and_the_other_is_left() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    upstream.on("quick", Answer::text(["from the quick one"]));
    let targets = json!([{"model": "slow"}, {"model": "quick"}]);
    let hedging = json!({"min_delay_ms": 1, "max_extra_share": 1});
    let group =
        json!({"display_name": "chat", "routing": {"targets": targets, "hedging": hedging}});
    let setup = Setup::new()
        .provider(&upstream)
        .models(["slow", "quick"])
        .entry("models", group);
    let gateway = Gateway::start(setup).await;
    for streamed in [false, true] {
        // It takes the request and is silent, before its head or behind it.
        upstream.on(
            "slow",
            match streamed {
                false => Reply::never(),
                true => Reply::stream("text/event-stream", [""]).after(0, Step::Stall),
            },
        );
        let id = format!("asked-{streamed}");
        let client = Client::new(gateway.proxy()).header("x-aisix-request-id", &id);
        let response = match streamed {
            false => client.chat("chat", "hi").await,
            true => client.chat_stream("chat", "hi").await,
        };
        assert_eq!(response.status, 200);
        assert_eq!(response.header("x-aisix-served-by"), Some("quick"));
        assert_eq!(response.header("x-aisix-attempts"), Some("2"));
        assert!(response.text().await.contains("from the quick one"));
        let line = gateway.access_log(&id).await;
        let of = |model: &str| -> Value {
            let attempts = line["attempts"].as_array().expect("a list");
            let found = attempts.iter().find(|attempt| attempt["model"] == model);
            found.expect("it was asked").clone()
        };
        assert_eq!(of("quick")["kind"], "hedge", "{line}");
        assert_eq!(of("slow")["abandoned"], true, "{line}");
    }
    // Its connections are closed: it works for nobody.
    for exchange in upstream.exchanges() {
        if exchange.request.model().as_deref() == Some("slow") {
            exchange.closed().await;
        }
    }
    let metrics = gateway.metrics().await;
    let line = metrics
        .lines()
        .find(|line| line.starts_with("aisix_routing_hedges_total{"));
    let line = line.expect("it is counted");
    assert!(
        line.contains("outcome=\"served\"") && line.ends_with(" 2"),
        "{line}"
    );
}
