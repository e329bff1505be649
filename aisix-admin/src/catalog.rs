//! Who has which name, and who refers to whom: what must hold between resources.

mod models;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    hash::Hash,
};

use aisix_core::config::{
    ConfigStore, Key, Kind,
    store::{Changed, Listing, Revision, StoreError},
};
use serde_json::Value;

use self::models::Models;
use crate::answer::Refusal;

/// A name within a kind and a group of its fields.
type Name = (Kind, usize, String);

/// An index of a store at a revision.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    pub(crate) revision: Revision,
    /// See [`ConfigStore::moment`].
    pub(crate) moment: u64,
    keys: HashSet<Key>,
    /// Usually one each; whoever writes past this API may make more.
    owners: HashMap<Name, BTreeSet<Key>>,
    users: HashMap<Key, BTreeSet<Key>>,
    models: Models,
}

// === impl Catalog ===

impl Catalog {
    /// Reads a store, not before that moment of it.
    pub(crate) async fn load(store: &dyn ConfigStore, moment: u64) -> Result<Self, StoreError> {
        let mut catalog = Self::of(&store.list(None).await?);
        catalog.moment = moment;
        Ok(catalog)
    }

    pub(crate) fn of(listing: &Listing) -> Self {
        let mut catalog = Self {
            revision: listing.revision,
            ..Self::default()
        };
        for stored in &listing.entries {
            catalog.insert(&stored.entry.key, &stored.entry.value);
        }
        catalog
    }

    /// The resource of a kind that has this text in its first group of fields.
    pub(crate) fn named(&self, kind: Kind, name: &str) -> Option<&Key> {
        self.owners.get(&(kind, 0, name.to_owned()))?.first()
    }

    /// Who refers to a resource.
    pub(crate) fn users(&self, key: &Key) -> impl Iterator<Item = &Key> {
        self.users.get(key).into_iter().flatten()
    }

    /// Refuses changes that would give a resource the name of another one, or leave a reference that leads
    /// nowhere or to a model that others cannot be made of. Who has the name of another one already may keep it.
    pub(crate) fn check(&self, changes: &[Changed]) -> Result<(), Refusal> {
        match self.problems(changes).into_iter().next() {
            Some((_, refusal)) => Err(refusal),
            None => Ok(()),
        }
    }

    /// Everything for which changes are refused, and the resource that it is about.
    pub(crate) fn problems<'c>(&self, changes: &'c [Changed]) -> Vec<(&'c Key, Refusal)> {
        let after: HashMap<&Key, Option<&Value>> = changes
            .iter()
            .map(|changed| (&changed.key, changed.after.as_ref()))
            .collect();
        let exists = |key: &Key| match after.get(key) {
            Some(document) => document.is_some(),
            None => self.keys.contains(key),
        };
        let documents = changes.iter();
        let documents = documents.filter_map(|it| Some((&it.key, it.after.as_ref()?)));
        let (mut new_names, mut referred) = (HashMap::new(), HashMap::new());
        let mut problems = Vec::new();
        for (key, document) in documents {
            for (field, name) in names(key.kind, document) {
                let owners = self.owners.get(&name);
                let have_it = |key: &Key| owners.is_some_and(|owners| owners.contains(key));
                let mut others = owners.into_iter().flatten();
                let owner = others.find(|owner| !after.contains_key(owner));
                let owner = owner.or_else(|| new_names.get(&name).copied());
                let is_new = |owner: &&Key| *owner != key && !(have_it(key) && have_it(owner));
                if let Some(owner) = owner.filter(is_new) {
                    problems.push((key, taken(field, &name.2, owner)));
                }
                new_names.insert(name, key);
            }
            for (field, other) in references(key.kind, document) {
                if !exists(&other) && !after.contains_key(&other) {
                    let message = format!("`{field}` refers to {other}, which does not exist");
                    let refusal = Refusal::conflict(message).about(Some(field.to_owned()));
                    problems.push((key, refusal));
                }
                referred.insert(other, key);
            }
        }
        for gone in changes.iter().filter(|changed| changed.after.is_none()) {
            let user = self.users(&gone.key).find(|user| !after.contains_key(user));
            if let Some(user) = user.or_else(|| referred.get(&gone.key).copied()) {
                let message = format!("{} is in use by {user}", gone.key);
                problems.push((&gone.key, Refusal::conflict(message)));
            }
        }
        problems.extend(self.models.problems(changes));
        problems
    }

    /// Takes changes over.
    pub(crate) fn apply(&mut self, changes: &[Changed]) {
        for Changed { key, before, .. } in changes {
            if let Some(before) = before {
                self.remove(key, before);
            }
        }
        for Changed { key, after, .. } in changes {
            if let Some(after) = after {
                self.insert(key, after);
            }
        }
    }

    fn insert(&mut self, key: &Key, document: &Value) {
        self.keys.insert(key.clone());
        for (_, name) in names(key.kind, document) {
            self.owners.entry(name).or_default().insert(key.clone());
        }
        for (_, other) in references(key.kind, document) {
            self.users.entry(other).or_default().insert(key.clone());
        }
        self.models.insert(key, document);
    }

    fn remove(&mut self, key: &Key, document: &Value) {
        self.keys.remove(key);
        for (_, name) in names(key.kind, document) {
            leave(&mut self.owners, &name, key);
        }
        for (_, other) in references(key.kind, document) {
            leave(&mut self.users, &other, key);
        }
        self.models.remove(key, document);
    }
}

/// Takes a resource out of a set, and the set away with the last one.
fn leave<K: Eq + Hash>(sets: &mut HashMap<K, BTreeSet<Key>>, of: &K, key: &Key) {
    if let Some(set) = sets.get_mut(of) {
        set.remove(key);
        if set.is_empty() {
            sets.remove(of);
        }
    }
}

fn taken(field: &str, name: &str, owner: &Key) -> Refusal {
    let message = match owner.kind {
        // The hash of a key is nobody's name.
        Kind::ApiKey => format!("API key already exists: it is that of {owner}"),
        _ => {
            let name: String = name.chars().take(128).collect();
            format!("{field} {name:?} is already in use by {owner}")
        }
    };
    Refusal::conflict(message).about(Some(field.to_owned()))
}

fn names(kind: Kind, document: &Value) -> impl Iterator<Item = (&'static str, Name)> + '_ {
    let groups = kind.identities().iter().enumerate();
    groups.flat_map(move |(group, fields)| {
        fields.iter().filter_map(move |field| {
            let text = document.get(field)?.as_str()?;
            Some((*field, (kind, group, text.to_owned())))
        })
    })
}

fn references(kind: Kind, document: &Value) -> impl Iterator<Item = (&'static str, Key)> + '_ {
    kind.references().iter().filter_map(|(field, kind)| {
        let id = document.get(field)?.as_str()?.into();
        Some((*field, Key { kind: *kind, id }))
    })
}
