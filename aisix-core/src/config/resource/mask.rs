//! Documents as they may be shown.

use serde_json::{Map, Value};

use super::{Kind, schema::json_schema};

/// What stands for a secret.
const MASK: &str = "***";
/// From how many characters on the last four of a secret are shown.
const LONG: usize = 20;

/// Parts of names that say that a value is secret, where a document may hold any names.
const TELLING: [&str; 9] = [
    "auth",
    "cookie",
    "credential",
    "key",
    "passw",
    "private",
    "secret",
    "signature",
    "token",
];

/// Puts `***` in the place of each secret of a document, with the last four characters behind it if
/// the secret is a plain text of 20 characters or more.
///
/// Secrets are the fields that a schema calls `writeOnly`; of what is added to requests, headers
/// and members with a telling name; and of the settings of plugins, texts and lists of texts with one. It may
/// stand beside them, as in `{"name": "api_key", "value": "…"}`.
pub fn mask(kind: Kind, document: &mut Value) {
    secrets(kind, document, &mut |_, secret| {
        if let Value::String(text) = secret {
            *text = masked(text);
        } else if !secret.is_null() {
            *secret = MASK.into();
        }
    });
}

/// Calls `see` with each secret of a document and the way to it, such as `api_key` or
/// `request.default_headers.x-auth`. What is secret is said at [`mask`].
pub fn secrets(kind: Kind, document: &mut Value, see: &mut dyn FnMut(&str, &mut Value)) {
    visit(document, json_schema(kind), Told::Schema, "", see);
}

/// Puts the secrets of `stored` back where a document holds what [`mask`] has made of them.
///
/// # Errors
///
/// The path of a field that is masked, but not as the stored secret is.
pub fn unmask(kind: Kind, document: &mut Value, stored: Option<&Value>) -> Result<(), String> {
    restore(document, stored, json_schema(kind), Told::Schema, "")
}

fn masked(secret: &str) -> String {
    let is_plain = !secret.trim_start().starts_with(['{', '[']) && !secret.contains('\n');
    let length = secret.chars().count();
    match secret.char_indices().nth(length.saturating_sub(4)) {
        Some((last_four, _)) if is_plain && length >= LONG => {
            format!("{MASK}{}", &secret[last_four..])
        }
        _ => MASK.to_owned(),
    }
}

/// How secrets are told in a part of a document.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    /// By the schema alone.
    Schema,
    /// By names: there may be anything.
    Name,
    /// By names, but only texts are secret: there may be settings such as `per_key: {limit: 5}`.
    NameOfText,
}

fn is_telling(name: &str) -> bool {
    // `max_tokens` and its kin count something.
    let name = name.to_ascii_lowercase().replace("tokens", "");
    TELLING.iter().any(|part| name.contains(part))
}

/// What is known about a member of something that has this schema: its own schema, and how its secrets
/// are told.
fn inner<'s>(schema: &'s Value, name: &str, told: Told) -> (&'s Value, Told) {
    let member = &schema["properties"][name];
    let (schema, outer) = match member {
        Value::Null => (&schema["additionalProperties"], Some(told)),
        member => (member, None),
    };
    let is_open = outer.is_some() && *schema != Value::Bool(false);
    let told = match outer {
        _ if schema["x-secrets"] == "texts" => Told::NameOfText,
        Some(Told::Schema) if is_open => Told::Name,
        Some(told) => told,
        None => Told::Schema,
    };
    (schema, told)
}

fn is_secret(schema: &Value, name: &str, told: Told, value: &Value) -> bool {
    let is_text = || match value {
        Value::Array(items) => items.iter().all(Value::is_string),
        value => value.is_string(),
    };
    let by_name = match told {
        Told::Schema => false,
        Told::Name => is_telling(name),
        Told::NameOfText => is_telling(name) && is_text(),
    };
    by_name || schema["writeOnly"] == true
}

/// The name of a pair such as `{"name": "api_key", "value": "…"}`, which names its value.
fn name_of_pair(members: &Map<String, Value>) -> Option<String> {
    Some(members.get("name")?.as_str()?.to_owned())
}

/// What a member is known as beside others.
fn known_as<'n>(name: &'n str, pair: Option<&'n str>) -> &'n str {
    match pair {
        Some(pair) if name == "value" => pair,
        _ => name,
    }
}

fn visit(
    value: &mut Value,
    schema: &Value,
    told: Told,
    path: &str,
    see: &mut dyn FnMut(&str, &mut Value),
) {
    match value {
        Value::Object(members) => {
            let pair = name_of_pair(members);
            for (name, value) in members {
                let (schema, told) = inner(schema, name, told);
                let path = super::tidy::join(path, name);
                match is_secret(schema, known_as(name, pair.as_deref()), told, value) {
                    true => see(&path, value),
                    false => visit(value, schema, told, &path, see),
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                visit(
                    item,
                    &schema["items"],
                    told,
                    &format!("{path}[{index}]"),
                    see,
                );
            }
        }
        _ => {}
    }
}

fn restore(
    value: &mut Value,
    stored: Option<&Value>,
    schema: &Value,
    told: Told,
    path: &str,
) -> Result<(), String> {
    match value {
        Value::Object(members) => {
            let pair = name_of_pair(members);
            for (name, value) in members {
                let (schema, told) = inner(schema, name, told);
                let stored = stored.and_then(|stored| stored.get(name));
                let path = super::tidy::join(path, name);
                if !is_secret(schema, known_as(name, pair.as_deref()), told, value) {
                    restore(value, stored, schema, told, &path)?;
                } else if value.as_str().is_some_and(|text| text.starts_with(MASK)) {
                    let shown = |stored: &Value| match stored {
                        Value::String(text) => masked(text),
                        _ => MASK.to_owned(),
                    };
                    match stored.filter(|stored| *value == shown(stored)) {
                        Some(stored) => *value = stored.clone(),
                        None => return Err(path),
                    }
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                let stored = stored.and_then(|stored| stored.get(index));
                restore(
                    item,
                    stored,
                    &schema["items"],
                    told,
                    &format!("{path}[{index}]"),
                )?;
            }
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_masked_and_put_back() {
        let stored = json!({
            "display_name": "up", "api_key": "sk-0123456789abcdefWXYZ", "api_base": "https://a",
            "request": {
                "default_headers": {"X-Auth": "top", "x-title": "shown ${request.id}"},
                "default_body_fields": {"max_tokens": 5, "nested": {"token": {"a": 1}}},
            },
        });
        let mut shown = stored.clone();
        mask(Kind::ProviderKey, &mut shown);
        assert_eq!(
            shown,
            json!({
                "display_name": "up", "api_key": "***WXYZ", "api_base": "https://a",
                "request": {
                    "default_headers": {"X-Auth": "***", "x-title": "shown ${request.id}"},
                    "default_body_fields": {"max_tokens": 5, "nested": {"token": "***"}},
                },
            })
        );
        unmask(Kind::ProviderKey, &mut shown, Some(&stored)).unwrap();
        assert_eq!(shown, stored);
    }

    #[test]
    fn of_settings_only_texts_are_secret() {
        let settings = |secret: Value, list: Value| {
            json!({"name": "default", "plugins": [{"name": "any", "settings": {
                "limits": {"per_key": {"limit": 5, "window": "1m"}}, "keyed": true,
                "remote": {"api_key": secret, "url": "https://a"}, "tokens_or_keys": list,
            }}]})
        };
        let stored = settings("sk-0123456789abcdefWXYZ".into(), json!(["a", "b"]));
        let mut shown = stored.clone();
        mask(Kind::Gateway, &mut shown);
        assert_eq!(shown, settings("***WXYZ".into(), "***".into()));
        unmask(Kind::Gateway, &mut shown, Some(&stored)).unwrap();
        assert_eq!(shown, stored);
    }

    #[test]
    fn a_pair_of_name_and_value_is_told_by_its_name() {
        let pair = |name: &str, value: &str| json!({"name": name, "value": value});
        let document = |secret: &str| {
            let pairs = json!([pair("api_key", secret), pair("tenant", "t")]);
            json!({"name": "default", "plugins": [
                {"name": "x", "settings": {"query_params": pairs}}]})
        };
        let mut shown = document("short");
        mask(Kind::Gateway, &mut shown);
        assert_eq!(shown, document("***"));
        unmask(Kind::Gateway, &mut shown, Some(&document("short"))).unwrap();
        assert_eq!(shown, document("short"));
    }

    #[test]
    fn short_and_structured_secrets_show_nothing() {
        for secret in [
            "0123456789abcdefghi",
            "{\"access_key_id\": \"0123456789\"}",
            "-----BEGIN\nKEY-----",
        ] {
            assert_eq!(masked(secret), "***", "{secret}");
        }
        assert_eq!(masked("0123456789abcdefghij"), "***ghij");
        assert_eq!(masked("äöüäöüäöüäöüäöüäöüäöü"), "***üäöü");
    }

    #[test]
    fn a_mask_of_something_else_is_refused() {
        let stored = json!({"api_key": "sk-0123456789abcdefWXYZ"});
        for (masked, stored) in [
            ("***", Some(&stored)),
            ("***abcd", Some(&stored)),
            ("***", None),
        ] {
            let mut document = json!({"api_key": masked});
            let refused = unmask(Kind::ProviderKey, &mut document, stored);
            assert_eq!(refused, Err("api_key".to_owned()));
        }
        let mut new = json!({"api_key": "sk-new"});
        unmask(Kind::ProviderKey, &mut new, Some(&stored)).unwrap();
        assert_eq!(new, json!({"api_key": "sk-new"}));
    }

    #[test]
    fn what_is_known_is_not_taken_for_a_secret() {
        let document = json!({"key_hash": "0".repeat(64), "allowed_models": ["*"]});
        let mut shown = document.clone();
        mask(Kind::ApiKey, &mut shown);
        assert_eq!(shown, document);

        let document = json!({"name": "a", "enabled": true, "applies_to": "api_key:k"});
        let mut shown = document.clone();
        mask(Kind::CachePolicy, &mut shown);
        assert_eq!(shown, document);
    }
}
