//! What a file may say more plainly than a store: names for ids, an environment variable for a hash.

use std::collections::BTreeMap;

use aisix_core::config::resource::{KeyHash, Kind, nearest};
use serde_json::Value;

use super::{
    draft::{self, Draft},
    interpolate::Env,
    mentions,
    report::Problems,
};

/// The ids of what entries may name: of each kind, by name.
pub(super) type Known = BTreeMap<Kind, BTreeMap<String, String>>;

/// Replaces names and variables by what they stand for.
pub(super) fn desugar(draft: &mut Draft, known: &Known, env: Env<'_>, problems: &mut Problems) {
    match draft.kind {
        Kind::Model => provider_key(draft, &known[&Kind::ProviderKey], problems),
        Kind::ApiKey => {
            display_name(draft, problems);
            key_env(draft, env, problems);
        }
        Kind::RateLimitPolicy => mentions::of_policy(&mut draft.members, |kind, text| {
            if let Some(id) = known[&kind].get(text) {
                text.clone_from(id);
            }
        }),
        _ => {}
    }
}

/// `provider_key: <name>` becomes `provider_key_id: <id>`.
fn provider_key(
    draft: &mut Draft,
    provider_keys: &BTreeMap<String, String>,
    problems: &mut Problems,
) {
    let Some(name) = take(draft, "provider_key") else {
        provider_key_id(draft, provider_keys, problems);
        return;
    };
    if draft.members.contains_key("provider_key_id") {
        let message = "is given besides `provider_key_id`";
        draft.complain("provider_key", message, problems);
        return;
    }
    // The reference stays, good or bad, so that it is not missed later.
    let Value::String(name) = name else {
        draft.complain("provider_key", "must be a string", problems);
        draft.bad.push("provider_key_id".to_owned());
        return;
    };
    let found = provider_keys.get(&name).cloned();
    let is_known = found.is_some();
    let id = found.unwrap_or_else(|| draft::id(Kind::ProviderKey, &name));
    draft
        .members
        .insert("provider_key_id".to_owned(), id.into());
    if !is_known && !draft.bad.contains(&"provider_key".to_owned()) {
        let near = nearest(&name, provider_keys.keys().map(String::as_str));
        let message = format!("names no provider key: {}", meant(&name, near));
        draft.complain("provider_key", &message, problems);
    }
}

/// `provider_key_id` must lead somewhere. The id that is derived from a name means the resource of that name,
/// whatever its id is.
fn provider_key_id(
    draft: &mut Draft,
    provider_keys: &BTreeMap<String, String>,
    problems: &mut Problems,
) {
    let Some(Value::String(id)) = draft.members.get_mut("provider_key_id") else {
        return;
    };
    if provider_keys.values().any(|known| known == id) {
        return;
    }
    let derived = |name: &str| draft::id(Kind::ProviderKey, name) == *id;
    match provider_keys.iter().find(|(name, _)| derived(name)) {
        Some((_, known)) => id.clone_from(known),
        None => {
            let message = "is the id of no provider key here";
            draft.complain("provider_key_id", message, problems);
        }
    }
}

/// The name of a key is only for the file.
fn display_name(draft: &mut Draft, problems: &mut Problems) {
    match draft.members.shift_remove("display_name") {
        Some(Value::String(name)) if !name.is_empty() => {}
        Some(Value::String(_)) => draft.complain("display_name", "must not be empty", problems),
        None | Some(Value::Null) => draft.complain("display_name", "is required", problems),
        Some(_) => draft.complain("display_name", "must be a string", problems),
    }
}

/// `key_env: <variable>` becomes `key_hash: <hash of its value>`.
fn key_env(draft: &mut Draft, env: Env<'_>, problems: &mut Problems) {
    let has_hash = draft
        .members
        .get("key_hash")
        .is_some_and(|it| !it.is_null());
    let Some(variable) = take(draft, "key_env") else {
        if !has_hash {
            draft.complain("key_env", "or `key_hash` is required", problems);
            draft.bad.push("key_hash".to_owned());
        }
        return;
    };
    if has_hash {
        draft.complain("key_env", "is given besides `key_hash`", problems);
        return;
    }
    draft.bad.push("key_hash".to_owned());
    let Value::String(variable) = variable else {
        draft.complain("key_env", "must be a string", problems);
        return;
    };
    match env(&variable).filter(|key| !key.is_empty()) {
        _ if draft.bad.contains(&"key_env".to_owned()) => {}
        None => {
            let message = format!(
                "names the environment variable {}, which is unset or empty",
                meant(&variable, None)
            );
            draft.complain("key_env", &message, problems);
        }
        Some(key) if key.contains("${") => {
            let message = "names a variable whose value has a `${` that was not filled in";
            draft.complain("key_env", message, problems);
        }
        Some(key) => {
            let hash = KeyHash::of(key).to_hex();
            draft.members.insert("key_hash".to_owned(), hash.into());
        }
    }
}

/// Takes a member out; null is the same as absent.
fn take(draft: &mut Draft, name: &str) -> Option<Value> {
    draft
        .members
        .shift_remove(name)
        .filter(|value| !value.is_null())
}

/// Quotes a name, cut to a bearable length, with what may have been meant.
pub(super) fn meant(name: &str, near: Option<&str>) -> String {
    let name: String = name.chars().take(64).collect();
    match near {
        Some(near) => format!("{name:?}; did you mean {near:?}?"),
        None => format!("{name:?}"),
    }
}
