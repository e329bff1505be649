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
        Kind::ProviderKey => reference(draft, &UPSTREAM, known, problems),
        Kind::Model => reference(draft, &PROVIDER_KEY, known, problems),
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

/// A reference to another resource, which has two spellings.
struct Reference {
    /// The field that holds the name.
    by_name: &'static str,
    /// The field that holds the id.
    by_id: &'static str,
    of: Kind,
    /// What one is called.
    noun: &'static str,
}

const UPSTREAM: Reference = Reference {
    by_name: "upstream",
    by_id: "upstream_id",
    of: Kind::Upstream,
    noun: "upstream",
};

const PROVIDER_KEY: Reference = Reference {
    by_name: "provider_key",
    by_id: "provider_key_id",
    of: Kind::ProviderKey,
    noun: "provider key",
};

/// `provider_key: <name>` becomes `provider_key_id: <id>`.
fn reference(draft: &mut Draft, to: &Reference, known: &Known, problems: &mut Problems) {
    let (ids, by_name, by_id) = (&known[&to.of], to.by_name, to.by_id);
    let Some(name) = take(draft, by_name) else {
        by_its_id(draft, to, ids, problems);
        return;
    };
    if draft.members.contains_key(by_id) {
        let message = format!("is given besides `{by_id}`");
        draft.complain(by_name, &message, problems);
        return;
    }
    // The reference stays, good or bad, so that it is not missed later.
    let Value::String(name) = name else {
        draft.complain(by_name, "must be a string", problems);
        draft.bad.push(by_id.to_owned());
        return;
    };
    let found = ids.get(&name).cloned();
    let is_known = found.is_some();
    let id = found.unwrap_or_else(|| draft::id(to.of, &name));
    draft.members.insert(by_id.to_owned(), id.into());
    if !is_known && !draft.bad.contains(&by_name.to_owned()) {
        let near = nearest(&name, ids.keys().map(String::as_str));
        let message = format!("names no {}: {}", to.noun, meant(&name, near));
        draft.complain(by_name, &message, problems);
    }
}

/// An id must lead somewhere. The one that is derived from a name means the resource of that name,
/// whatever its id is.
fn by_its_id(
    draft: &mut Draft,
    to: &Reference,
    ids: &BTreeMap<String, String>,
    problems: &mut Problems,
) {
    let Some(Value::String(id)) = draft.members.get_mut(to.by_id) else {
        return;
    };
    if ids.values().any(|known| known == id) {
        return;
    }
    let derived = |name: &str| draft::id(to.of, name) == *id;
    match ids.iter().find(|(name, _)| derived(name)) {
        Some((_, known)) => id.clone_from(known),
        None => {
            let message = format!("is the id of no {} here", to.noun);
            draft.complain(to.by_id, &message, problems);
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
