//! The top level of a file.

use aisix_core::config::resource::{Kind, nearest};
use serde_json::{Map, Value};

use super::report::Problems;

/// The only version of the format.
const FORMAT_VERSION: &str = "1";

const VERSION_KEY: &str = "_format_version";

/// Kinds that such a file may hold, but which are not served yet.
const LATER_KINDS: [&str; 7] = [
    "mcp_servers",
    "a2a_agents",
    "observability_exporters",
    "oidc_providers",
    "claim_mappings",
    "passthrough_routes",
    "mcp_auth_settings",
];

/// A kind that only a store holds, and which is not served yet.
const LATER_IN_STORES: &str = "mcp_policies";

/// Takes the lists of the kinds out of a document, and checks everything else about it.
pub(super) fn lists(document: Value, problems: &mut Problems) -> Vec<(Kind, Vec<Value>)> {
    let Value::Object(members) = document else {
        problems.file("must be a mapping with `_format_version` and lists of resources");
        return Vec::new();
    };
    check_version(&members, problems);
    let mut lists = Vec::new();
    for (name, value) in members {
        match (name.parse::<Kind>(), value) {
            (Ok(kind), _) if !kind.is_in_files() => problems.file(not_in_files(&name)),
            (Ok(kind), Value::Array(items)) => lists.push((kind, items)),
            (Ok(_), Value::Null) => {}
            (Ok(kind), _) => problems.file(format!("`{kind}` must be a list")),
            (Err(_), value) => problems.extend_file(complaint(&name, &value)),
        }
    }
    // What is referred to comes before what refers to it.
    lists.sort_by_key(|(kind, _)| *kind);
    lists
}

/// A document without resources.
pub(super) fn empty() -> Map<String, Value> {
    let version = (VERSION_KEY.to_owned(), FORMAT_VERSION.into());
    Map::from_iter([version])
}

fn check_version(members: &Map<String, Value>, problems: &mut Problems) {
    match members.get(VERSION_KEY) {
        Some(Value::String(version)) if version == FORMAT_VERSION => {}
        Some(Value::String(_)) => problems.file(format!(
            "`{VERSION_KEY}` is not supported: this version reads \"{FORMAT_VERSION}\""
        )),
        Some(_) => problems.file(format!(
            "`{VERSION_KEY}` must be the string \"{FORMAT_VERSION}\", in quotes"
        )),
        None => problems.file(format!("`{VERSION_KEY}: \"{FORMAT_VERSION}\"` is required")),
    }
}

/// What is wrong with a key that is none of ours.
fn complaint(name: &str, value: &Value) -> Option<String> {
    if name == VERSION_KEY {
        return None;
    }
    if LATER_KINDS.contains(&name) {
        let is_empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        return (!is_empty).then(|| format!("`{name}` is not supported yet"));
    }
    if name == LATER_IN_STORES {
        return Some(not_in_files(name));
    }
    let known = Kind::ALL.into_iter().filter(|kind| kind.is_in_files());
    let known = known
        .map(Kind::as_str)
        .chain(LATER_KINDS)
        .chain([VERSION_KEY]);
    let name: String = name.chars().take(64).collect();
    Some(match nearest(&name, known) {
        Some(near) => format!("`{name}` is not a known key; did you mean `{near}`?"),
        None => format!("`{name}` is not a known key"),
    })
}

fn not_in_files(name: &str) -> String {
    format!("`{name}` cannot stand in a resources file")
}
