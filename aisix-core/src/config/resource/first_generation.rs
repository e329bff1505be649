//! Models of the first generation, which hold their provider key.

use serde_json::{Map, Value};

use super::{Invalid, Kind};
use crate::config::Key;

/// The provider key that a model of one document has for itself.
pub fn own_provider_key(model: &Key) -> Key {
    Key {
        kind: Kind::ProviderKey,
        id: format!("model-{}", model.id).into(),
    }
}

/// `{name, model: "openai/gpt-4o", provider_config}` becomes members of today; the last of them, which
/// belongs into a provider key, is given back. Members of today stay as they are.
///
/// # Errors
///
/// When members contradict one another, or belong to the short-lived form with `provider_id`.
pub fn first_generation(members: &mut Map<String, Value>) -> Result<Option<Value>, Invalid> {
    if members.contains_key("provider_id") {
        let message =
            "belongs to a form that is not read: name a provider key by `provider_key_id`";
        return Err(Invalid::new("provider_id", message));
    }
    let besides = |member: &str, other: &str| {
        let message = format!("is given besides `{other}`");
        Invalid::new(member, message)
    };
    if let Some(name) = members.shift_remove("name") {
        if members.contains_key("display_name") {
            return Err(besides("name", "display_name"));
        }
        members.insert("display_name".to_owned(), name);
    }
    match members.shift_remove("model") {
        None => {}
        Some(Value::String(model)) => {
            let parts = model.split_once('/');
            let parts = parts.filter(|(provider, name)| !provider.is_empty() && !name.is_empty());
            let Some((provider, name)) = parts else {
                let message = "must be a provider and its model, such as `openai/gpt-4o`";
                return Err(Invalid::new("model", message));
            };
            for (member, value) in [("provider", provider), ("model_name", name)] {
                if members.contains_key(member) {
                    return Err(besides("model", member));
                }
                members.insert(member.to_owned(), value.into());
            }
        }
        Some(_) => return Err(Invalid::new("model", "must be a string")),
    }
    Ok(members.shift_remove("provider_config"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::first_generation;

    fn read(mut document: Value) -> Result<(Value, Option<Value>), String> {
        let members = document.as_object_mut().unwrap();
        let config = first_generation(members).map_err(|invalid| invalid.to_string())?;
        Ok((document, config))
    }

    #[test]
    fn one_document_becomes_members_of_today() {
        let config = json!({"api_key": "sk"});
        let first = json!({"name": "m", "model": "openai/gpt/4o", "provider_config": config});
        let today = json!({"display_name": "m", "provider": "openai", "model_name": "gpt/4o"});
        assert_eq!(read(first).unwrap(), (today.clone(), Some(config)));
        assert_eq!(read(today.clone()).unwrap(), (today, None));
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        for (document, field) in [
            (
                json!({"name": "m", "provider_id": "p", "model": "x"}),
                "`provider_id`",
            ),
            (json!({"name": "m", "display_name": "n"}), "`name`"),
            (json!({"model": "gpt-4o"}), "`model`"),
            (json!({"model": 7}), "`model`"),
            (json!({"model": "a/b", "provider": "c"}), "`model`"),
        ] {
            let said = read(document).unwrap_err();
            assert!(said.starts_with(field), "{said}");
        }
    }
}
