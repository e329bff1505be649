//! What entries say about one another.

use std::collections::HashMap;

use aisix_core::config::{
    glob::Glob,
    resource::{KeyHash, Kind, nearest},
};
use serde_json::Value;

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

/// Checks API keys against the models of the file and against one another.
pub(super) struct Keys<'f> {
    models: Vec<&'f str>,
    patterns: Vec<Glob>,
    seen: HashMap<KeyHash, String>,
}

// === impl Keys ===

impl<'f> Keys<'f> {
    /// Starts with the names of all models, patterns among them.
    pub(super) fn new(models: impl Iterator<Item = &'f str>) -> Self {
        let models: Vec<_> = models.collect();
        let patterns = models.iter().map(|name| Glob::new(name));
        Self {
            patterns: patterns.filter(Glob::is_wildcard).collect(),
            models,
            seen: HashMap::new(),
        }
    }

    /// Reports models that a key allows and that nobody defines, whatever else is wrong with it.
    pub(super) fn allowed(&self, draft: &Draft, problems: &mut Problems) {
        let allowed = draft
            .members
            .get("allowed_models")
            .and_then(Value::as_array);
        for (index, name) in allowed.into_iter().flatten().enumerate() {
            let Some(name) = name.as_str() else { continue };
            if Glob::new(name).is_wildcard() || self.serves(name) {
                continue;
            }
            let near = nearest(name, self.models.iter().copied());
            let name = meant(name, near);
            problems.at(
                &draft.scope,
                format!("`allowed_models[{index}]` names no model: {name}"),
            );
        }
    }

    /// Reports a key that another entry has too.
    pub(super) fn distinct(&mut self, scope: &str, key: KeyHash, problems: &mut Problems) {
        if let Some(other) = self.seen.get(&key) {
            problems.at(scope, format!("has the same key as {other}"));
        } else {
            self.seen.insert(key, scope.to_owned());
        }
    }

    fn serves(&self, name: &str) -> bool {
        self.models.contains(&name) || self.patterns.iter().any(|glob| glob.matches(name))
    }
}
