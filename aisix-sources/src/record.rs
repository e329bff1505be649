//! Records of a store's history, as text.

use std::sync::Arc;

use aisix_core::config::{
    Key, Kind,
    store::{Changed, Record, Revision},
};
use serde_json::{Map, Value, json};

/// Reads `<kind>/<id>`; nothing when the kind is unknown here.
pub(crate) fn read_key(name: &str) -> Option<Key> {
    let (kind, id) = name.split_once('/')?;
    let kind = kind.parse::<Kind>().ok()?;
    let id = Arc::from(id);
    Some(Key { kind, id })
}

/// Writes a record; its revision is kept beside it.
pub(crate) fn write(record: &Record) -> Value {
    let changes: Vec<Value> = record
        .changes
        .iter()
        .map(|changed| {
            let mut members = Map::new();
            members.insert("key".to_owned(), changed.key.to_string().into());
            members.extend(changed.before.clone().map(|it| ("before".to_owned(), it)));
            members.extend(changed.after.clone().map(|it| ("after".to_owned(), it)));
            Value::Object(members)
        })
        .collect();
    json!({"by": record.by, "at": record.at, "changes": changes})
}

/// Reads a record; changes of unknown kinds are left out.
pub(crate) fn read(revision: Revision, mut record: Value) -> Option<Record> {
    let changes = match record.get_mut("changes")?.take() {
        Value::Array(changes) => changes,
        _ => return None,
    };
    let changes = changes.into_iter().filter_map(|mut changed| {
        let key = read_key(changed["key"].as_str()?)?;
        let members = changed.as_object_mut()?;
        let (before, after) = (members.remove("before"), members.remove("after"));
        Some(Changed { key, before, after })
    });
    Some(Record {
        revision,
        by: record["by"].as_str()?.to_owned(),
        at: record["at"].as_str()?.parse().ok()?,
        changes: changes.collect(),
    })
}
