//! Models that are made of other models, which they name.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use aisix_core::config::{
    Key, Kind,
    glob::Glob,
    resource::{Named, is_direct, targets},
    store::Changed,
};
use serde_json::Value;

use super::leave;
use crate::answer::Refusal;

/// The models of a store by their names, and who names them.
#[derive(Debug, Default)]
pub(super) struct Models {
    /// Whether each model of a name is a direct one. Usually it is one each.
    named: HashMap<String, BTreeMap<Key, bool>>,
    /// The names that are patterns, each with its models.
    patterns: BTreeMap<String, BTreeSet<Key>>,
    users: HashMap<String, BTreeSet<Key>>,
}

/// What changes come to: the models that change, as they were and as they will be.
struct Change<'c> {
    keys: HashSet<&'c Key>,
    before: &'c Models,
    after: Models,
}

// === impl Models ===

impl Models {
    pub(super) fn insert(&mut self, key: &Key, document: &Value) {
        if let Some((name, direct)) = named(key, document) {
            if is_pattern(name) && direct {
                let pattern = self.patterns.entry(name.to_owned()).or_default();
                pattern.insert(key.clone());
            }
            let of_name = self.named.entry(name.to_owned()).or_default();
            of_name.insert(key.clone(), direct);
        }
        for (_, target) in targets(key.kind, document) {
            let users = self.users.entry(target.to_owned()).or_default();
            users.insert(key.clone());
        }
    }

    pub(super) fn remove(&mut self, key: &Key, document: &Value) {
        if let Some((name, _)) = named(key, document) {
            if let Some(of_name) = self.named.get_mut(name) {
                of_name.remove(key);
                if of_name.is_empty() {
                    self.named.remove(name);
                }
            }
            if let Some(pattern) = self.patterns.get_mut(name) {
                pattern.remove(key);
                if pattern.is_empty() {
                    self.patterns.remove(name);
                }
            }
        }
        for (_, target) in targets(key.kind, document) {
            leave(&mut self.users, &target.to_owned(), key);
        }
    }

    /// Everything for which changes are refused, and the resource that it is about: a model that names another one
    /// which is not there or no direct one, and a model that others name and that would not be one any more.
    pub(super) fn problems<'c>(&self, changes: &'c [Changed]) -> Vec<(&'c Key, Refusal)> {
        let models = changes.iter().filter(|it| it.key.kind == Kind::Model);
        let mut change = Change {
            keys: models.clone().map(|changed| &changed.key).collect(),
            before: self,
            after: Self::default(),
        };
        for changed in models.clone() {
            if let Some(document) = &changed.after {
                change.after.insert(&changed.key, document);
            }
        }
        let mut problems = Vec::new();
        for changed in models.clone() {
            let document = changed.after.as_ref().unwrap_or(&Value::Null);
            for (path, name) in targets(Kind::Model, document) {
                if let Some(problem) = change.named(name).problem() {
                    let name: String = name.chars().take(128).collect();
                    let refusal = Refusal::conflict(format!("`{path}` {problem}: {name:?}"));
                    problems.push((&changed.key, refusal.about(Some(path))));
                }
            }
        }
        for changed in models {
            if let Some((user, name)) = change.loser(changed) {
                let name: String = name.chars().take(128).collect();
                let key = &changed.key;
                let message = match changed.after {
                    None => format!("{key} is in use by {user}"),
                    Some(_) => format!("{key} is in use by {user}, as the direct model {name:?}"),
                };
                problems.push((key, Refusal::conflict(message)));
            }
        }
        problems
    }

    /// What a name stands for, of the models that `counts` knows.
    fn look(&self, name: &str, counts: impl Fn(&Key) -> bool) -> Option<Named> {
        let of_name = self.named.get(name).into_iter().flatten();
        let of_name: Vec<bool> = of_name
            .filter(|(key, _)| counts(key))
            .map(|(_, direct)| *direct)
            .collect();
        match of_name.as_slice() {
            [] => None,
            // Whoever writes past this API may make more than one: it is enough that it may be the right one.
            some if some.contains(&true) => Some(Named::Direct),
            _ => Some(Named::Group),
        }
    }

    fn has_pattern(&self, name: &str, counts: impl Fn(&Key) -> bool) -> bool {
        let mut patterns = self.patterns.iter();
        patterns.any(|(pattern, keys)| keys.iter().any(&counts) && Glob::new(pattern).matches(name))
    }
}

// === impl Change ===

impl Change<'_> {
    fn stays(&self, key: &Key) -> bool {
        !self.keys.contains(key)
    }

    /// What a name will stand for.
    fn named(&self, name: &str) -> Named {
        let stays = |key: &Key| self.stays(key);
        let exact = match (
            self.before.look(name, stays),
            self.after.look(name, |_| true),
        ) {
            (Some(Named::Direct), _) | (_, Some(Named::Direct)) => Some(Named::Direct),
            (before, after) => before.or(after),
        };
        exact.unwrap_or_else(|| {
            let is_served =
                self.before.has_pattern(name, stays) || self.after.has_pattern(name, |_| true);
            match is_served {
                true => Named::Direct,
                false => Named::Nobody,
            }
        })
    }

    /// Whether a name stands for a direct model now.
    fn was_direct(&self, name: &str) -> bool {
        match self.before.look(name, |_| true) {
            Some(named) => named == Named::Direct,
            None => self.before.has_pattern(name, |_| true),
        }
    }

    /// Who names a model that will not be there for them any more, and by which name.
    fn loser(&self, changed: &Changed) -> Option<(&Key, &str)> {
        let documents = [&changed.before, &changed.after].into_iter().flatten();
        let names = documents.filter_map(|document| Some(named(&changed.key, document)?.0));
        let mut affected: Vec<(&String, &BTreeSet<Key>)> = Vec::new();
        for name in names {
            if is_pattern(name) {
                let glob = Glob::new(name);
                let users = self.before.users.iter();
                affected.extend(users.filter(|(used, _)| glob.matches(used)));
            } else {
                affected.extend(self.before.users.get_key_value(name));
            }
        }
        affected.sort();
        affected.into_iter().find_map(|(name, users)| {
            let user = users.iter().find(|user| self.stays(user))?;
            let is_lost = self.was_direct(name) && self.named(name) != Named::Direct;
            is_lost.then_some((user, name.as_str()))
        })
    }
}

/// The name of a model, and whether it is a direct one.
fn named<'d>(key: &Key, document: &'d Value) -> Option<(&'d str, bool)> {
    let members = document.as_object().filter(|_| key.kind == Kind::Model)?;
    Some((members.get("display_name")?.as_str()?, is_direct(members)))
}

fn is_pattern(name: &str) -> bool {
    Glob::new(name).is_wildcard()
}
