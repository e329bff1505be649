//! From the file to entries.

use std::{fs::File, io::Read, path::Path};

use aisix_core::config::{
    Entry,
    resource::{Invalid, Kind, Resource, Strictness, decode},
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    document,
    draft::{Draft, GivenIds},
    held::{Held, Ids},
    interpolate::Env,
    names,
    references::{self, Keys, Models},
    report::{Problems, Report},
    sugar::{self, Known},
    yaml,
};

/// The largest file that is read, in bytes: 64 MiB.
pub const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// What a resources file holds.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The resources, of revision 1. References come after what they refer to, but for names of models.
    pub entries: Vec<Entry>,
    /// The SHA-256 of the file, in hexadecimal.
    pub hash: String,
    file: String,
    /// Where each entry stands.
    scopes: Vec<String>,
}

/// Reads a file; `env` says what environment variables hold.
///
/// # Errors
///
/// Everything that is wrong with the file, or why it cannot be read.
pub fn load(path: &Path, env: Env<'_>) -> Result<Loaded, Report> {
    let name = path.display().to_string();
    parse(&name, &text(path)?, env)
}

/// Reads the text of a file called `name`.
///
/// # Errors
///
/// Everything that is wrong with the text.
pub fn parse(name: &str, text: &str, env: Env<'_>) -> Result<Loaded, Report> {
    read_as(name, text, env, None)
}

/// Reads a file that is to be brought into a store, see [`parse_into`].
///
/// # Errors
///
/// Everything that is wrong with the file, or why it cannot be read.
pub fn load_into(path: &Path, env: Env<'_>, held: Held<'_>) -> Result<Loaded, Report> {
    let name = path.display().to_string();
    parse_into(&name, &text(path)?, env, held)
}

/// Reads the text of a file called `name` that is to be brought into a store.
///
/// This differs from [`parse`] in what only a store has: an entry may say its `id`, and API keys keep
/// their names. A resource without an `id` has that of the resource of its name in the store, an API key
/// also that of the one with its hash; otherwise one is derived from the name. What stays in the store may be
/// referred to.
///
/// # Errors
///
/// Everything that is wrong with the text.
pub fn parse_into(name: &str, text: &str, env: Env<'_>, held: Held<'_>) -> Result<Loaded, Report> {
    read_as(name, text, env, Some(held))
}

fn read_as(name: &str, text: &str, env: Env<'_>, into: Option<Held<'_>>) -> Result<Loaded, Report> {
    let document = yaml::read(text).map_err(|message| Report::of_file(name, message))?;
    let mut problems = Problems::default();
    let placed = entries(document, env, into, &mut problems);
    if !problems.is_empty() {
        return Err(Report::new(name, problems));
    }
    let (entries, scopes) = placed.into_iter().unzip();
    Ok(Loaded {
        entries,
        hash: hash(text),
        file: name.to_owned(),
        scopes,
    })
}

// === impl Loaded ===

impl Loaded {
    /// Checks the entries by what only their user knows, such as which hooks there are.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, each with its place in the file.
    pub fn check(&self, check: impl Fn(&Entry) -> Vec<Invalid>) -> Result<(), Report> {
        let mut problems = Problems::default();
        for (entry, scope) in self.entries.iter().zip(&self.scopes) {
            for invalid in check(entry) {
                problems.at(scope, invalid.to_string());
            }
        }
        match problems.is_empty() {
            true => Ok(()),
            false => Err(Report::new(&self.file, problems)),
        }
    }
}

fn text(path: &Path) -> Result<String, Report> {
    read(path).map_err(|message| Report::of_file(&path.display().to_string(), message))
}

/// The text of a file.
pub(super) fn read(path: &Path) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("cannot be read: {error}");
    let file = File::open(path).map_err(cannot)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(cannot)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("is larger than {} MiB", MAX_BYTES >> 20));
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())
}

/// The SHA-256 of a text, in hexadecimal.
pub(super) fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

fn entries(
    document: Value,
    env: Env<'_>,
    into: Option<Held<'_>>,
    problems: &mut Problems,
) -> Vec<(Entry, String)> {
    let given_ids = match into {
        None => GivenIds::Refused,
        Some(_) => GivenIds::Read,
    };
    let mut drafts = Vec::new();
    for (kind, items) in document::lists(document, problems) {
        for (index, item) in items.into_iter().enumerate() {
            drafts.extend(Draft::new(kind, index, item, (env, given_ids), problems));
        }
    }
    references::duplicate_names(&drafts, problems);
    let held = into.unwrap_or(Held::NOTHING);
    let mut ids = Ids::new(held, &drafts);
    let mut known: Known = Kind::ALL.map(|kind| (kind, held.staying(kind))).into();
    let models = models(held, &drafts);
    let mut keys = Keys::default();

    // What is referred to comes before what refers to it.
    let mut entries = Vec::with_capacity(drafts.len());
    for mut draft in drafts {
        sugar::desugar(&mut draft, &known, env, problems);
        if draft.kind == Kind::ApiKey {
            report(&draft, models.not_allowed(&draft.members), problems);
        }
        let id = ids.of(&draft, problems);
        if let (Some(name), Some(id)) = (&draft.name, &id) {
            let of_kind = known.entry(draft.kind).or_default();
            of_kind.insert(name.clone(), id.clone());
        }
        let value = document_of(&mut draft, into.is_some());
        report(&draft, models.not_direct(draft.kind, &value), problems);
        check(&draft, &value, &mut keys, problems);
        entries.extend(id.map(|id| {
            let entry = Entry {
                revision: 1,
                ..Entry::new(draft.kind, id, value)
            };
            (entry, draft.scope)
        }));
    }
    entries
}

/// All models that may be named.
fn models(held: Held<'_>, drafts: &[Draft]) -> Models {
    let mut models = Models::default();
    for (name, members) in held.models() {
        models.add(name, members);
    }
    for draft in drafts.iter().filter(|draft| draft.kind == Kind::Model) {
        if let Some(name) = draft.name.as_deref() {
            models.add(name, &draft.members);
        }
    }
    models
}

/// Reports what is wrong with fields, unless it is said already.
fn report(draft: &Draft, wrong: Vec<(String, String)>, problems: &mut Problems) {
    for (path, message) in wrong {
        if !draft.bad.contains(&path) {
            problems.at(&draft.scope, format!("`{path}` {message}"));
        }
    }
}

/// The document of a draft. Only a store keeps the names of API keys.
fn document_of(draft: &mut Draft, for_store: bool) -> Value {
    let mut value = Value::Object(std::mem::take(&mut draft.members));
    if for_store && draft.kind == Kind::ApiKey {
        let name = draft.name.as_deref();
        if let Some(name) = name.and_then(|name| names::stored(name, &value)) {
            value["display_name"] = name.into();
        }
    }
    value
}

/// Reports what is wrong with a document, unless it is said already.
fn check(draft: &Draft, value: &Value, keys: &mut Keys, problems: &mut Problems) {
    match decode(draft.kind, value.clone(), Strictness::Strict) {
        Ok(decoded) => {
            if let Resource::ApiKey(key) = &decoded.resource {
                keys.distinct(&draft.scope, key.key_hash, problems);
            }
        }
        Err(errors) => {
            for error in errors {
                if !draft.bad.contains(&error.path) {
                    problems.at(&draft.scope, error.to_string());
                }
            }
        }
    }
}
