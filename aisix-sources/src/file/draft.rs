//! An entry on its way from the file to a resource.

use aisix_core::config::resource::Kind;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    interpolate::{Env, Failure, interpolate},
    report::Problems,
};

/// The namespace of ids: the UUIDv5 of `https://github.com/api7/aisix#resources-file` in the
/// namespace of URLs.
const NAMESPACE: Uuid = Uuid::from_u128(0x63e50ab2_677a_54d3_8d1e_c0cb29ceae94);

/// The longest name that is repeated in a report, in characters.
const MAX_NAME: usize = 64;

/// An entry that is being read.
pub(super) struct Draft {
    pub(super) kind: Kind,
    /// The name that the id is made from; `None` if there is none that is usable.
    pub(super) name: Option<String>,
    /// Where it stands, such as `models[2] ("gpt-4o")`.
    pub(super) scope: String,
    pub(super) members: Map<String, Value>,
    /// Fields that have a problem already: what follows from it is not reported.
    pub(super) bad: Vec<String>,
}

/// The id of the entry of this kind and name.
pub(super) fn id(kind: Kind, name: &str) -> String {
    Uuid::new_v5(&NAMESPACE, format!("{kind}/{name}").as_bytes()).to_string()
}

// === impl Draft ===

impl Draft {
    /// Fills in the environment and finds the name.
    pub(super) fn new(
        kind: Kind,
        index: usize,
        mut value: Value,
        env: Env<'_>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let mut failures = Vec::new();
        interpolate(&mut value, "", env, &mut failures);
        let Value::Object(members) = value else {
            problems.at(format!("{kind}[{index}]"), "must be a mapping");
            return None;
        };
        let name = members
            .get(kind.name_field())
            .and_then(Value::as_str)
            .filter(|name| !name.is_empty())
            .map(str::to_owned);
        let scope = match &name {
            Some(name) => {
                let shown: String = name.chars().take(MAX_NAME).collect();
                format!("{kind}[{index}] ({shown:?})")
            }
            None => format!("{kind}[{index}]"),
        };
        let mut draft = Self {
            kind,
            name,
            scope,
            members,
            bad: Vec::new(),
        };
        for Failure { path, message } in failures {
            draft.complain(&path, &message, problems);
        }
        if draft.members.remove("id").is_some() {
            let message = "is made from the name and cannot be given";
            draft.complain("id", message, problems);
        }
        Some(draft)
    }

    /// The id, if there is a name.
    pub(super) fn id(&self) -> Option<String> {
        self.name.as_deref().map(|name| id(self.kind, name))
    }

    /// Notes a problem with a field: the message is the rest of a sentence about it.
    pub(super) fn complain(&mut self, path: &str, message: &str, problems: &mut Problems) {
        problems.at(&self.scope, format!("`{path}` {message}"));
        self.bad.push(path.to_owned());
    }
}
