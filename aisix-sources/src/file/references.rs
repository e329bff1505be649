//! What entries say about one another.

use std::collections::{BTreeMap, HashMap};

use aisix_core::config::{
    glob::Glob,
    resource::{KeyHash, Kind, Named, is_direct, nearest, targets},
};
use serde_json::{Map, Value};

use super::{draft::Draft, report::Problems, sugar::meant};

/// Reports entries of one kind with one name.
pub(super) fn duplicate_names(drafts: &[Draft], problems: &mut Problems) {
    let mut first: HashMap<(Kind, &str), &Draft> = HashMap::new();
    for draft in drafts {
        let Some(name) = draft.name.as_deref() else {
            continue;
        };
        if let Some(other) = first.get(&(draft.kind, name)) {
            let field = draft.kind.name_field();
            let message = format!("`{field}` is the same as that of {}", other.scope);
            problems.at(&draft.scope, message);
        } else {
            first.insert((draft.kind, name), draft);
        }
    }
}

/// The models that other resources may name: those of the file, and those that stay beside it.
#[derive(Default)]
pub(super) struct Models {
    /// Whether each is a direct one.
    direct: BTreeMap<String, bool>,
    patterns: Vec<Glob>,
}

/// Checks API keys against one another.
#[derive(Default)]
pub(super) struct Keys {
    seen: HashMap<KeyHash, String>,
}

// === impl Models ===

impl Models {
    /// Adds a model, in the place of another one of its name.
    pub(super) fn add(&mut self, name: &str, members: &Map<String, Value>) {
        let glob = Glob::new(name);
        self.direct.insert(name.to_owned(), is_direct(members));
        self.patterns.extend(Some(glob).filter(Glob::is_wildcard));
    }

    /// What a name stands for.
    pub(super) fn named(&self, name: &str) -> Named {
        match self.direct.get(name) {
            Some(true) => Named::Direct,
            Some(false) => Named::Group,
            None if self.patterns.iter().any(|glob| glob.matches(name)) => Named::Direct,
            None => Named::Nobody,
        }
    }

    /// What is wrong with the models that an API key allows: the field, and the rest of a sentence.
    pub(super) fn not_allowed(&self, api_key: &Map<String, Value>) -> Vec<(String, String)> {
        let allowed = api_key.get("allowed_models").and_then(Value::as_array);
        let names = allowed.into_iter().flatten().enumerate();
        let names = names.filter_map(|(index, name)| Some((index, name.as_str()?)));
        let unknown = names.filter(|(_, name)| {
            !Glob::new(name).is_wildcard() && self.named(name) == Named::Nobody
        });
        unknown
            .map(|(index, name)| {
                let message = format!("names no model: {}", self.meant(name));
                (format!("allowed_models[{index}]"), message)
            })
            .collect()
    }

    /// What is wrong with the models that a document is made of: the field, and the rest of a sentence.
    pub(super) fn not_direct(&self, kind: Kind, document: &Value) -> Vec<(String, String)> {
        let named = targets(kind, document).into_iter();
        named
            .filter_map(|(path, name)| {
                let named = self.named(name);
                let name = match named {
                    Named::Nobody => self.meant(name),
                    _ => meant(name, None),
                };
                Some((path, format!("{}: {name}", named.problem()?)))
            })
            .collect()
    }

    fn meant(&self, name: &str) -> String {
        meant(name, nearest(name, self.direct.keys().map(String::as_str)))
    }
}

// === impl Keys ===

impl Keys {
    /// Reports a key that another entry has too.
    pub(super) fn distinct(&mut self, scope: &str, key: KeyHash, problems: &mut Problems) {
        if let Some(other) = self.seen.get(&key) {
            problems.at(scope, format!("has the same key as {other}"));
        } else {
            self.seen.insert(key, scope.to_owned());
        }
    }
}
