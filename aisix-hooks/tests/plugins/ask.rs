//! Short words for asking.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use aisix_core::{
    Gateway,
    body::Body,
    call::Trail,
    config::{Change, Entry, Kind},
    edge::ClientAddr,
    hook::Hooks,
    observe::Observer,
    reply::Outcome,
    testing::{self, MODEL, Setup, Upstream},
};
use http::{Request, Response};
use serde_json::{Value, json};
use tower::ServiceExt;

/// A gateway whose model has this chain.
pub(crate) fn gateway(upstream: &Upstream, plugins: Value) -> Gateway {
    let setup = Setup::new().hooks(aisix_hooks::hooks());
    setup.model(json!({"plugins": plugins})).gateway(upstream)
}

/// A setup whose gateway has this chain.
pub(crate) fn of_gateway(plugins: Value) -> Setup {
    let document = json!({"name": "default", "plugins": plugins});
    let setup = Setup::new().add(Kind::Gateway, "default", document);
    setup.hooks(aisix_hooks::hooks())
}

/// What is wrong with the chain of the gateway.
pub(crate) fn wrong_of_gateway(plugins: Value) -> String {
    let config = Setup::new().hooks(aisix_hooks::hooks()).config();
    let document = json!({"name": "default", "plugins": plugins});
    let entry = Entry::new(Kind::Gateway, "default", document);
    config.apply([Change::Put(entry)]).to_string()
}

/// What is wrong with a chain.
pub(crate) fn wrong(plugins: Value) -> String {
    wrong_with(aisix_hooks::hooks(), plugins)
}

/// What is wrong with a chain where there are these hooks.
pub(crate) fn wrong_with(hooks: Hooks, plugins: Value) -> String {
    let config = Setup::new().hooks(hooks).config();
    let model = json!({"display_name": "m", "provider": "plain", "model_name": "m",
        "provider_key_id": "key", "plugins": plugins});
    let entry = Entry::new(Kind::Model, "m", model);
    let report = config.apply([Change::Put(entry)]);
    report.to_string()
}

/// The same request in every dialect.
pub(crate) fn requests(text: &str, streams: bool) -> [Request<Body>; 4] {
    let ask = |path: &str, body: Value| testing::request(path, body.to_string());
    let message = json!({"role": "user", "content": text});
    let verb = if streams {
        "streamGenerateContent?alt=sse"
    } else {
        "generateContent"
    };
    [
        ask(
            "/v1/chat/completions",
            json!({"model": MODEL, "messages": [message], "stream": streams}),
        ),
        ask(
            "/v1/responses",
            json!({"model": MODEL, "input": [message], "stream": streams}),
        ),
        ask(
            "/v1/messages",
            json!({"model": MODEL, "max_tokens": 9, "messages": [message], "stream": streams}),
        ),
        ask(
            &format!("/v1beta/models/{MODEL}:{verb}"),
            json!({"contents": [{"role": "user", "parts": [{"text": text}]}]}),
        ),
    ]
}

/// Sends a request.
pub(crate) async fn send(gateway: &Gateway, request: Request<Body>) -> Response<Body> {
    gateway.clone().oneshot(request).await.unwrap()
}

/// Sends it from an address.
pub(crate) fn from(address: &str, mut request: Request<Body>) -> Request<Body> {
    let address: SocketAddr = address.parse().unwrap();
    request.extensions_mut().insert(ClientAddr(address));
    request
}

/// Remembers what requests were marked with.
#[derive(Clone, Default)]
pub(crate) struct Marks(Arc<Mutex<Vec<(&'static str, String)>>>);

impl Marks {
    /// The marks since the last time.
    pub(crate) fn take(&self) -> Vec<(&'static str, String)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Observer for Marks {
    fn ended(&self, trail: &Trail, _: &Outcome<'_>) {
        self.0.lock().unwrap().extend(trail.marks());
    }
}
