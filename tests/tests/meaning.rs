//! Models that choose by meaning, and models that are asked in the background, through the real binary and from a file.

use aisix_tests::{
    client::Client,
    gateway::{Gateway, Setup},
    patiently,
    upstream::{Answer, Flavour, Reply, Script, Upstream},
};
use serde_json::{Value, json};

/// Makes vectors of texts about code, and of all others.
fn embedder() -> Script {
    Script::new(|request| {
        let asked: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let texts = match &asked["input"] {
            Value::Array(texts) => texts.clone(),
            text => vec![text.clone()],
        };
        let vectors = texts.iter().enumerate().map(|(index, text)| {
            let is_code = text.as_str().unwrap_or_default().contains("function");
            let vector = if is_code { [1.0, 0.0] } else { [0.0, 1.0] };
            json!({"object": "embedding", "index": index, "embedding": vector})
        });
        let data: Vec<_> = vectors.collect();
        let usage = json!({"prompt_tokens": 3, "total_tokens": 3});
        Reply::json(&json!({"object": "list", "data": data, "usage": usage}))
    })
}

#[tokio::test]
async fn a_request_goes_to_the_model_that_suits_what_it_means() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    upstream.on("large", Answer::text(["from the large one"]));
    upstream.on("small", Answer::text(["from the small one"]));
    upstream.on("embedder", embedder());
    let routes = json!([{"name": "code", "target": "large", "examples": ["write a function"]}]);
    let semantic = json!({"embedding_model": "embedder", "default": "small", "match": {"threshold": 0.5},
        "routes": routes});
    let setup = Setup::new()
        .provider(&upstream)
        .models(["large", "small", "embedder"])
        .entry(
            "models",
            json!({"display_name": "by-meaning", "semantic": semantic}),
        );
    let gateway = Gateway::start(setup).await;
    for (id, said, by, route) in [
        ("code", "this function is slow", "large", Some("code")),
        ("other", "good morning", "small", None),
    ] {
        let client = Client::new(gateway.proxy()).header("x-aisix-request-id", id);
        let response = client.chat("by-meaning", said).await;
        assert_eq!(response.status, 200);
        assert_eq!(response.header("x-aisix-served-by"), Some(by));
        assert_eq!(response.header("x-aisix-route"), route);
        let text = response.text().await;
        assert!(text.contains(&format!("from the {by} one")), "{text}");
    }
    let line = gateway.access_log("code").await;
    assert_eq!(line["marks"]["semantic_route"], "code", "{line}");
    assert_eq!(line["served_by_model"], "large", "{line}");
    let metrics = gateway.metrics().await;
    // The examples once, and each text.
    let tokens = "aisix_tokens_consumed_total{provider=\"openai\",model=\"embedder\"} 9";
    assert!(metrics.contains(tokens), "{metrics}");
}

#[tokio::test]
async fn a_model_is_asked_before_anybody_calls_it() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    upstream.on(
        "broken",
        Reply::error(500, "server_error", None, "out of order"),
    );
    upstream.on("well", Answer::text(["hello"]));
    let check = json!({"enabled": true, "interval_seconds": 5, "timeout_seconds": 5, "prompt": "ping",
        "max_tokens": 1, "stale_after_seconds": 600});
    let targets = json!([{"model": "broken"}, {"model": "well"}]);
    let setup = Setup::new()
        .provider(&upstream)
        .model(
            "broken",
            json!({"model_name": "broken", "background_model_check": check}),
        )
        .models(["well"])
        .entry(
            "models",
            json!({"display_name": "group", "routing": {"targets": targets}}),
        );
    let gateway = Gateway::start(setup).await;
    let aside = Client::anonymous(gateway.metrics_listener());
    let told = async || aside.get("/status/models").await.json().await[0].clone();
    patiently("a check", async {
        while told().await["last_checked_at"].is_null() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await;
    let told = told().await;
    assert_eq!(told["status"], "unhealthy", "{told}");
    assert_eq!(told["status_reason"], "upstream_server_error", "{told}");
    assert_eq!(told["last_check_status"], 500, "{told}");
    let response = Client::new(gateway.proxy()).chat("group", "hi").await;
    assert_eq!(response.header("x-aisix-served-by"), Some("well"));
    assert_eq!(response.header("x-aisix-attempts"), Some("1"));
    response.text().await;
}
