//! From rows to resources.

use std::collections::{BTreeMap, HashMap, HashSet};

use aisix_core::config::{
    Change, Entry, Key, KeyHash, Kind,
    resource::{first_generation, own_provider_key},
    store::Stored,
};
use serde_json::{Map, Value};

use super::{
    DOCUMENT_BYTES,
    layout::{Layout, Place},
};

/// How many problems are told at once; of more only the number.
const PROBLEMS: usize = 256;

/// A row of etcd, with etcd's revisions.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
    pub(super) created: u64,
    pub(super) changed: u64,
}

/// What rows come to that stand for more than themselves.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Resources that documents of the first generation come to, by their name today.
    made: HashMap<Key, Stored>,
    /// Rows that stand where such a resource would be; they win.
    own: HashSet<Key>,
}

/// What was wrong with rows, bounded.
#[derive(Debug, Default)]
pub(super) struct Problems {
    told: Vec<String>,
    more: usize,
}

/// What a row comes to.
struct Made {
    stored: Stored,
    /// The provider key that a model of the first generation holds.
    provider_key: Option<Stored>,
}

// === impl Row ===

impl Row {
    fn stored(&self, key: Key, value: Value) -> Stored {
        Stored {
            entry: Entry {
                key,
                value,
                revision: self.changed,
            },
            created: self.created,
        }
    }
}

impl From<etcd_client::KeyValue> for Row {
    fn from(pair: etcd_client::KeyValue) -> Self {
        let (created, changed) = (pair.create_revision(), pair.mod_revision());
        let (key, value) = pair.into_key_value();
        Self {
            key,
            value,
            created: unsigned(created),
            changed: unsigned(changed),
        }
    }
}

/// etcd's revisions are never negative.
pub(super) fn unsigned(revision: i64) -> u64 {
    revision.try_into().unwrap_or_default()
}

// === impl Rows ===

impl Rows {
    /// Takes all rows there are: what they come to, by its name.
    pub(super) fn all(
        layout: &Layout,
        rows: impl IntoIterator<Item = Row>,
        problems: &mut Problems,
    ) -> (Self, BTreeMap<Key, Stored>) {
        let (mut state, mut found, mut changes) = (Self::default(), BTreeMap::new(), Vec::new());
        for row in rows {
            state.put(layout, &row, &mut changes, problems);
            for (key, stored) in changes.drain(..) {
                match stored {
                    Some(stored) => drop(found.insert(key, stored)),
                    None => drop(found.remove(&key)),
                }
            }
        }
        (state, found)
    }

    /// Takes a row that is new or has changed.
    pub(super) fn put(
        &mut self,
        layout: &Layout,
        row: &Row,
        changes: &mut Vec<(Key, Option<Stored>)>,
        problems: &mut Problems,
    ) {
        match layout.parse(&row.key) {
            Err(problem) => problems.tell(problem),
            Ok(Place::FirstApiKey(id)) => {
                let kind = Kind::ApiKey;
                let key = Key { kind, id };
                let stored = first_api_key(key.clone(), row, problems);
                if !self.own.contains(&key) {
                    changes.push((key.clone(), Some(stored.clone())));
                }
                self.made.insert(key, stored);
            }
            Ok(Place::Resource(key)) => {
                if may_be_made(&key) {
                    self.own.insert(key.clone());
                }
                let made = read(key.clone(), row, problems);
                changes.push((key.clone(), Some(made.stored)));
                if key.kind == Kind::Model {
                    self.provider_key(own_provider_key(&key), made.provider_key, changes);
                }
            }
        }
    }

    /// Takes a row that is gone.
    pub(super) fn delete(
        &mut self,
        layout: &Layout,
        key: &[u8],
        changes: &mut Vec<(Key, Option<Stored>)>,
    ) {
        match layout.parse(key) {
            Err(_) => {}
            Ok(Place::FirstApiKey(id)) => {
                let kind = Kind::ApiKey;
                let key = Key { kind, id };
                if self.made.remove(&key).is_some() && !self.own.contains(&key) {
                    changes.push((key, None));
                }
            }
            Ok(Place::Resource(key)) => {
                self.own.remove(&key);
                changes.push((key.clone(), self.made.get(&key).cloned()));
                if key.kind == Kind::Model {
                    self.provider_key(own_provider_key(&key), None, changes);
                }
            }
        }
    }

    /// What stands for itself at this place, and not for a document of the first generation.
    pub(super) fn is_made(&self, key: &Key) -> bool {
        self.made.contains_key(key) && !self.own.contains(key)
    }

    /// What becomes of the provider key that a model may hold.
    fn provider_key(
        &mut self,
        key: Key,
        stored: Option<Stored>,
        changes: &mut Vec<(Key, Option<Stored>)>,
    ) {
        let is_hidden = self.own.contains(&key);
        let old = match &stored {
            Some(stored) => self.made.insert(key.clone(), stored.clone()),
            None => self.made.remove(&key),
        };
        if !is_hidden && (stored.is_some() || old.is_some()) {
            changes.push((key, stored));
        }
    }
}

/// Whether a document of the first generation may come to this.
fn may_be_made(key: &Key) -> bool {
    match key.kind {
        Kind::ApiKey => true,
        Kind::ProviderKey => key.id.starts_with("model-"),
        _ => false,
    }
}

/// Changes of one revision, as whoever follows is told.
pub(super) fn told(changes: Vec<(Key, Option<Stored>)>, revision: u64) -> Change {
    let changes = changes.into_iter().map(|(key, stored)| match stored {
        Some(stored) => Change::Put(stored.entry),
        None => Change::Delete(key),
    });
    Change::Together(changes.chain([Change::At(revision)]).collect())
}

/// Reads the value of a row. What cannot be read becomes `null`, which is no resource of any kind.
fn json(row: &Row, problems: &mut Problems) -> Value {
    let name = || String::from_utf8_lossy(&row.key);
    if row.value.len() > DOCUMENT_BYTES {
        let size = row.value.len();
        problems.tell(format!(
            "{} is too large: {size} bytes, at most {DOCUMENT_BYTES}",
            name()
        ));
        return Value::Null;
    }
    serde_json::from_slice(&row.value).unwrap_or_else(|error| {
        // The error says where, not what.
        problems.tell(format!("{} is not JSON: {error}", name()));
        Value::Null
    })
}

fn read(key: Key, row: &Row, problems: &mut Problems) -> Made {
    let value = json(row, problems);
    let mut provider_key = None;
    let value = match value {
        Value::Object(members) if key.kind == Kind::Model && is_first_generation(&members) => {
            let (model, made) = first_model(&key, members, row, problems);
            provider_key = made;
            model
        }
        value => value,
    };
    let stored = row.stored(key, value);
    Made {
        stored,
        provider_key,
    }
}

fn is_first_generation(members: &Map<String, Value>) -> bool {
    let first = ["name", "model", "provider_config", "provider_id"];
    !members.contains_key("display_name") && first.iter().any(|name| members.contains_key(*name))
}

/// A model that holds its provider key becomes two resources.
fn first_model(
    key: &Key,
    mut members: Map<String, Value>,
    row: &Row,
    problems: &mut Problems,
) -> (Value, Option<Stored>) {
    let config = match first_generation(&mut members) {
        Ok(config) => config,
        Err(invalid) => {
            problems.tell(format!("{}: {invalid}", String::from_utf8_lossy(&row.key)));
            return (Value::Null, None);
        }
    };
    let Some(config) = config else {
        return (Value::Object(members), None);
    };
    let own = own_provider_key(key);
    members.insert("provider_key_id".to_owned(), own.id.as_ref().into());
    let mut document = match config {
        Value::Object(config) => config,
        _ => Map::new(),
    };
    document.insert("display_name".to_owned(), own.id.as_ref().into());
    let stored = row.stored(own, Value::Object(document));
    (Value::Object(members), Some(stored))
}

/// An API key in plain text becomes one with its hash.
fn first_api_key(key: Key, row: &Row, problems: &mut Problems) -> Stored {
    let mut value = json(row, problems);
    if let Value::Object(members) = &mut value
        && let Some(Value::String(key)) = members.shift_remove("key")
    {
        members.insert("key_hash".to_owned(), KeyHash::of(&key).to_hex().into());
    }
    row.stored(key, value)
}

// === impl Problems ===

impl Problems {
    pub(super) fn tell(&mut self, problem: String) {
        match self.told.len() < PROBLEMS {
            true => self.told.push(problem),
            false => self.more += 1,
        }
    }

    /// Each as a sentence.
    pub(super) fn into_sentences(self) -> impl Iterator<Item = String> {
        let more = (self.more > 0).then(|| format!("and {} more documents are wrong", self.more));
        self.told.into_iter().chain(more)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct World {
        layout: Layout,
        rows: Rows,
        found: BTreeMap<Key, Value>,
        problems: Vec<String>,
    }

    fn world() -> World {
        World {
            layout: Layout::new("/aisix", "").unwrap(),
            rows: Rows::default(),
            found: BTreeMap::new(),
            problems: Vec::new(),
        }
    }

    fn row(key: &str, value: impl Into<Vec<u8>>) -> Row {
        Row {
            key: key.into(),
            value: value.into(),
            created: 3,
            changed: 7,
        }
    }

    impl World {
        fn put(&mut self, key: &str, value: impl ToString) -> &mut Self {
            let (mut changes, mut problems) = (Vec::new(), Problems::default());
            let row = row(key, value.to_string());
            self.rows
                .put(&self.layout, &row, &mut changes, &mut problems);
            self.problems.extend(problems.into_sentences());
            self.apply(changes)
        }

        fn delete(&mut self, key: &str) -> &mut Self {
            let mut changes = Vec::new();
            self.rows.delete(&self.layout, key.as_bytes(), &mut changes);
            self.apply(changes)
        }

        fn apply(&mut self, changes: Vec<(Key, Option<Stored>)>) -> &mut Self {
            for (key, stored) in changes {
                match stored {
                    Some(stored) => drop(self.found.insert(key, stored.entry.value)),
                    None => drop(self.found.remove(&key)),
                }
            }
            self
        }

        #[track_caller]
        fn holds(&self, expected: &[(&str, Value)]) {
            let found = self.found.iter();
            let found: Vec<_> = found
                .map(|(key, value)| (key.to_string(), value.clone()))
                .collect();
            let expected: Vec<_> = expected
                .iter()
                .map(|(key, value)| ((*key).to_owned(), value.clone()))
                .collect();
            assert_eq!(found, expected);
        }
    }

    fn first(secret: &str) -> Value {
        json!({"name": "m", "model": "openai/gpt-4o", "provider_config": {"api_key": secret}})
    }

    fn model() -> Value {
        json!({"display_name": "m", "provider": "openai", "model_name": "gpt-4o", "provider_key_id": "model-1"})
    }

    fn provider_key(secret: &str) -> Value {
        json!({"api_key": secret, "display_name": "model-1"})
    }

    #[test]
    fn a_model_that_holds_its_provider_key_is_two_resources() {
        let mut world = world();
        world.put("/aisix/models/1", first("a")).holds(&[
            ("provider_keys/model-1", provider_key("a")),
            ("models/1", model()),
        ]);
        world.put("/aisix/models/1", first("b")).holds(&[
            ("provider_keys/model-1", provider_key("b")),
            ("models/1", model()),
        ]);
        world.delete("/aisix/models/1").holds(&[]);
        world
            .put("/aisix/models/1", first("a"))
            .put("/aisix/models/1", model())
            .holds(&[("models/1", model())]);
        assert!(world.problems.is_empty());
    }

    #[test]
    fn a_row_of_today_hides_what_a_first_one_comes_to() {
        let own = json!({"display_name": "own", "api_key": "o"});
        for is_first_later in [false, true] {
            let mut world = world();
            if is_first_later {
                world.put("/aisix/provider_keys/model-1", &own);
                world.put("/aisix/models/1", first("a"));
            } else {
                world.put("/aisix/models/1", first("a"));
                world.put("/aisix/provider_keys/model-1", &own);
            }
            world.holds(&[
                ("provider_keys/model-1", own.clone()),
                ("models/1", model()),
            ]);
            world.delete("/aisix/provider_keys/model-1").holds(&[
                ("provider_keys/model-1", provider_key("a")),
                ("models/1", model()),
            ]);
            world
                .put("/aisix/provider_keys/model-1", &own)
                .put("/aisix/models/1", model())
                .holds(&[
                    ("provider_keys/model-1", own.clone()),
                    ("models/1", model()),
                ]);
        }
    }

    #[test]
    fn a_plaintext_key_is_hashed() {
        let mut world = world();
        let hash = KeyHash::of("sk-1").to_hex();
        let today = json!({"allowed_models": ["m"], "key_hash": hash});
        world
            .put(
                "/aisix/apikeys/k",
                json!({"key": "sk-1", "allowed_models": ["m"]}),
            )
            .holds(&[("api_keys/k", today.clone())]);
        let own = json!({"key_hash": KeyHash::of("sk-2").to_hex(), "allowed_models": []});
        world
            .put("/aisix/api_keys/k", &own)
            .holds(&[("api_keys/k", own)]);
        world
            .delete("/aisix/api_keys/k")
            .holds(&[("api_keys/k", today)]);
        world.delete("/aisix/apikeys/k").holds(&[]);
    }

    #[test]
    fn what_cannot_be_read_is_told_and_stands_as_null() {
        let mut world = world();
        let large = format!("\"{}\"", "x".repeat(DOCUMENT_BYTES));
        world
            .put("/aisix/models/1", "{\"sk-hidden\"")
            .put(
                "/aisix/models/2",
                json!({"name": "m", "provider_id": "p", "model": "x"}),
            )
            .put("/aisix/models/3", large)
            .put("/aisix/widgets/4", "{}")
            .holds(&[
                ("models/1", Value::Null),
                ("models/2", Value::Null),
                ("models/3", Value::Null),
            ]);
        let told = world.problems.join("\n");
        assert!(!told.contains("sk-hidden"), "{told}");
        for said in [
            "/aisix/models/1 is not JSON: ",
            "/aisix/models/2: `provider_id` belongs to a form that is not read",
            "/aisix/models/3 is too large",
            "/aisix/widgets/4 is of an unknown kind",
        ] {
            assert!(told.contains(said), "{told}");
        }
        assert_eq!(world.problems.len(), 4);
    }

    #[test]
    fn problems_are_bounded() {
        let mut problems = Problems::default();
        (0..1_000).for_each(|n| problems.tell(n.to_string()));
        let told: Vec<_> = problems.into_sentences().collect();
        assert_eq!(told.len(), PROBLEMS + 1);
        assert_eq!(told[PROBLEMS], "and 744 more documents are wrong");
    }
}
