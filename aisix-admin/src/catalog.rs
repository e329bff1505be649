//! Who has which name, and who refers to whom: what must hold between resources.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::{Duration, Instant},
};

use aisix_core::config::{
    ConfigStore, Key, Kind,
    store::{Changed, Revision, StoreError},
};
use serde_json::Value;

use crate::answer::Refusal;

/// A name within a kind and a group of its fields.
type Name = (Kind, usize, String);

/// How long it is brought up to date by the store's history, which does not tell what others have
/// written to etcd; then it is read anew.
const FRESH: Duration = Duration::from_secs(60);

/// An index of a store at a revision.
#[derive(Debug)]
pub(crate) struct Catalog {
    pub(crate) revision: Revision,
    loaded: Instant,
    keys: HashSet<Key>,
    owners: HashMap<Name, Key>,
    users: HashMap<Key, BTreeSet<Key>>,
}

// === impl Catalog ===

impl Catalog {
    pub(crate) async fn load(store: &dyn ConfigStore) -> Result<Self, StoreError> {
        let loaded = Instant::now();
        let listing = store.list(None).await?;
        let mut catalog = Self {
            revision: listing.revision,
            loaded,
            keys: HashSet::new(),
            owners: HashMap::new(),
            users: HashMap::new(),
        };
        for stored in listing.entries {
            catalog.insert(&stored.entry.key, &stored.entry.value);
        }
        Ok(catalog)
    }

    /// Takes over what has been written since; false when that is not known, and it must be loaded anew.
    pub(crate) async fn catch_up(&mut self, store: &dyn ConfigStore) -> Result<bool, StoreError> {
        let now = store.revision().await?;
        if now == self.revision {
            return Ok(true);
        }
        if now < self.revision || self.loaded.elapsed() > FRESH {
            return Ok(false);
        }
        for record in store.history(self.revision).await? {
            if record.revision != self.revision + 1 {
                return Ok(false);
            }
            self.apply(&record.changes);
            self.revision = record.revision;
        }
        Ok(self.revision >= now)
    }

    /// The resource of a kind that has this text in its first group of fields.
    pub(crate) fn named(&self, kind: Kind, name: &str) -> Option<&Key> {
        self.owners.get(&(kind, 0, name.to_owned()))
    }

    /// Who refers to a resource.
    pub(crate) fn users(&self, key: &Key) -> impl Iterator<Item = &Key> {
        self.users.get(key).into_iter().flatten()
    }

    /// Refuses changes that would leave two resources with one name, or a reference that leads nowhere.
    pub(crate) fn check(&self, changes: &[Changed]) -> Result<(), Refusal> {
        let after: HashMap<&Key, Option<&Value>> = changes
            .iter()
            .map(|changed| (&changed.key, changed.after.as_ref()))
            .collect();
        let documents = || {
            let documents = changes.iter();
            documents.filter_map(|changed| Some((&changed.key, changed.after.as_ref()?)))
        };
        let exists = |key: &Key| match after.get(key) {
            Some(document) => document.is_some(),
            None => self.keys.contains(key),
        };
        let (mut new_names, mut referred) = (HashMap::new(), HashMap::new());
        for (key, document) in documents() {
            for (field, name) in names(key.kind, document) {
                let owner = self.owners.get(&name);
                let owner = owner.filter(|owner| !after.contains_key(owner));
                let owner = owner.or_else(|| new_names.get(&name).copied());
                if let Some(owner) = owner.filter(|owner| *owner != key) {
                    return Err(taken(field, &name.2, owner));
                }
                new_names.insert(name, key);
            }
            for (field, other) in references(key.kind, document) {
                if !exists(&other) && !after.contains_key(&other) {
                    let message = format!("`{field}` refers to {other}, which does not exist");
                    return Err(Refusal::conflict(message).about(Some(field.to_owned())));
                }
                referred.insert(other, key);
            }
        }
        for gone in changes.iter().filter(|changed| changed.after.is_none()) {
            let user = self.users(&gone.key).find(|user| !after.contains_key(user));
            if let Some(user) = user.or_else(|| referred.get(&gone.key).copied()) {
                let message = format!("{} is in use by {user}", gone.key);
                return Err(Refusal::conflict(message));
            }
        }
        Ok(())
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

    /// Takes changes back, which were the last that it took over.
    pub(crate) fn undo(&mut self, changes: &[Changed]) {
        let back = changes.iter().map(|changed| Changed {
            key: changed.key.clone(),
            before: changed.after.clone(),
            after: changed.before.clone(),
        });
        self.apply(&back.collect::<Vec<_>>());
    }

    fn insert(&mut self, key: &Key, document: &Value) {
        self.keys.insert(key.clone());
        for (_, name) in names(key.kind, document) {
            self.owners.entry(name).or_insert_with(|| key.clone());
        }
        for (_, other) in references(key.kind, document) {
            self.users.entry(other).or_default().insert(key.clone());
        }
    }

    fn remove(&mut self, key: &Key, document: &Value) {
        self.keys.remove(key);
        for (_, name) in names(key.kind, document) {
            if self.owners.get(&name) == Some(key) {
                self.owners.remove(&name);
            }
        }
        for (_, other) in references(key.kind, document) {
            if let Some(users) = self.users.get_mut(&other) {
                users.remove(key);
                if users.is_empty() {
                    self.users.remove(&other);
                }
            }
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
