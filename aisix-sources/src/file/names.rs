//! The names of resources in a file.
//!
//! Most kinds have a name that is unique, and it is the name in a file. API keys in a store may have
//! none, or the same as others. In a file they are then told apart by the beginning of their hash,
//! behind a `#`: `ci#0a1b2c3d4e5f`, or `#0a1b2c3d4e5f` where there is no name at all. An import reads
//! such a name as what stands before the `#`.

use std::collections::{BTreeMap, HashMap};

use aisix_core::config::{Entry, Key, Kind};
use serde_json::Value;

/// How many digits of a hash tell keys apart.
const DIGITS: usize = 12;

/// The names that resources have in a file, by their keys. A document without a usable name has none.
pub fn names<'e>(entries: impl IntoIterator<Item = &'e Entry>) -> BTreeMap<Key, String> {
    let entries: Vec<&Entry> = entries.into_iter().collect();
    let mut shared: HashMap<&str, usize> = HashMap::new();
    for name in entries
        .iter()
        .filter(|entry| entry.key.kind == Kind::ApiKey)
        .filter_map(|entry| own(entry.key.kind, &entry.value))
    {
        *shared.entry(name).or_default() += 1;
    }
    let named = entries.into_iter().filter_map(|entry| {
        let own = own(entry.key.kind, &entry.value);
        let name = match (entry.key.kind, suffix(&entry.value), own) {
            (Kind::ApiKey, Some(suffix), None) => suffix,
            (Kind::ApiKey, Some(suffix), Some(name))
                if shared[name] > 1 || name.ends_with(&suffix) =>
            {
                format!("{name}{suffix}")
            }
            (_, _, name) => name?.to_owned(),
        };
        Some((entry.key.clone(), name))
    });
    named.collect()
}

/// The name that an API key has in a store, given that in a file.
pub(super) fn stored<'n>(name: &'n str, document: &Value) -> Option<&'n str> {
    let suffix = suffix(document);
    let stored = suffix.and_then(|suffix| name.strip_suffix(&suffix));
    Some(stored.unwrap_or(name)).filter(|name| !name.is_empty())
}

fn own(kind: Kind, document: &Value) -> Option<&str> {
    let name = document.get(kind.name_field())?.as_str()?;
    Some(name).filter(|name| !name.is_empty() && kind.is_in_files())
}

fn suffix(document: &Value) -> Option<String> {
    let hash = document.get("key_hash")?.as_str()?;
    Some(format!("#{}", hash.get(..DIGITS)?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(id: &str, hash: &str, name: Value) -> Entry {
        let hash = format!("{hash}{}", "0".repeat(64 - hash.len()));
        let document = json!({"key_hash": hash, "allowed_models": [], "display_name": name});
        Entry::new(Kind::ApiKey, id, document)
    }

    #[test]
    fn keys_are_told_apart_and_find_their_names_again() {
        let entries = [
            key("1", "aa", "alone".into()),
            key("2", "bb", "same".into()),
            key("3", "cc", "same".into()),
            key("4", "dd", Value::Null),
            key("5", "ee", "".into()),
            key("6", "ff", "x#ff0000000000".into()),
            Entry::new(Kind::Model, "7", json!({"display_name": "same"})),
            Entry::new(Kind::Model, "8", json!(null)),
            Entry::new(Kind::Gateway, "9", json!({"name": "default"})),
        ];
        let names = names(&entries);
        let found: Vec<&str> = names.values().map(String::as_str).collect();
        let expected = [
            "same",
            "alone",
            "same#bb0000000000",
            "same#cc0000000000",
            "#dd0000000000",
            "#ee0000000000",
            "x#ff0000000000#ff0000000000",
            "default",
        ];
        assert_eq!(found, expected);
        for (key, name) in names.iter().filter(|(key, _)| key.kind == Kind::ApiKey) {
            let entry = entries.iter().find(|entry| entry.key == *key).unwrap();
            let own = own(key.kind, &entry.value);
            assert_eq!(stored(name, &entry.value), own, "{name}");
        }
    }
}
