//! The journeys that every SDK makes: any client dialect at any provider.
//!
//! The scripts under `tests/sdk` do not know who serves them. What a provider cannot do, or does
//! otherwise, they take from the facts, so that nothing is skipped.

mod anthropic;
mod facts;
mod gemini;
mod openai;
mod said;

use serde_json::json;

use self::facts::facts;
use crate::{
    gateway::{self, Gateway, Setup},
    sdk::{Dialect, Family, Sdk},
    upstream::{self, Flavour, Upstream},
};

/// Who serves a journey: an upstream that says what the others say, in its own dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// OpenAI, by chat completions and responses.
    OpenAi,
    /// DeepSeek.
    DeepSeek,
    /// Anthropic.
    Anthropic,
    /// Gemini by its own API.
    Gemini,
}

/// The models that the scripts ask for besides those of [`gateway`]. Each name says what its upstream does.
const MODELS: [&str; 19] = [
    "text",
    "tool",
    "structured",
    "embed",
    "bad-400",
    "key-401",
    "unpaid-402",
    "forbidden-403",
    "missing-404",
    "conflict-409",
    "invalid-422",
    "limited-429",
    "broken-500",
    "busy-503",
    "overloaded-529",
    "fails-midway",
    "cut-midway",
    "stalls",
    "never",
];

impl Provider {
    /// Scripts an upstream of this provider for [`MODELS`].
    async fn scripted(self) -> Upstream {
        match self {
            Self::OpenAi | Self::DeepSeek => openai::scripted(self).await,
            Self::Anthropic => anthropic::scripted().await,
            Self::Gemini => gemini::scripted().await,
        }
    }

    /// The provider whose own dialect this is.
    fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Chat | Dialect::Responses => Self::OpenAi,
            Dialect::Messages => Self::Anthropic,
            Dialect::Gemini => Self::Gemini,
        }
    }
}

async fn gateway(upstream: &Upstream) -> Gateway {
    // A refusal that is tried again takes seconds, and tells the SDK nothing else.
    let setup = Setup::new().config(json!({"upstream": {"retries": 0}}));
    let setup = setup.provider(upstream).models(MODELS);
    // Gemini's names tell the generation: how it is told to think, and whether it wants its signatures back.
    let generation = match upstream.flavour() {
        Flavour::Gemini => "gemini-3-",
        _ => "",
    };
    let setup = ["thinking", "two-tools", "loop"]
        .into_iter()
        .fold(setup, |setup, model| {
            setup.model(model, json!({"model_name": format!("{generation}{model}")}))
        });
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

/// Points the SDK straight at the provider of its dialect, which shows that the scripted upstream speaks it.
pub async fn speaks_to_the_provider(family: Family, dialect: Dialect) {
    let provider = Provider::of(dialect);
    let upstream = provider.scripted().await;
    let facts = facts(dialect, provider, true);
    let sdk = Sdk::start(
        family,
        dialect.script(),
        upstream.addr(),
        upstream::KEY,
        &facts,
    );
    passes(sdk, &upstream).await;
}

/// Everything that the dialect offers, through the gateway to this provider.
pub async fn speaks_through_the_gateway(family: Family, dialect: Dialect, provider: Provider) {
    let upstream = provider.scripted().await;
    let gateway = gateway(&upstream).await;
    let facts = facts(dialect, provider, false);
    let sdk = Sdk::start(
        family,
        dialect.script(),
        gateway.proxy(),
        gateway::KEY,
        &facts,
    );
    passes(sdk, &upstream).await;
    let (own, credential) = facts::credential(provider);
    for exchange in upstream.exchanges() {
        let request = exchange.request;
        let path = request.path.split('?').next().unwrap_or_default();
        assert!(facts::paths(dialect, provider, path), "{path} was asked");
        assert_eq!(request.header(own), Some(credential.as_str()));
        for (name, value) in &request.headers {
            let name = name.as_str();
            let secret = value.as_bytes().ends_with(gateway::KEY.as_bytes());
            assert!(!secret, "the caller's key went upstream in {name}");
            let foreign = facts::foreign(provider).contains(&name);
            assert!(!foreign, "{name} went upstream");
        }
    }
}

/// What the gateway itself answers in this dialect: models, refusals, limits, request ids, timeouts.
pub async fn hears_the_gateway(family: Family, dialect: Dialect) {
    let upstream = Provider::OpenAi.scripted().await;
    let gateway = gateway(&upstream).await;
    let script = format!("{}_gateway", dialect.script());
    Sdk::start(family, &script, gateway.proxy(), gateway::KEY, &json!(null))
        .passed()
        .await;
}

/// Waits for the end of the script. When it has left a call, the upstream must have noticed, while it
/// stalls or has not answered yet.
async fn passes(mut sdk: Sdk, upstream: &Upstream) {
    while let Some(model) = sdk.wait().await {
        upstream.exchange_for(&model).await.closed().await;
        sdk.resume().await;
    }
    sdk.passed().await;
}
