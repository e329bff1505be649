//! Which headers cross the gateway.

use std::sync::LazyLock;

use aisix_wire::Dialect;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONTENT_DISPOSITION, CONTENT_LANGUAGE, CONTENT_TYPE},
};

use super::{classify::relayed, encode::Fidelity};
use crate::{
    call::Attempt,
    config::resource::{Headers, Template, Variable, is_private},
};

const FIDELITY: HeaderName = HeaderName::from_static("x-aisix-fidelity");
const DROPPED: HeaderName = HeaderName::from_static("x-aisix-dropped-params");
/// How long the list of dropped members gets, in bytes: many clients take no more than 8 KiB of headers.
const MAX_DROPPED: usize = 2048;
const BETA: HeaderName = HeaderName::from_static("anthropic-beta");
const AN_HOUR: &str = "extended-cache-ttl-2025-04-11";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-aisix-request-id");

/// Adds to the upstream's request: the request's id, the caller's protocol headers when both speak
/// the same dialect, what hooks have added, what the provider key forwards, and what it adds when the caller
/// did not.
pub(super) fn outgoing(attempt: &Attempt, dialect: Dialect, headers: &mut HeaderMap) {
    let inbound = &attempt.call.inbound;
    let client = &inbound.head.headers;
    if inbound.operation.dialect == dialect {
        for name in protocol(dialect) {
            // The caller's word is better than the endpoint's.
            if client.contains_key(name) {
                headers.remove(name);
            }
            for value in client.get_all(name) {
                headers.append(name.clone(), value.clone());
            }
        }
    }
    let added = &attempt.call.upstream_headers;
    for name in added.keys().filter(|name| !is_private(name)) {
        headers.remove(name);
        for value in added.get_all(name) {
            headers.append(name.clone(), value.clone());
        }
    }
    let shape = &attempt.target.shape;
    // What the endpoint has said stays, so that only names that are new are added to.
    let mut new: Option<&HeaderName> = None;
    for (name, value) in shape.forwarded(client) {
        if new == Some(name) || !headers.contains_key(name) {
            new = Some(name);
            headers.append(name.clone(), value.clone());
        }
    }
    for (name, template) in shape.default_headers.iter() {
        if headers.contains_key(name) {
            continue;
        }
        if let Some(value) = rendered(attempt, template) {
            headers.insert(name.clone(), value);
        }
    }
    if let Some(replica) = attempt.target.replica() {
        set(attempt, &replica.headers, headers);
    }
    headers.insert(REQUEST_ID, inbound.trail.request_id().clone());
}

/// Sets what a replica wants, whatever was there.
fn set(attempt: &Attempt, wanted: &Headers, headers: &mut HeaderMap) {
    for (name, template) in wanted.iter() {
        if let Some(value) = rendered(attempt, template) {
            headers.insert(name.clone(), value);
        }
    }
}

/// A value; none where something in it is not known.
fn rendered(attempt: &Attempt, template: &Template) -> Option<HeaderValue> {
    let value = template.render(&|variable| variable_value(attempt, variable))?;
    HeaderValue::try_from(value).ok()
}

/// Names the beta by which older endpoints of Anthropic's dialect keep prompts for an hour; newer ones need not be told.
pub(super) fn ask_for_an_hour(headers: &mut HeaderMap) {
    let named = headers.get_all(BETA).iter().any(|list| {
        let list = list.to_str().unwrap_or_default();
        list.split(',').any(|beta| beta.trim() == AN_HOUR)
    });
    if !named {
        headers.append(BETA, HeaderValue::from_static(AN_HOUR));
    }
}

/// The upstream's headers that reach the client.
pub(super) fn incoming(headers: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::with_capacity(8);
    for name in [CONTENT_TYPE, CONTENT_LANGUAGE, CONTENT_DISPOSITION] {
        if let Some(value) = headers.get(&name) {
            kept.insert(name, value.clone());
        }
    }
    kept.extend(relayed(headers));
    kept
}

/// Tells the client how its request got to the upstream, and what was lost on the way.
pub(super) fn tell_fidelity(headers: &mut HeaderMap, fidelity: Fidelity, dropped: &[String]) {
    headers.insert(FIDELITY, HeaderValue::from_static(fidelity.as_str()));
    let mut list = String::new();
    for name in dropped {
        let comma = if list.is_empty() { "" } else { ", " };
        // The names of tools may be in it, as long as their caller likes.
        if list.len() + comma.len() + name.len() > MAX_DROPPED {
            continue;
        }
        list.push_str(comma);
        list.push_str(name);
    }
    if let Ok(list) = HeaderValue::try_from(list)
        && !list.is_empty()
    {
        headers.insert(DROPPED, list);
    }
}

/// The upstream's own id of the exchange, for the log.
pub(super) fn upstream_request_id(headers: &HeaderMap) -> Option<HeaderValue> {
    ["x-request-id", "request-id"]
        .into_iter()
        .find_map(|name| headers.get(name))
        .filter(|value| value.len() <= 256)
        .cloned()
}

fn protocol(dialect: Dialect) -> &'static [HeaderName] {
    static OPENAI: LazyLock<[HeaderName; 2]> = LazyLock::new(|| {
        [
            HeaderName::from_static("openai-beta"),
            HeaderName::from_static("idempotency-key"),
        ]
    });
    static ANTHROPIC: LazyLock<[HeaderName; 2]> =
        LazyLock::new(|| [HeaderName::from_static("anthropic-version"), BETA]);
    match dialect {
        Dialect::Anthropic => &*ANTHROPIC,
        _ => &*OPENAI,
    }
}

fn variable_value(attempt: &Attempt, variable: Variable) -> Option<&str> {
    match variable {
        Variable::ModelId => Some(attempt.model.id()),
        Variable::ModelName => Some(attempt.model.name()),
        Variable::ProviderKeyId => Some(attempt.target.key().id()),
        Variable::ProviderKeyName => Some(attempt.target.key().name()),
        variable => attempt.call.trail().variable(variable),
    }
}
