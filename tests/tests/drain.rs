//! How the process goes: nobody is dropped, unless somebody cannot wait.

use aisix_tests::{
    client::{Client, Response},
    gateway::{Gateway, Setup, Signal},
    upstream::{Answer, Flavour, Gate, Step, Upstream},
};
use serde_json::{Value, json};

/// A gateway with a stream in flight, which waits at the gate.
async fn house(min_drain_secs: u32) -> (Upstream, Gateway, Response, Gate) {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    let setup = Setup::new().provider(&upstream).models(["text"]);
    let setup = setup.config(json!({"shutdown": {"min_drain_secs": min_drain_secs}}));
    let gateway = Gateway::start(setup).await;
    let gate = Gate::new();
    upstream.next(Answer::text(["Hel", "lo"]).after(2, Step::Wait(gate.clone())));
    let mut stream = Client::new(gateway.proxy()).chat_stream("text", "hi").await;
    stream.data().await.expect("a first chunk");
    gate.reached().await;
    (upstream, gateway, stream, gate)
}

async fn draining(gateway: &Gateway) {
    gateway.signal(Signal::TERM);
    let told = |line: &Value| line["message"] == "draining";
    gateway.logged("the drain", told).await;
}

#[tokio::test]
async fn a_drain_serves_who_comes_and_waits_for_who_is_there() {
    let (upstream, mut gateway, stream, gate) = house(2).await;
    draining(&gateway).await;
    let client = Client::new(gateway.proxy());
    let ready = client.get("/readyz").await;
    assert_eq!(ready.status, 503);
    assert!(ready.text().await.contains("[-]shutdown"));
    assert_eq!(client.get("/livez").await.status, 503);
    assert_eq!(client.chat("text", "hi").await.status, 200);
    gateway.refuses_connections().await;
    assert!(upstream.exchange(0).await.going_on());
    gate.open();
    let rest = stream.text().await;
    assert!(rest.ends_with("data: [DONE]\n\n"), "{rest}");
    assert_eq!(gateway.exited().await.code(), Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let (upstream, mut gateway, mut stream, _gate) = house(60).await;
    draining(&gateway).await;
    gateway.signal(Signal::INT);
    gateway.exited().await;
    upstream.exchange(0).await.closed().await;
    while let Ok(piece) = stream.piece().await {
        assert!(piece.is_some(), "the stream looks complete");
    }
}
