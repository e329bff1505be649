//! From entries to the file.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
};

use aisix_core::config::{
    Entry, Key, Secret,
    resource::{Kind, Strictness, decode, json_schema},
};
use serde_json::{Map, Value};

use super::{
    document::empty, mentions, names::names, references::Models, report::Problem,
    variables::Variables, yaml,
};

/// How a file is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// What stands for secrets.
    pub secrets: Secrets,
    /// Whether each resource says its id. Only [`parse_into`](super::parse_into) reads such a file.
    pub ids: bool,
}

/// What stands for secrets in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Secrets {
    /// `${VARIABLE}`, with a name that is made from the resource's.
    #[default]
    Variables,
    /// They themselves.
    Revealed,
}

/// A file, written.
#[derive(Clone)]
pub struct Written {
    /// The text, YAML.
    pub text: String,
    /// How many resources it holds.
    pub count: usize,
    /// The environment variables that its readers need.
    pub variables: Vec<Needed>,
    /// What a file cannot say. These resources are not in the text.
    pub problems: Vec<Problem>,
}

/// An environment variable that a file needs.
#[derive(Clone, Debug)]
pub struct Needed {
    /// The variable.
    pub name: String,
    /// The field whose secret it holds, such as ``provider_keys "openai": `api_key` ``.
    pub field: String,
    /// The secret.
    pub secret: Secret,
}

/// Writes the file of these resources: names instead of ids, `${VAR}` instead of secrets unless they are
/// revealed. What is not in order cannot be said in a file; it is left out and reported.
///
/// Resources are ordered by kind and name, and their fields as the documentation has them, so that the same
/// resources are the same text. Reading it with [`parse`](super::parse) gives the same documents, but
/// for API keys, which lose their `display_name`; with [`parse_into`](super::parse_into) they keep it.
pub fn write<'e>(entries: impl IntoIterator<Item = &'e Entry>, form: Form) -> Written {
    let entries: Vec<&Entry> = entries.into_iter().collect();
    let names = names(entries.iter().copied());
    let mut writer = Writer {
        ordered: ordered(&entries, &names),
        names: &names,
        problems: Vec::new(),
        left_out: HashSet::new(),
    };
    writer.check();
    writer.write(form)
}

/// What is being written.
struct Writer<'e> {
    ordered: Vec<&'e Entry>,
    names: &'e BTreeMap<Key, String>,
    problems: Vec<Problem>,
    left_out: HashSet<&'e Key>,
}

/// By kind, so that references come after what they refer to, and by name.
fn ordered<'e>(entries: &[&'e Entry], names: &BTreeMap<Key, String>) -> Vec<&'e Entry> {
    let mut ordered = entries.to_vec();
    ordered.sort_by_key(|entry| {
        let key = &entry.key;
        (key.kind, names.get(key), key.id.clone())
    });
    ordered
}

// === impl Writer ===

impl<'e> Writer<'e> {
    /// Finds what a file cannot say.
    fn check(&mut self) {
        let (mut seen, mut hashes) = (HashMap::new(), HashMap::new());
        let all = self.ordered.clone();
        for entry in &all {
            if !entry.key.kind.is_in_files() {
                self.refuse(entry, "cannot stand in a resources file");
                continue;
            }
            let Some(name) = self.names.get(&entry.key) else {
                self.refuse(entry, "has no name");
                continue;
            };
            let key = &entry.key;
            if let Some(other) = seen.insert((key.kind, name), key) {
                self.refuse(entry, format!("has the same name as {other}"));
                continue;
            }
            self.check_document(entry);
            let hash = entry.value.get("key_hash").and_then(Value::as_str);
            if let Some(other) = hash.and_then(|hash| hashes.insert(hash, key)) {
                self.refuse(entry, format!("has the same key as {other}"));
            }
        }
        self.check_references(&all);
        self.check_models(&all);
        self.check_mentions(&all);
    }

    fn check_document(&mut self, entry: &'e Entry) {
        let decoded = decode(entry.key.kind, entry.value.clone(), Strictness::Strict);
        for invalid in decoded.err().into_iter().flatten() {
            self.refuse(entry, invalid.to_string());
        }
    }

    fn check_references(&mut self, all: &[&'e Entry]) {
        for entry in all.iter().filter(|it| it.key.kind.is_in_files()) {
            for (field, kind) in entry.key.kind.references() {
                let Some(id) = entry.value.get(field).and_then(Value::as_str) else {
                    continue;
                };
                let (kind, id) = (*kind, id.into());
                let other = Key { kind, id };
                if !self.names.contains_key(&other) {
                    self.refuse(
                        entry,
                        format!("`{field}` refers to {other}, which does not exist"),
                    );
                } else if self.left_out.contains(&other) {
                    self.refuse(
                        entry,
                        format!("`{field}` refers to {other}, which is left out"),
                    );
                }
            }
        }
    }

    /// A file must define the models that its other models and its keys name.
    fn check_models(&mut self, all: &[&'e Entry]) {
        let models = self.models(all);
        for entry in all {
            let wrong = models.not_direct(entry.key.kind, &entry.value);
            self.refuse_all(entry, wrong);
        }
        // Without those that are left out by now.
        let models = self.models(all);
        for entry in all.iter().filter(|it| it.key.kind == Kind::ApiKey) {
            let members = entry.value.as_object();
            let wrong = members.map(|members| models.not_allowed(members));
            self.refuse_all(entry, wrong.unwrap_or_default());
        }
    }

    fn models(&self, all: &[&'e Entry]) -> Models {
        let mut models = Models::default();
        let of_kind = all.iter().filter(|entry| entry.key.kind == Kind::Model);
        for entry in of_kind.filter(|entry| !self.left_out.contains(&entry.key)) {
            let members = entry.value.as_object();
            if let Some((name, members)) = self.names.get(&entry.key).zip(members) {
                models.add(name, members);
            }
        }
        models
    }

    fn refuse_all(&mut self, entry: &'e Entry, wrong: Vec<(String, String)>) {
        for (path, message) in wrong {
            self.refuse(entry, format!("`{path}` {message}"));
        }
    }

    /// An id that is nobody's may be the name of somebody: then a file would mean them.
    fn check_mentions(&mut self, all: &[&'e Entry]) {
        for entry in all {
            let mut members = entry.value.as_object().cloned().unwrap_or_default();
            let mut taken = None;
            mentioned(entry.key.kind, &mut members, |kind, id| {
                let is_name = |(key, name): (&Key, &String)| key.kind == kind && name == id;
                if self.name_of(kind, id).is_none() && self.names.iter().any(is_name) {
                    taken = Some(format!(
                        "refers to {kind}/{id}, which is only the name of another"
                    ));
                }
            });
            if let Some(message) = taken {
                self.refuse(entry, message);
            }
        }
    }

    /// The name in the file of what has this id.
    fn name_of(&self, kind: Kind, id: &str) -> Option<&'e String> {
        let id = id.into();
        let key = Key { kind, id };
        let is_written = !self.left_out.contains(&key);
        self.names.get(&key).filter(|_| is_written)
    }

    fn refuse(&mut self, entry: &'e Entry, message: impl Into<String>) {
        self.left_out.insert(&entry.key);
        self.problems.push(Problem {
            scope: self.scope(&entry.key),
            message: message.into(),
        });
    }

    fn scope(&self, key: &Key) -> String {
        match self.names.get(key) {
            Some(name) => {
                let name: String = name.chars().take(64).collect();
                format!("{key} ({name:?})")
            }
            None => key.to_string(),
        }
    }

    fn write(mut self, form: Form) -> Written {
        let mut variables = Variables::default();
        let mut file = empty();
        let mut count = 0;
        for entry in self.ordered.clone() {
            if self.left_out.contains(&entry.key) {
                continue;
            }
            let Some(name) = self.names.get(&entry.key) else {
                continue;
            };
            let mut document = entry.value.clone();
            if let Value::Object(members) = &mut document {
                mentioned(entry.key.kind, members, |kind, id| {
                    if let Some(name) = self.name_of(kind, id) {
                        id.clone_from(name);
                    }
                });
            }
            let filled = variables.put(entry.key.kind, name, &mut document, form.secrets);
            if let Err(message) = filled {
                self.refuse(entry, message);
                continue;
            }
            let entry = self.entry(entry, name, document, form);
            let list = file
                .entry(entry.0.as_str())
                .or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(list) = list {
                list.push(entry.1);
            }
            count += 1;
        }
        Written {
            text: yaml::write(&Value::Object(file)),
            count,
            variables: variables.into_needed(),
            problems: self.problems,
        }
    }

    /// The document as it stands in a file: with names for ids, in the order of the documentation.
    fn entry(&self, entry: &Entry, name: &str, document: Value, form: Form) -> (Kind, Value) {
        let kind = entry.key.kind;
        let Value::Object(mut document) = document else {
            return (kind, document);
        };
        let escaped = |text: &str| Value::String(text.replace('$', "$$"));
        let mut members = Map::new();
        if form.ids {
            members.insert("id".to_owned(), escaped(&entry.key.id));
        }
        members.insert(kind.name_field().to_owned(), escaped(name));
        document.shift_remove(kind.name_field());
        for (field, of_kind) in kind.references() {
            // As it is, without what is escaped for the file.
            let id = entry.value.get(*field).and_then(Value::as_str);
            let other = id.map(|id| Key {
                kind: *of_kind,
                id: id.into(),
            });
            if let Some(name) = other.and_then(|other| self.names.get(&other)) {
                document.shift_remove(*field);
                let plain = field.strip_suffix("_id").unwrap_or(field);
                document.insert(plain.to_owned(), escaped(name));
            }
        }
        members.extend(in_order(document, json_schema(kind), kind));
        (kind, Value::Object(members))
    }
}

/// Calls `see` with every id of a key or a model that a document may name without referring to it.
fn mentioned(kind: Kind, members: &mut Map<String, Value>, see: impl FnMut(Kind, &mut String)) {
    if kind == Kind::RateLimitPolicy {
        mentions::of_policy(members, see);
    }
}

/// Members in the order of their schema.
fn in_order(mut members: Map<String, Value>, schema: &Value, kind: Kind) -> Map<String, Value> {
    let Value::Object(properties) = &schema["properties"] else {
        return members;
    };
    let mut ordered = Map::new();
    for (name, schema) in properties {
        let is_reference = kind.references().iter().any(|(field, _)| field == name);
        let name = match is_reference && !members.contains_key(name) {
            true => name.strip_suffix("_id").unwrap_or(name),
            false => name,
        };
        if let Some(value) = members.shift_remove(name) {
            let value = match value {
                Value::Object(inner) => Value::Object(in_order(inner, schema, kind)),
                value => value,
            };
            ordered.insert(name.to_owned(), value);
        }
    }
    ordered.extend(members);
    ordered
}

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Written")
            .field("count", &self.count)
            .field("variables", &self.variables)
            .field("problems", &self.problems)
            .finish_non_exhaustive()
    }
}
