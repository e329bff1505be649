//! From what is sent to documents: the forms that people write, and what they are kept as.

use aisix_core::config::{
    Change, Entry, Key, KeyHash, Kind,
    resource::{
        Strictness, decode, first_generation, is_direct, nearest, own_provider_key, unmask,
    },
    store::Stored,
};
use serde_json::{Map, Value};

use crate::{
    answer::{Refusal, title},
    desk::View,
};

type Members = Map<String, Value>;

/// How what is sent relates to what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It takes its place.
    Whole,
    /// It is a JSON merge patch of it.
    Merge,
}

/// A resource that is to be written.
pub(crate) struct Draft {
    pub(crate) changes: Vec<Change>,
    /// A credential that is told once.
    pub(crate) plaintext: Option<String>,
}

/// Makes documents of what is sent for `key`; `fresh` is a credential for an API key without one.
pub(crate) async fn draft(
    view: &View<'_>,
    key: &Key,
    mut body: Members,
    stored: Option<&Stored>,
    mode: Mode,
    fresh: &str,
) -> Result<Draft, Refusal> {
    let old = stored.map(|stored| &stored.entry.value);
    let mut changes = Vec::new();
    let mut plaintext = None;
    match key.kind {
        Kind::ProviderKey => {
            rename(&mut body, "secret", "api_key")?;
            named(view, &mut body, ("upstream", "upstream_id", Kind::Upstream))?;
        }
        Kind::ApiKey => plaintext = credential(&mut body, old, mode, fresh)?,
        Kind::Model => {
            let config = first_generation(&mut body)
                .map_err(|invalid| Refusal::field(&invalid.path, &invalid.message))?;
            let to = ("provider_key", "provider_key_id", Kind::ProviderKey);
            named(view, &mut body, to)?;
            changes.extend(one_document(view, key, &mut body, config, old, mode).await?);
        }
        _ => {}
    }
    let mut document = Value::Object(body);
    if mode == Mode::Merge {
        let patch = std::mem::replace(&mut document, old.cloned().unwrap_or_default());
        merge(&mut document, patch);
    }
    let document = valid(key.kind, document, old)?;
    changes.push(Change::Put(Entry::new(key.kind, key.id.clone(), document)));
    Ok(Draft { changes, plaintext })
}

/// A JSON merge patch (RFC 7396).
pub(crate) fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(members) = target else {
        return;
    };
    for (name, value) in patch {
        match value {
            Value::Null => drop(members.shift_remove(&name)),
            value => merge(members.entry(name).or_insert(Value::Null), value),
        }
    }
}

/// Puts masked secrets back, and validates as what people write is validated.
fn valid(kind: Kind, mut document: Value, old: Option<&Value>) -> Result<Value, Refusal> {
    if let Value::Object(members) = &mut document {
        members.retain(|_, value| !value.is_null());
    }
    unmask(kind, &mut document, old).map_err(|path| {
        Refusal::field(
            &path,
            "is masked: send the secret itself, or leave it as it was shown",
        )
    })?;
    decode(kind, document.clone(), Strictness::Strict).map_err(Refusal::invalid)?;
    Ok(document)
}

/// A member by its other name.
fn rename(body: &mut Members, from: &str, to: &str) -> Result<(), Refusal> {
    if let Some(value) = body.shift_remove(from) {
        if body.contains_key(to) {
            return Err(Refusal::field(from, &format!("is given besides `{to}`")));
        }
        body.insert(to.to_owned(), value);
    }
    Ok(())
}

/// The credential of an API key becomes its hash. Without any, a new key gets `fresh`.
fn credential(
    body: &mut Members,
    old: Option<&Value>,
    mode: Mode,
    fresh: &str,
) -> Result<Option<String>, Refusal> {
    const KEPT: [&str; 3] = ["key_hash", "previous_key_hash", "previous_expires_at"];
    let has_hash = body.get("key_hash").is_some_and(|hash| !hash.is_null());
    let given = match body.shift_remove("key") {
        None | Some(Value::Null) => None,
        Some(_) if has_hash => return Err(Refusal::field("key", "is given besides `key_hash`")),
        Some(Value::String(key)) if is_sendable(&key) => Some(key),
        Some(_) => {
            let message = "must be a text of visible ASCII characters, of 1 to 512";
            return Err(Refusal::field("key", message));
        }
    };
    let plaintext = match (given, old) {
        (Some(key), _) => key,
        (None, Some(old)) => {
            for name in KEPT.iter().filter(|_| mode == Mode::Whole && !has_hash) {
                let kept = old.get(name).cloned();
                body.extend(kept.map(|value| ((*name).to_owned(), value)));
            }
            return Ok(None);
        }
        (None, None) if has_hash => return Ok(None),
        (None, None) => fresh.to_owned(),
    };
    body.insert(
        "key_hash".to_owned(),
        KeyHash::of(&plaintext).to_hex().into(),
    );
    Ok(Some(plaintext))
}

/// Whether a credential can be sent in a header.
fn is_sendable(key: &str) -> bool {
    (1..=512).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
}

/// `provider_key: <name>` becomes `provider_key_id: <id>`: a reference by one field to one by another.
fn named(
    view: &View<'_>,
    body: &mut Members,
    (by_name, by_id, kind): (&str, &str, Kind),
) -> Result<(), Refusal> {
    let Some(name) = body.shift_remove(by_name) else {
        return Ok(());
    };
    if body.contains_key(by_id) {
        let message = format!("is given besides `{by_id}`");
        return Err(Refusal::field(by_name, &message));
    }
    let Value::String(name) = name else {
        return Err(Refusal::field(by_name, "must be a string"));
    };
    match view.catalog.named(kind, &name) {
        Some(key) => {
            body.insert(by_id.to_owned(), key.id.as_ref().into());
            Ok(())
        }
        None => {
            let message = format!("`{by_name}` names no {}", title(kind).to_lowercase());
            Err(Refusal::conflict(message).about(Some(by_name.to_owned())))
        }
    }
}

/// What becomes of the provider key that a model of one document has for itself.
async fn one_document(
    view: &View<'_>,
    model: &Key,
    body: &mut Members,
    config: Option<Value>,
    old: Option<&Value>,
    mode: Mode,
) -> Result<Option<Change>, Refusal> {
    let own = own_provider_key(model);
    let uses_own = old.is_some_and(|old| old["provider_key_id"] == *own.id);
    let Some(config) = config else {
        let says_other = match body.get("provider_key_id") {
            Some(id) => *id != *own.id,
            // A group has none.
            None => mode == Mode::Whole && !is_direct(body),
        };
        if uses_own && !says_other && mode == Mode::Whole {
            body.insert("provider_key_id".to_owned(), own.id.as_ref().into());
        }
        let is_dropped =
            uses_own && says_other && view.catalog.users(&own).all(|user| user == model);
        return Ok(is_dropped.then(|| Change::Delete(own)));
    };
    if body.contains_key("provider_key_id") {
        let message = "is given besides `provider_key_id`";
        return Err(Refusal::field("provider_config", message));
    }
    let Value::Object(config) = config else {
        return Err(Refusal::field("provider_config", "must be a mapping"));
    };
    const KNOWN: [&str; 2] = ["api_key", "api_base"];
    if let Some(stranger) = config.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        let near = nearest(stranger, KNOWN);
        let name: String = stranger.chars().take(64).collect();
        let message = match near {
            Some(near) => format!("is not a known field; did you mean `{near}`?"),
            None => "is not a known field".to_owned(),
        };
        return Err(Refusal::field(&format!("provider_config.{name}"), &message));
    }
    let stored = view.get(&own).await?;
    let stored = stored.map(|stored| stored.entry.value);
    let mut document = match (&stored, mode) {
        (Some(stored), Mode::Merge) => stored.clone(),
        _ => Value::Object(Map::new()),
    };
    merge(&mut document, Value::Object(config));
    let old_name = stored
        .as_ref()
        .and_then(|stored| stored.get("display_name"));
    document["display_name"] = match (old_name, body.get("display_name").and_then(Value::as_str)) {
        (Some(name), _) => name.clone(),
        (None, Some(name)) if view.catalog.named(Kind::ProviderKey, name).is_none() => name.into(),
        // Somebody else has the name.
        _ => own.id.as_ref().into(),
    };
    let document = valid(own.kind, document, stored.as_ref()).map_err(|refusal| {
        let field = refusal.field.as_deref().unwrap_or_default();
        let field = Some(format!("provider_config.{field}"));
        refusal.about(field)
    })?;
    body.insert("provider_key_id".to_owned(), own.id.as_ref().into());
    Ok(Some(Change::Put(Entry::new(own.kind, own.id, document))))
}

/// Whether somebody may choose this id: it stands in a path as it is, and leads nowhere else.
pub(crate) fn check_id(id: &str) -> Result<(), Refusal> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let is_good = (1..=128).contains(&id.len()) && id.bytes().all(plain) && !id.starts_with('.');
    match is_good {
        true => Ok(()),
        false => {
            let message =
                "must be 1 to 128 letters, digits, `-`, `.`, `_` or `~`, and not begin with a dot";
            Err(Refusal::bad(format!("`id` {message}")).about(Some("id".to_owned())))
        }
    }
}
