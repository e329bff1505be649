//! From rows to resources.

use std::collections::{BTreeMap, HashMap, HashSet};

use aisix_core::config::{
    Change, Entry, Key, KeyHash, Kind, Reason, Rejection, RowName,
    resource::{first_generation, own_provider_key},
    store::Stored,
};
use serde_json::{Map, Value};

use super::{
    DOCUMENT_BYTES,
    layout::{Layout, Place},
};

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
    /// What documents of the first generation come to, by their name today.
    made: HashMap<Key, Result<Stored, Rejection>>,
    /// Rows that stand where such a resource would be; they win.
    own: HashSet<Key>,
}

/// What becomes of what a row stands for.
#[derive(Debug)]
pub(super) enum Told {
    /// It is this.
    Is(Stored),
    /// It cannot be read.
    Rejected(Rejection),
    /// It is gone.
    Gone(Key),
    /// It could not be read, never was a resource, and is gone.
    Forgotten(RowName),
}

/// What all rows come to.
pub(super) struct All {
    pub(super) rows: Rows,
    pub(super) found: BTreeMap<Key, Stored>,
    pub(super) rejected: BTreeMap<RowName, Rejection>,
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
    /// Takes all rows there are; `before` is what was known of those that were there before.
    pub(super) fn all(layout: &Layout, rows: impl IntoIterator<Item = Row>, before: &Self) -> All {
        let mut all = All {
            rows: Self::default(),
            found: BTreeMap::new(),
            rejected: BTreeMap::new(),
        };
        let mut told = Vec::new();
        for row in rows {
            all.rows.put(layout, &row, &mut told);
            told.drain(..).for_each(|told| all.take(told));
        }
        all.keep_provider_keys(before);
        all
    }

    /// Takes a row that is new or has changed.
    pub(super) fn put(&mut self, layout: &Layout, row: &Row, told: &mut Vec<Told>) {
        match layout.parse(&row.key) {
            Err(rejection) => told.push(Told::Rejected(rejection)),
            Ok(Place::FirstApiKey(id)) => {
                let kind = Kind::ApiKey;
                let key = Key { kind, id };
                let found = first_api_key(&key, row);
                if !self.own.contains(&key) {
                    told.push(found.clone().into());
                }
                self.made.insert(key, found);
            }
            Ok(Place::Resource(key)) => {
                if may_be_made(&key) {
                    self.own.insert(key.clone());
                }
                match read(&key, row) {
                    // What it held before is as good as it is itself.
                    Err(rejection) => told.push(Told::Rejected(rejection)),
                    Ok(made) => {
                        told.push(Told::Is(made.stored));
                        if key.kind == Kind::Model {
                            self.provider_key(own_provider_key(&key), made.provider_key, told);
                        }
                    }
                }
            }
        }
    }

    /// Takes a row that is gone.
    pub(super) fn delete(&mut self, layout: &Layout, key: &[u8], told: &mut Vec<Told>) {
        match layout.parse(key) {
            Err(rejection) => told.push(Told::Forgotten(rejection.name)),
            Ok(Place::FirstApiKey(id)) => {
                let kind = Kind::ApiKey;
                let key = Key { kind, id };
                if self.made.remove(&key).is_some() && !self.own.contains(&key) {
                    told.push(Told::Gone(key));
                }
            }
            Ok(Place::Resource(key)) => {
                self.own.remove(&key);
                match self.made.get(&key) {
                    Some(Ok(stored)) => told.push(Told::Is(stored.clone())),
                    // What was served was the row itself, and not what comes to light now.
                    Some(Err(rejection)) => {
                        let rejected = Told::Rejected(rejection.clone());
                        told.extend([Told::Gone(key.clone()), rejected]);
                    }
                    None => told.push(Told::Gone(key.clone())),
                }
                if key.kind == Kind::Model {
                    self.provider_key(own_provider_key(&key), None, told);
                }
            }
        }
    }

    /// What stands for itself at this place, and not for a document of the first generation.
    pub(super) fn is_made(&self, key: &Key) -> bool {
        self.made.contains_key(key) && !self.own.contains(key)
    }

    /// What becomes of the provider key that a model may hold.
    fn provider_key(&mut self, key: Key, stored: Option<Stored>, told: &mut Vec<Told>) {
        let is_hidden = self.own.contains(&key);
        match stored {
            Some(stored) => {
                self.made.insert(key, Ok(stored.clone()));
                if !is_hidden {
                    told.push(Told::Is(stored));
                }
            }
            None => {
                if self.made.remove(&key).is_some() && !is_hidden {
                    told.push(Told::Gone(key));
                }
            }
        }
    }
}

// === impl All ===

impl All {
    fn take(&mut self, told: Told) {
        match told {
            Told::Is(stored) => {
                let key = &stored.entry.key;
                self.rejected.remove(&key.into());
                self.found.insert(key.clone(), stored);
            }
            Told::Rejected(rejection) => {
                if let Some(key) = rejection.name.key() {
                    self.found.remove(&key);
                }
                self.rejected.insert(rejection.name.clone(), rejection);
            }
            Told::Gone(key) => {
                self.rejected.remove(&(&key).into());
                self.found.remove(&key);
            }
            Told::Forgotten(name) => drop(self.rejected.remove(&name)),
        }
    }

    /// A model that cannot be read any more is served on with the provider key that it held.
    fn keep_provider_keys(&mut self, before: &Rows) {
        let rejected = self.rejected.keys().filter_map(RowName::key);
        for model in rejected.filter(|key| key.kind == Kind::Model) {
            let own = own_provider_key(&model);
            let Some(held) = before.made.get(&own) else {
                continue;
            };
            if let Ok(stored) = held
                && !self.rows.own.contains(&own)
            {
                self.found.insert(own.clone(), stored.clone());
            }
            self.rows.made.insert(own, held.clone());
        }
    }
}

// === impl Told ===

impl From<Result<Stored, Rejection>> for Told {
    fn from(found: Result<Stored, Rejection>) -> Self {
        match found {
            Ok(stored) => Self::Is(stored),
            Err(rejection) => Self::Rejected(rejection),
        }
    }
}

impl From<Told> for Change {
    fn from(told: Told) -> Self {
        match told {
            Told::Is(stored) => Self::Put(stored.entry),
            Told::Rejected(rejection) => Self::Reject(rejection),
            Told::Gone(key) => Self::Delete(key),
            Told::Forgotten(name) => Self::Forget(name),
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
pub(super) fn together(told: Vec<Told>, revision: u64) -> Change {
    let changes = told.into_iter().map(Change::from);
    Change::Together(changes.chain([Change::At(revision)]).collect())
}

/// Reads the value of a row.
fn json(key: &Key, row: &Row) -> Result<Value, Rejection> {
    let rejected = |reason, message| Rejection::new(key.into(), reason, message);
    if row.value.len() > DOCUMENT_BYTES {
        let size = row.value.len();
        let message = format!("is too large: {size} bytes, at most {DOCUMENT_BYTES}");
        return Err(rejected(Reason::ParseFailed, message));
    }
    // The error says where, not what.
    serde_json::from_slice(&row.value)
        .map_err(|error| rejected(Reason::NonJson, format!("is not JSON: {error}")))
}

fn read(key: &Key, row: &Row) -> Result<Made, Rejection> {
    match json(key, row)? {
        Value::Object(members) if key.kind == Kind::Model && is_first_generation(&members) => {
            first_model(key, members, row)
        }
        value => Ok(Made {
            stored: row.stored(key.clone(), value),
            provider_key: None,
        }),
    }
}

fn is_first_generation(members: &Map<String, Value>) -> bool {
    let first = ["name", "model", "provider_config", "provider_id"];
    !members.contains_key("display_name") && first.iter().any(|name| members.contains_key(*name))
}

/// A model that holds its provider key becomes two resources.
fn first_model(key: &Key, mut members: Map<String, Value>, row: &Row) -> Result<Made, Rejection> {
    let config = first_generation(&mut members).map_err(|invalid| Rejection {
        name: key.into(),
        reason: Reason::SchemaFailed,
        errors: vec![invalid],
    })?;
    let Some(config) = config else {
        return Ok(Made {
            stored: row.stored(key.clone(), Value::Object(members)),
            provider_key: None,
        });
    };
    let own = own_provider_key(key);
    members.insert("provider_key_id".to_owned(), own.id.as_ref().into());
    let mut document = match config {
        Value::Object(config) => config,
        _ => Map::new(),
    };
    document.insert("display_name".to_owned(), own.id.as_ref().into());
    Ok(Made {
        stored: row.stored(key.clone(), Value::Object(members)),
        provider_key: Some(row.stored(own, Value::Object(document))),
    })
}

/// An API key in plain text becomes one with its hash.
fn first_api_key(key: &Key, row: &Row) -> Result<Stored, Rejection> {
    let mut value = json(key, row)?;
    if let Value::Object(members) = &mut value
        && let Some(Value::String(key)) = members.shift_remove("key")
    {
        members.insert("key_hash".to_owned(), KeyHash::of(&key).to_hex().into());
    }
    Ok(row.stored(key.clone(), value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct World {
        layout: Layout,
        rows: Rows,
        found: BTreeMap<Key, Value>,
        rejected: BTreeMap<String, String>,
    }

    fn world() -> World {
        World {
            layout: Layout::new("/aisix", "").unwrap(),
            rows: Rows::default(),
            found: BTreeMap::new(),
            rejected: BTreeMap::new(),
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
            let mut told = Vec::new();
            self.rows
                .put(&self.layout, &row(key, value.to_string()), &mut told);
            self.apply(told)
        }

        fn delete(&mut self, key: &str) -> &mut Self {
            let mut told = Vec::new();
            self.rows.delete(&self.layout, key.as_bytes(), &mut told);
            self.apply(told)
        }

        /// As whoever follows does.
        fn apply(&mut self, told: Vec<Told>) -> &mut Self {
            for told in told {
                match told {
                    Told::Is(stored) => {
                        let key = stored.entry.key;
                        self.rejected.remove(&key.to_string());
                        self.found.insert(key, stored.entry.value);
                    }
                    Told::Rejected(rejection) => {
                        let said =
                            format!("{}: {}", rejection.reason.as_str(), rejection.errors[0]);
                        self.rejected.insert(rejection.name.to_string(), said);
                    }
                    Told::Gone(key) => {
                        self.rejected.remove(&key.to_string());
                        self.found.remove(&key);
                    }
                    Told::Forgotten(name) => drop(self.rejected.remove(&name.to_string())),
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
        assert!(world.rejected.is_empty());
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
    fn what_cannot_be_read_is_told_by_its_name_until_it_is_gone() {
        let mut world = world();
        let large = format!("\"{}\"", "x".repeat(DOCUMENT_BYTES));
        let short_lived = json!({"name": "m", "provider_id": "sk-hidden", "model": "x"});
        let names = ["models/1", "models/2", "models/3", "apikeys/4", "widgets/5"];
        world
            .put("/aisix/models/1", "{\"sk-hidden\"")
            .put("/aisix/models/2", short_lived)
            .put("/aisix/models/3", large)
            .put("/aisix/apikeys/4", "sk-hidden")
            .put("/aisix/widgets/5", "{}")
            .put("/aisix/models", "{}")
            .holds(&[]);
        let told: Vec<_> = world.rejected.iter().collect();
        let [key, one, two, three, bad, widget] = told.as_slice() else {
            panic!("{told:?}")
        };
        for ((name, said), (expected, why)) in [
            (
                *key,
                ("api_keys/4", "non_json: is not JSON: expected value"),
            ),
            (*one, ("models/1", "non_json: is not JSON: ")),
            (
                *two,
                (
                    "models/2",
                    "schema_failed: `provider_id` belongs to a form that is not read",
                ),
            ),
            (*three, ("models/3", "parse_failed: is too large: ")),
            (
                *bad,
                ("unknown//aisix/models", "bad_key: is not of the form"),
            ),
            (*widget, ("widgets/5", "unknown_kind: ")),
        ] {
            assert_eq!(name, expected);
            assert!(
                said.starts_with(why) && !said.contains("sk-hidden"),
                "{said}"
            );
        }
        for name in names {
            world.delete(&format!("/aisix/{name}"));
        }
        world.delete("/aisix/models");
        assert!(world.rejected.is_empty(), "{:?}", world.rejected);
    }

    #[test]
    fn a_bad_model_leaves_the_provider_key_that_it_held() {
        let mut world = world();
        let held = ("provider_keys/model-1", provider_key("a"));
        world
            .put("/aisix/models/1", first("a"))
            .put("/aisix/models/1", "{")
            .holds(&[held.clone(), ("models/1", model())]);
        // The same when everything is read again, and once more.
        let mut rows = std::mem::take(&mut world.rows);
        for _ in 0..2 {
            let all = Rows::all(&world.layout, [row("/aisix/models/1", "{")], &rows);
            let found: Vec<String> = all.found.keys().map(ToString::to_string).collect();
            assert_eq!(found, [held.0]);
            assert_eq!(all.rejected.len(), 1);
            rows = all.rows;
        }
        world.rows = rows;
        world.delete("/aisix/models/1").holds(&[]);
    }

    #[test]
    fn a_deleted_key_is_not_served_on_for_a_bad_one_of_the_first_generation() {
        let mut world = world();
        let own = json!({"key_hash": KeyHash::of("sk-2").to_hex(), "allowed_models": []});
        world
            .put("/aisix/apikeys/k", "{")
            .put("/aisix/api_keys/k", &own)
            .holds(&[("api_keys/k", own)]);
        assert!(world.rejected.is_empty());
        world.delete("/aisix/api_keys/k").holds(&[]);
        assert_eq!(world.rejected.len(), 1);
    }
}
