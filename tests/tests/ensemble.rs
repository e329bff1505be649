//! Models that ask several others, through the real binary and from a file.

use aisix_tests::{
    client::Client,
    gateway::{Gateway, Setup},
    upstream::{Answer, Flavour, Upstream},
};
use serde_json::json;

#[tokio::test]
async fn a_judge_makes_one_answer_of_what_several_models_say() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    upstream.on("large", Answer::text(["from the large one"]));
    upstream.on("small", Answer::text(["from the small one"]));
    upstream.on("judge", Answer::text(["from ", "both"]));
    let panel = json!([{"model": "large"}, {"model": "small", "temperature": 0.9}]);
    let ensemble = json!({"panel": panel, "judge": {"model": "judge"}});
    let setup = Setup::new()
        .provider(&upstream)
        .models(["large", "small", "judge"])
        .entry(
            "models",
            json!({"display_name": "council", "ensemble": ensemble}),
        );
    let gateway = Gateway::start(setup).await;
    let client = Client::new(gateway.proxy()).header("x-aisix-request-id", "asked");
    let response = client.chat("council", "what is it?").await;
    assert_eq!(response.status, 200);
    assert_eq!(response.header("x-aisix-served-by"), Some("judge"));
    assert_eq!(response.header("x-aisix-attempts"), Some("3"));
    let text = response.text().await;
    assert!(text.contains("from both"), "{text}");
    let line = gateway.access_log("asked").await;
    assert_eq!(line["served_by_model"], "judge", "{line}");
    let attempts = line["attempts"].as_array().map_or(0, Vec::len);
    assert_eq!(attempts, 3, "{line}");
    let metrics = gateway.metrics().await;
    for model in ["large", "small", "judge"] {
        let mut lines = metrics.lines();
        let of_model = format!("upstream_model=\"{model}\"");
        let counted = lines.any(|line| {
            line.starts_with("aisix_llm_total_tokens_total")
                && line.contains(&of_model)
                && line.ends_with(" 15")
        });
        assert!(counted, "{model}: {metrics}");
    }
}
