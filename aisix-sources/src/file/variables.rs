//! Variables that stand for secrets in a file.

use std::collections::HashSet;

use aisix_core::config::{
    Secret,
    resource::{Kind, secrets},
};
use serde_json::Value;

use super::write::{Needed, Secrets};

/// The longest name that is made, without what makes it unique.
const LONGEST: usize = 120;

/// The variables of a file.
#[derive(Default)]
pub(super) struct Variables {
    needed: Vec<Needed>,
    taken: HashSet<String>,
}

// === impl Variables ===

impl Variables {
    /// Makes the texts of a document those of a file: a `$` is doubled, and secrets are variables
    /// unless they are revealed.
    ///
    /// # Errors
    ///
    /// A secret that is no text; nothing is needed for the document then.
    pub(super) fn put(
        &mut self,
        kind: Kind,
        name: &str,
        document: &mut Value,
        form: Secrets,
    ) -> Result<(), String> {
        escape(document);
        if form == Secrets::Revealed {
            return Ok(());
        }
        let (before, mut wrong) = (self.needed.len(), None);
        secrets(kind, document, &mut |path, secret| {
            self.hide(&format!("{kind} {name:?}"), name, path, secret, &mut wrong);
        });
        match wrong {
            None => Ok(()),
            Some(path) => {
                self.needed.truncate(before);
                Err(format!(
                    "`{path}` is a secret and not a text, so that no variable can stand for it: it \
                     can only be revealed"
                ))
            }
        }
    }

    /// Puts variables into the places of the texts of a secret. Notes what is no text and may tell
    /// something.
    fn hide(
        &mut self,
        scope: &str,
        name: &str,
        path: &str,
        secret: &mut Value,
        wrong: &mut Option<String>,
    ) {
        match secret {
            // An empty variable is the same as none.
            Value::String(text) if text.is_empty() => {}
            Value::String(text) => {
                let variable = self.name(name, path);
                let hidden = std::mem::replace(text, format!("${{{variable}}}"));
                self.needed.push(Needed {
                    name: variable,
                    field: format!("{scope}: `{path}`"),
                    secret: Secret::new(hidden.replace("$$", "$")),
                });
            }
            Value::Number(_) => *wrong = Some(path.to_owned()),
            Value::Null | Value::Bool(_) => {}
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.hide(scope, name, &format!("{path}[{index}]"), item, wrong);
                }
            }
            Value::Object(members) => {
                for (inner, value) in members {
                    self.hide(scope, name, &format!("{path}.{inner}"), value, wrong);
                }
            }
        }
    }

    pub(super) fn into_needed(self) -> Vec<Needed> {
        self.needed
    }

    /// A name that no other secret has: `OPENAI_API_KEY`.
    fn name(&mut self, resource: &str, path: &str) -> String {
        let field = path
            .rsplit_once("default_headers.")
            .map_or(path, |(_, name)| name);
        let mut plain = upper(&format!("{resource}_{field}"));
        // What begins with `AISIX_` would be a setting.
        if plain.starts_with("AISIX_") || !plain.starts_with(|it: char| it.is_ascii_uppercase()) {
            plain = format!("KEY_{plain}");
        }
        plain.truncate(LONGEST);
        let more = (2..).map(|number| format!("{plain}_{number}"));
        let mut names = std::iter::once(plain.clone()).chain(more);
        let name = names.find(|name| !self.taken.contains(name));
        let name = name.expect("there is no end of names");
        self.taken.insert(name.clone());
        name
    }
}

/// Upper-case letters, digits and single underscores.
fn upper(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter.is_ascii_alphanumeric() {
            true => name.push(letter.to_ascii_uppercase()),
            false if name.is_empty() || name.ends_with('_') => {}
            false => name.push('_'),
        }
    }
    name.trim_end_matches('_').to_owned()
}

/// Doubles each `$`, so that readers take it for itself.
fn escape(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('$') => *text = text.replace('$', "$$"),
        Value::Array(items) => items.iter_mut().for_each(escape),
        Value::Object(members) => members.values_mut().for_each(escape),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_valid_and_differ() {
        let mut variables = Variables::default();
        for (resource, path, expected) in [
            ("openai", "api_key", "OPENAI_API_KEY"),
            ("open ai", "api_key", "OPEN_AI_API_KEY"),
            ("open-ai", "api_key", "OPEN_AI_API_KEY_2"),
            ("4o", "api_key", "KEY_4O_API_KEY"),
            ("aisix", "api_key", "KEY_AISIX_API_KEY"),
            ("日本", "api_key", "API_KEY"),
            ("a", "request.default_headers.x-auth", "A_X_AUTH"),
            (
                "a",
                "request.default_body_fields.token.b",
                "A_REQUEST_DEFAULT_BODY_FIELDS_TOKEN_B",
            ),
        ] {
            assert_eq!(variables.name(resource, path), expected);
        }
        let long = "x".repeat(500);
        assert_eq!(variables.name(&long, "api_key").len(), LONGEST);
        assert_eq!(variables.name(&long, "api_key").len(), LONGEST + 2);
    }
}
