//! The harness and the binary agree on how a gateway is started, told and stopped.

use aisix_tests::{
    client::Client,
    gateway::{self, Gateway, Setup, Signal},
    upstream::{Answer, Flavour, Upstream},
};
use serde_json::json;

#[tokio::test]
async fn a_call_reaches_the_provider_and_both_logs() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    upstream.on("text", Answer::text(["Hello"]).usage(20, 5));
    let gateway = Gateway::start(
        Setup::new()
            .provider(&upstream)
            .model("alias", json!({"model_name": "text"})),
    )
    .await;
    let client = Client::new(gateway.proxy()).header("x-aisix-request-id", "agreed");
    let answer = client.chat("alias", "hi").await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("x-aisix-request-id")),
        (200, Some("agreed"))
    );
    assert_eq!(
        answer.json().await["choices"][0]["message"]["content"],
        "Hello"
    );
    let line = gateway.access_log("agreed").await;
    assert_eq!(
        (&line["status"], &line["total_tokens"]),
        (&json!(200), &json!(25))
    );
    assert!(gateway.metrics().await.contains("aisix_requests_total{"));
    assert!(
        !gateway.printed().contains(gateway::KEY),
        "a credential was printed"
    );
}

#[tokio::test]
async fn deepseek_is_called_without_v1() {
    let upstream = Upstream::start(Flavour::DeepSeek).await;
    let gateway = Gateway::start(Setup::new().provider(&upstream).models(["text"])).await;
    assert_eq!(
        Client::new(gateway.proxy()).chat("text", "hi").await.status,
        200
    );
    assert_eq!(upstream.exchange(0).await.request.path, "/chat/completions");
}

#[tokio::test]
async fn hangup_reloads_the_resources() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    let setup = Setup::new().provider(&upstream);
    let gateway = Gateway::start(setup.clone()).await;
    let client = Client::new(gateway.proxy());
    assert_eq!(client.chat("text", "hi").await.status, 404);
    gateway.write_resources(&setup.models(["text"]));
    gateway.signal(Signal::HUP);
    gateway.reloaded(1).await;
    assert_eq!(client.chat("text", "hi").await.status, 200);
}

#[tokio::test]
async fn a_bad_resources_file_stops_the_start_with_every_error() {
    let setup = Setup::new()
        .entry("models", json!({"display_name": "a"}))
        .entry("models", json!({"colour": 1}));
    let printed = Gateway::try_start(setup)
        .await
        .expect_err("the file is bad");
    assert!(
        printed.contains("models[0]") && printed.contains("models[1]"),
        "{printed}"
    );
    assert!(printed.contains("exit status: 1"), "{printed}");
    assert_eq!(printed.matches("error(s):").count(), 1, "{printed}");
}

#[tokio::test]
async fn terminate_ends_the_process_in_order() {
    let mut gateway = Gateway::start(Setup::new()).await;
    gateway.signal(Signal::TERM);
    assert!(gateway.exited().await.success());
}
