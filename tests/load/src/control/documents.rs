//! The resources: API keys and models as people have them, numbered.

use crate::client::Expect;
use crate::crew::{Call, Callers, DIGITS};
use crate::prompt;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;

/// What credentials of callers begin with; a number follows.
const CREDENTIAL: &str = "sk-load-";

/// The caller whose credential changes.
pub(super) const PROBE: &str = "api_keys/probe";

/// The only provider key, which all models use.
pub(super) const PROVIDER_KEY: &str = "provider_keys/mock";

/// The credential of a caller.
pub(super) fn credential(number: usize) -> String {
    format!("{CREDENTIAL}{number:0DIGITS$}")
}

/// The credential that the probe has after so many changes.
pub(super) fn probe(number: usize) -> String {
    format!("sk-probe-{number}")
}

/// An API key; `rpm` is what a change changes.
pub(super) fn api_key(name: &str, credential: &str, rpm: usize) -> Value {
    json!({
        "display_name": name,
        "key_hash": hex::encode(Sha256::digest(credential)),
        "allowed_models": ["model-*", "chat"],
        "rate_limit": {"rpm": 1_000_000_000 + rpm, "concurrency": 10_000},
        "team_id": format!("team-{}", name.len()),
        "user_id": format!("user-of-{name}"),
    })
}

/// The name of the API key of a caller.
pub(super) fn api_key_name(number: usize) -> String {
    format!("api_keys/caller-{number:0DIGITS$}")
}

/// The API key of a caller.
pub(super) fn caller(number: usize, rpm: usize) -> (String, Value) {
    let name = format!("caller-{number}");
    (
        api_key_name(number),
        api_key(&name, &credential(number), rpm),
    )
}

/// A model; `timeout` is what a change changes.
pub(super) fn model(number: usize, timeout: usize) -> (String, Value) {
    let document = json!({
        "display_name": format!("model-{number}"),
        "provider": "openai",
        "model_name": "chat",
        "provider_key_id": "mock",
        "timeout": 60_000 + timeout,
    });
    (format!("models/model-{number}"), document)
}

/// The provider key; `name` is what a change changes.
pub(super) fn provider_key(upstream: SocketAddr, name: &str) -> (String, Value) {
    let document = json!({
        "display_name": name,
        "provider": "openai",
        "adapter": "openai",
        "api_key": "sk-upstream",
        "api_base": format!("http://{upstream}/v1"),
    });
    (PROVIDER_KEY.to_owned(), document)
}

/// A provider key, so many models and so many callers.
pub(super) fn all(
    upstream: SocketAddr,
    keys: usize,
    models: usize,
) -> impl Iterator<Item = (String, Value)> {
    let models = (0..models).map(|number| model(number, 0));
    let callers = (0..keys).map(|number| caller(number, 0));
    let probe = (PROBE.to_owned(), api_key("probe", &probe(0), 0));
    let first = [provider_key(upstream, "mock"), probe];
    first.into_iter().chain(models).chain(callers)
}

/// A chat of 1 KB with the first model; so many callers take turns.
pub(super) fn chat(host: SocketAddr, callers: usize) -> Call {
    let body = prompt::chat("model-0", false, 1 << 10);
    let body = String::from_utf8_lossy(&body).into_owned();
    let path = "/v1/chat/completions";
    let request = super::plain::request("POST", host, path, &credential(0), &body);
    let place = memchr::memmem::find(&request, CREDENTIAL.as_bytes()).unwrap_or_default();
    Call {
        request: request.into(),
        expect: Expect::Chat,
        callers: Some(Callers {
            place: place + CREDENTIAL.len(),
            count: callers,
        }),
    }
}
