//! A gateway for tests: one model, one caller, one upstream.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};

use super::{Plain, Upstream};
use crate::{
    Gateway, GatewayBuilder,
    body::Body,
    config::{Config, Entry, KeyHash, resource::Kind},
    hook::Hooks,
    upstream::{Registry, Settings},
};

/// The caller's key.
pub const API_KEY: &str = "sk-test";
/// The model, as callers name it.
pub const MODEL: &str = "test-model";
/// The model's name at the upstream.
pub const UPSTREAM_MODEL: &str = "upstream-model";
/// The credential for the upstream.
pub const UPSTREAM_KEY: &str = "sk-upstream";

/// A gateway with one model, [`MODEL`], and one caller, [`API_KEY`].
///
/// ```
/// use aisix_core::testing::{self, Answer, Upstream};
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let upstream = Upstream::new();
/// upstream.answer(Answer::chat("hello"));
/// let response = testing::gateway(&upstream).oneshot(testing::chat_request("hi")).await.unwrap();
/// assert_eq!(response.status(), 200);
/// assert_eq!(upstream.last_request().json()["model"], testing::UPSTREAM_MODEL);
/// # }
/// ```
pub fn gateway(upstream: &Upstream) -> Gateway {
    Setup::new().gateway(upstream)
}

/// A request of the caller [`API_KEY`] with this body.
pub fn request(path: &str, body: impl Into<Bytes>) -> http::Request<Body> {
    http::Request::post(path)
        .header(AUTHORIZATION, format!("Bearer {API_KEY}"))
        .header(CONTENT_TYPE, "application/json")
        .body(Body::full(body))
        .expect("tests use valid paths")
}

/// A chat request for [`MODEL`] with one message.
pub fn chat_request(text: &str) -> http::Request<Body> {
    let message = json!({"role": "user", "content": text});
    let body = json!({"model": MODEL, "messages": [message]});
    request("/v1/chat/completions", body.to_string())
}

/// Changes the gateway of [`gateway`]. Members of documents are merged over the default ones.
#[derive(Clone, Debug)]
pub struct Setup {
    settings: Settings,
    registry: Registry,
    hooks: Hooks,
    entries: Vec<Entry>,
}

// === impl Setup ===

impl Setup {
    /// The gateway of [`gateway`]: no limits, and the default deadlines, heartbeats and retries.
    pub fn new() -> Self {
        let provider_key = json!({"display_name": "key", "api_key": UPSTREAM_KEY});
        let model = json!({
            "display_name": MODEL, "provider": "plain", "model_name": UPSTREAM_MODEL,
            "provider_key_id": "key",
        });
        let api_key = json!({"key_hash": KeyHash::of(API_KEY).to_hex(), "allowed_models": ["*"]});
        Self {
            settings: Settings::default(),
            registry: Registry::new().provider(Plain),
            hooks: Hooks::new(),
            entries: vec![
                Entry::new(Kind::ProviderKey, "key", provider_key),
                Entry::new(Kind::Model, "model", model),
                Entry::new(Kind::ApiKey, "caller", api_key),
            ],
        }
    }

    /// Merges members into the model.
    #[must_use]
    pub fn model(self, members: Value) -> Self {
        self.merge(Kind::Model, members)
    }

    /// Merges members into the caller's key.
    #[must_use]
    pub fn api_key(self, members: Value) -> Self {
        self.merge(Kind::ApiKey, members)
    }

    /// Merges members into the provider key.
    #[must_use]
    pub fn provider_key(self, members: Value) -> Self {
        self.merge(Kind::ProviderKey, members)
    }

    /// Adds a resource. The provider key of the default model has the id `key`.
    #[must_use]
    pub fn add(mut self, kind: Kind, id: &str, value: Value) -> Self {
        self.entries.push(Entry::new(kind, id, value));
        self
    }

    /// Uses these providers besides [`Plain`].
    #[must_use]
    pub fn providers(mut self, registry: Registry) -> Self {
        self.registry = registry.provider(Plain);
        self
    }

    /// Lets chains name these hooks.
    #[must_use]
    pub fn hooks(mut self, hooks: Hooks) -> Self {
        self.hooks = hooks;
        self
    }

    /// Sets what holds for every upstream.
    #[must_use]
    pub fn upstream(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// The configuration.
    ///
    /// # Panics
    ///
    /// When a document is wrong.
    pub fn config(self) -> Config {
        let builder = Config::builder()
            .providers(self.registry)
            .hooks(self.hooks)
            .upstream(self.settings);
        builder.fixed(self.entries).expect("the documents are good")
    }

    /// A builder of the gateway, for hooks, observers and settings.
    pub fn builder(self, upstream: &Upstream) -> GatewayBuilder {
        Gateway::builder(self.config()).transport(upstream.clone())
    }

    /// The gateway.
    pub fn gateway(self, upstream: &Upstream) -> Gateway {
        let built = self.builder(upstream).build();
        built.expect("the gateway has a transport")
    }

    fn merge(mut self, kind: Kind, members: Value) -> Self {
        let entry = self.entries.iter_mut().find(|entry| entry.key.kind == kind);
        if let (Some(Value::Object(document)), Value::Object(members)) =
            (entry.map(|entry| &mut entry.value), members)
        {
            document.extend(members);
        }
        self
    }
}

impl Default for Setup {
    fn default() -> Self {
        Self::new()
    }
}
