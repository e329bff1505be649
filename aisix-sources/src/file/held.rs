//! The store that a file is brought into.

use std::collections::{BTreeMap, HashMap, HashSet};

use aisix_core::config::{Entry, Kind};
use serde_json::{Map, Value};

use super::{
    draft::{self, Draft},
    names::names,
    report::Problems,
};

/// What the store holds that a file's resources go to.
#[derive(Clone, Copy, Debug)]
pub struct Held<'h> {
    /// All that it holds.
    pub entries: &'h [Entry],
    /// Whether it stays there beside what the file brings, so that the file may refer to it.
    pub stays: bool,
}

/// Gives entries their ids.
pub(super) struct Ids {
    by_name: HashMap<(Kind, String), String>,
    by_hash: HashMap<String, String>,
    held: HashSet<(Kind, String)>,
    /// Where each id that is taken stands.
    given: HashMap<(Kind, String), String>,
    /// The id of each entry that was asked for, by where it stands.
    found: HashMap<String, String>,
}

// === impl Held ===

impl Held<'_> {
    /// Nothing.
    pub const NOTHING: Held<'static> = Held {
        entries: &[],
        stays: false,
    };

    /// The ids by name of what stays there, of one kind.
    pub(super) fn staying(&self, kind: Kind) -> BTreeMap<String, String> {
        let of_kind = self.entries.iter().filter(|entry| entry.key.kind == kind);
        let of_kind = of_kind.filter(|_| self.stays);
        let named = names(of_kind).into_iter();
        named
            .map(|(key, name)| (name, key.id.to_string()))
            .collect()
    }

    /// The models that stay there, with their names.
    pub(super) fn models(&self) -> impl Iterator<Item = (&str, &Map<String, Value>)> {
        let staying = self.entries.iter().filter(|_| self.stays);
        let models = staying.filter(|entry| entry.key.kind == Kind::Model);
        models.filter_map(|entry| {
            let members = entry.value.as_object()?;
            Some((members.get("display_name")?.as_str()?, members))
        })
    }
}

// === impl Ids ===

impl Ids {
    pub(super) fn new(held: Held<'_>, drafts: &[Draft]) -> Self {
        let named = names(held.entries).into_iter();
        let hashes = held.entries.iter().filter_map(|entry| {
            let hash = entry.value.get("key_hash")?.as_str()?;
            Some((hash.to_owned(), entry.key.id.to_string()))
        });
        let all = held.entries.iter();
        let mut ids = Self {
            by_name: HashMap::new(),
            by_hash: hashes.collect(),
            held: all
                .map(|entry| (entry.key.kind, entry.key.id.to_string()))
                .collect(),
            given: HashMap::new(),
            found: HashMap::new(),
        };
        for (key, name) in named {
            // Of several, which should not be, the first.
            let name = (key.kind, name);
            ids.by_name
                .entry(name)
                .or_insert_with(|| key.id.to_string());
        }
        // Whoever has a name or says its id has it before anybody else.
        for draft in drafts {
            if let Some(id) = ids.settled(draft) {
                let place = draft.scope.clone();
                ids.given.entry((draft.kind, id)).or_insert(place);
            }
        }
        ids
    }

    /// The id of a draft, if it has a name: its own, that of the resource of this name or with this key,
    /// or one that is derived from the name.
    pub(super) fn of(&mut self, draft: &Draft, problems: &mut Problems) -> Option<String> {
        let name = draft.name.as_deref()?;
        let id = self.found.get(&draft.scope).cloned();
        let id = id.or_else(|| self.settled(draft));
        let id = id.or_else(|| self.with_key(draft));
        let id = id.unwrap_or_else(|| self.derived(draft.kind, name));
        let place = self.given.entry((draft.kind, id.clone()));
        let owner = place.or_insert_with(|| draft.scope.clone());
        if *owner != draft.scope && draft.given.is_some() {
            problems.at(&draft.scope, format!("`id` is the same as that of {owner}"));
        }
        self.found.insert(draft.scope.clone(), id.clone());
        Some(id)
    }

    fn settled(&self, draft: &Draft) -> Option<String> {
        let name = draft.name.clone()?;
        let held = || self.by_name.get(&(draft.kind, name)).cloned();
        draft.given.clone().or_else(held)
    }

    /// The id of the API key with the same hash, unless another entry has it by its name.
    fn with_key(&self, draft: &Draft) -> Option<String> {
        let hash = draft.members.get("key_hash").and_then(Value::as_str)?;
        let id = self.by_hash.get(hash)?.clone();
        (!self.given.contains_key(&(draft.kind, id.clone()))).then_some(id)
    }

    /// An id that nobody has.
    fn derived(&self, kind: Kind, name: &str) -> String {
        let first = draft::id(kind, name);
        // Somebody may have been renamed and have kept the id of its old name.
        let more = (2..).map(|round| draft::id(kind, &format!("{name}#{round}")));
        let mut ids = std::iter::once(first).chain(more);
        let is_free = |id: &String| {
            let key = (kind, id.clone());
            !self.held.contains(&key) && !self.given.contains_key(&key)
        };
        ids.find(is_free).expect("there is no end of ids")
    }
}
