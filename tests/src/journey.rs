//! The journeys that every SDK makes, and the scripts that the upstream plays for them.

pub mod messages;

use serde_json::json;

use crate::{
    gateway::{self, Gateway, Setup},
    sdk::{Language, Sdk},
    upstream::{self, Answer, Flavour, Reply, Step, Upstream},
};

/// Every model that the scripts under `tests/sdk` ask for. Each name says what its upstream does.
const MODELS: [&str; 18] = [
    "text",
    "thinking",
    "tool",
    "two-tools",
    "structured",
    "embed",
    "bad-400",
    "key-401",
    "forbidden-403",
    "missing-404",
    "conflict-409",
    "invalid-422",
    "limited-429",
    "broken-500",
    "fails-midway",
    "cut-midway",
    "stalls",
    "never",
];

/// Scripts an upstream of OpenAI's dialect for [`MODELS`].
async fn scripted() -> Upstream {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    let text = || Answer::text(["Hel", "lo ", "wörld"]);
    upstream.on("text", text());
    upstream.on("thinking", text().reasoning(&["Let me ", "think."]));
    upstream.on(
        "tool",
        Answer::calling("call_1", "weather", &["{\"ci", "ty\":\"Par", "is\"}"]),
    );
    upstream.on(
        "two-tools",
        Answer::calling("call_1", "weather", &["{\"city\":", "\"Paris\"}"]).and_calling(
            "call_2",
            "time",
            &["{}"],
        ),
    );
    upstream.on(
        "structured",
        Answer::text(["{\"name\":\"Ada\",", "\"age\":36}"]),
    );
    upstream.on("embed", text());
    let refusals = [
        ("bad-400", 400, "context_length_exceeded"),
        ("key-401", 401, "invalid_api_key"),
        ("forbidden-403", 403, "country_not_supported"),
        ("missing-404", 404, "model_not_found"),
        ("conflict-409", 409, "conflict"),
        ("invalid-422", 422, "unprocessable"),
        ("limited-429", 429, "rate_limit_exceeded"),
        ("broken-500", 500, "server_error"),
    ];
    for (model, status, code) in refusals {
        let refusal = Reply::error(
            status,
            "upstream_says_no",
            Some(code),
            &format!("no, says {model}"),
        );
        let refusal = refusal.header("x-request-id", "req_upstream");
        upstream.on(
            model,
            if status == 429 {
                refusal.header("retry-after", "7")
            } else {
                refusal
            },
        );
    }
    let events = [
        json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{"index": 0, "delta": {"content": "Hel"}, "finish_reason": null}]}),
        json!({"error": {"message": "the model broke down", "type": "server_error", "code": null}}),
    ];
    upstream.on(
        "fails-midway",
        upstream::Framing {
            done: false,
            ..Default::default()
        }
        .reply(&events),
    );
    upstream.on("cut-midway", text().after(2, Step::Cut));
    upstream.on("stalls", text().after(2, Step::Stall));
    upstream.on("never", Reply::never());
    upstream
}

async fn gateway(upstream: &Upstream) -> Gateway {
    let setup = Setup::new().provider(upstream).models(MODELS);
    let setup = setup.model("alias", json!({"model_name": "text"}));
    let setup = setup.model("slow", json!({"model_name": "never", "timeout": 200}));
    let setup = setup.key("narrow", "sk-narrow", json!({"allowed_models": ["text"]}));
    let setup = setup.key(
        "limited",
        "sk-limited",
        json!({"allowed_models": ["*"], "rate_limit": {"rpd": 1}}),
    );
    let setup = setup.key(
        "disabled",
        "sk-disabled",
        json!({"allowed_models": ["*"], "disabled": true}),
    );
    Gateway::start(setup).await
}

/// Points the SDK straight at the scripted upstream, which shows that the upstream speaks the dialect.
pub async fn speaks_to_the_scripted_upstream(language: Language) {
    let upstream = scripted().await;
    Sdk::start(language, "dialect", &upstream.base_url(), upstream::KEY)
        .passed()
        .await;
}

/// Everything that the dialect offers, through the gateway.
pub async fn cannot_tell_the_gateway_from_the_provider(language: Language) {
    let upstream = scripted().await;
    let gateway = gateway(&upstream).await;
    Sdk::start(language, "dialect", &gateway.base_url(), gateway::KEY)
        .passed()
        .await;
    for exchange in upstream.exchanges() {
        let request = &exchange.request;
        assert_eq!(
            request.header("authorization"),
            Some(format!("Bearer {}", upstream::KEY).as_str())
        );
        let secret = request
            .headers
            .iter()
            .find(|(_, value)| value.as_bytes().ends_with(gateway::KEY.as_bytes()));
        assert_eq!(secret, None, "the caller's key went upstream");
    }
}

/// What the gateway itself answers: models, refusals, limits, request ids, timeouts.
pub async fn understands_what_the_gateway_says(language: Language) {
    let upstream = scripted().await;
    let gateway = gateway(&upstream).await;
    Sdk::start(language, "gateway", &gateway.base_url(), gateway::KEY)
        .passed()
        .await;
}

/// A caller who leaves is noticed by the upstream while it still stalls, streaming or not.
pub async fn cancels_at_the_upstream(language: Language) {
    let upstream = scripted().await;
    let gateway = gateway(&upstream).await;
    let mut sdk = Sdk::start(language, "cancel", &gateway.base_url(), gateway::KEY);
    for (waiting, model) in [("stream closed", "stalls"), ("timed out", "never")] {
        sdk.wait(waiting).await;
        upstream.exchange_for(model).await.closed().await;
        sdk.resume().await;
    }
    sdk.passed().await;
}
