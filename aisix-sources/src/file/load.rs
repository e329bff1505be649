//! From the file to entries.

use std::{fs::File, io::Read, path::Path};

use aisix_core::config::{
    Entry, Key,
    resource::{Kind, Resource, Strictness, decode},
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    document,
    draft::Draft,
    interpolate::Env,
    references::{self, Keys},
    report::{Problems, Report},
    sugar, yaml,
};

/// The largest file that is read, in bytes: 64 MiB.
pub const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// What a resources file holds.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The resources, of revision 1. References come after what they refer to.
    pub entries: Vec<Entry>,
    /// The SHA-256 of the file, in hexadecimal.
    pub hash: String,
}

/// Reads a file; `env` says what environment variables hold.
///
/// # Errors
///
/// Everything that is wrong with the file, or why it cannot be read.
pub fn load(path: &Path, env: Env<'_>) -> Result<Loaded, Report> {
    let name = path.display().to_string();
    let text = read(path).map_err(|message| Report::of_file(&name, message))?;
    parse(&name, &text, env)
}

/// Reads the text of a file called `name`.
///
/// # Errors
///
/// Everything that is wrong with the text.
pub fn parse(name: &str, text: &str, env: Env<'_>) -> Result<Loaded, Report> {
    let document = yaml::read(text).map_err(|message| Report::of_file(name, message))?;
    let mut problems = Problems::default();
    let entries = entries(document, env, &mut problems);
    if !problems.is_empty() {
        return Err(Report::new(name, problems));
    }
    let hash = hash(text);
    Ok(Loaded { entries, hash })
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

fn entries(document: Value, env: Env<'_>, problems: &mut Problems) -> Vec<Entry> {
    let mut drafts = Vec::new();
    for (kind, items) in document::lists(document, problems) {
        for (index, item) in items.into_iter().enumerate() {
            drafts.extend(Draft::new(kind, index, item, env, problems));
        }
    }
    references::duplicate_names(&drafts, problems);
    let names = |of: Kind| -> Vec<String> {
        let named = drafts.iter().filter(|draft| draft.kind == of);
        named.filter_map(|draft| draft.name.clone()).collect()
    };
    let (provider_keys, models) = (names(Kind::ProviderKey), names(Kind::Model));
    let mut keys = Keys::new(models.iter().map(String::as_str));

    let mut entries = Vec::with_capacity(drafts.len());
    for mut draft in drafts {
        sugar::desugar(&mut draft, &provider_keys, env, problems);
        if draft.kind == Kind::ApiKey {
            keys.allowed(&draft, problems);
        }
        let value = Value::Object(std::mem::take(&mut draft.members));
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
        if let Some(id) = draft.id() {
            let kind = draft.kind;
            let key = Key {
                kind,
                id: id.into(),
            };
            entries.push(Entry {
                key,
                value,
                revision: 1,
            });
        }
    }
    entries
}
