//! A cache that answers what is alike, through the real binary and from a file.

use aisix_tests::{
    client::{Client, Response},
    gateway::{Gateway, Setup},
    upstream::{Answer, Flavour, Reply, Script, Upstream},
};
use serde_json::{Value, json};

/// Makes vectors of what is said about rain, and of everything else.
fn embedder() -> Script {
    Script::new(|request| {
        let asked: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let text = asked["input"].as_str().unwrap_or_default();
        let vector = match (text.contains("rain"), text.len()) {
            (true, length) if length % 2 == 0 => [1.0, 0.0, 0.0],
            (true, _) => [0.9, 0.1, 0.0],
            (false, _) => [0.0, 0.0, 1.0],
        };
        let usage = json!({"prompt_tokens": 3, "total_tokens": 3});
        let data = json!([{"object": "embedding", "index": 0, "embedding": vector}]);
        Reply::json(&json!({"object": "list", "data": data, "usage": usage}))
    })
}

async fn house() -> (Upstream, Gateway) {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    upstream.on("text", Answer::text(["Take an umbrella."]));
    upstream.on("embedder", embedder());
    let semantic = json!({"embedding_model": "embedder", "threshold": 0.95, "max_entries": 10,
        "embedding_timeout_ms": 5_000});
    let policy = json!({"name": "alike", "streaming": true, "semantic": semantic});
    let setup = Setup::new()
        .provider(&upstream)
        .models(["text", "embedder"])
        .entry("cache_policies", policy);
    let gateway = Gateway::start(setup).await;
    (upstream, gateway)
}

fn said(response: &Response) -> [&str; 3] {
    let names = [
        "x-aisix-cache",
        "x-aisix-cache-layer",
        "x-aisix-cache-similarity",
    ];
    names.map(|name| response.header(name).unwrap_or_default())
}

#[tokio::test]
async fn what_is_alike_is_answered_from_memory_whole_and_as_a_stream() {
    let (upstream, gateway) = house().await;
    let client = |id: &str| Client::new(gateway.proxy()).header("x-aisix-request-id", id);
    let first = client("first").chat("text", "will it rain").await;
    assert_eq!(said(&first), ["miss", "", ""]);
    let first = first.json().await;
    let second = client("second").chat("text", "is it going to rain").await;
    assert_eq!(said(&second), ["hit", "semantic", "0.9939"]);
    assert_eq!(second.json().await, first);
    let streamed = client("streamed")
        .chat_stream("text", "is it going to rain")
        .await;
    assert_eq!(said(&streamed), ["hit", "semantic", "0.9939"]);
    let streamed = streamed.text().await;
    assert!(streamed.contains("Take an umbrella."), "{streamed}");
    assert!(streamed.ends_with("data: [DONE]\n\n"), "{streamed}");
    let other = client("other").chat("text", "what is the time").await;
    assert_eq!(said(&other), ["miss", "", ""]);
    other.text().await;

    let asked = upstream.exchanges();
    let of = |path: &str| {
        asked
            .iter()
            .filter(|it| it.request.path.ends_with(path))
            .count()
    };
    assert_eq!((of("/chat/completions"), of("/embeddings")), (2, 4));
    let line = gateway.access_log("second").await;
    assert_eq!(line["marks"]["cache_hit_layer"], "semantic", "{line}");
    assert_eq!(line["marks"]["cache_similarity"], "0.9939", "{line}");
    assert!(line["marks"]["cache_embedding_ms"].is_string(), "{line}");
    assert_eq!(line["model"], "text", "{line}");
    // The question for a vector was no attempt of the call.
    assert!(line["routing_attempt_count"].is_null(), "{line}");
    let metrics = gateway.metrics().await;
    for line in [
        "aisix_cache_requests_total{policy=\"alike\",outcome=\"hit_semantic\"} 2",
        "aisix_cache_semantic_embedding_seconds_count{policy=\"alike\"} 4",
        "aisix_tokens_consumed_total{provider=\"openai\",model=\"embedder\"} 12",
    ] {
        assert!(metrics.lines().any(|it| it == line), "{line}\n{metrics}");
    }
}
