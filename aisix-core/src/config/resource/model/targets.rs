//! What models say of other models.

use serde_json::{Map, Value};

use super::{
    super::{Kind, tidy::join},
    SHAPES,
};

/// Where models name others; `[]` stands for each element of a list.
const PLACES: [&str; 7] = [
    "routing.targets[].model",
    "ensemble.panel[].model",
    "ensemble.judge.model",
    "semantic.embedding_model",
    "semantic.default",
    "semantic.routes[].target",
    "semantic.on_embedding_failure.target",
];

/// What is known of the model that another one names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// It is a direct one, or a pattern serves it.
    Direct,
    /// It is made of other models.
    Group,
    /// There is none.
    Nobody,
}

/// The models that a document names: the way to each name, such as `routing.targets[1].model`, and the name. All of
/// them must be served directly. A name with a `*` stands for nothing in particular, and is left out.
///
/// The document need not be valid.
pub fn targets(kind: Kind, document: &Value) -> Vec<(String, &str)> {
    let mut targets = Vec::new();
    if kind == Kind::Model {
        for place in PLACES {
            find(document, place, String::new(), &mut targets);
        }
    }
    targets.retain(|(_, name)| !name.contains('*'));
    targets
}

/// Finds the texts at a place, of which `path` is behind.
fn find<'d>(value: &'d Value, place: &str, path: String, found: &mut Vec<(String, &'d str)>) {
    if place.is_empty() {
        found.extend(value.as_str().map(|text| (path, text)));
        return;
    }
    let (step, rest) = place.split_once('.').unwrap_or((place, ""));
    let name = step.trim_end_matches("[]");
    let Some(inner) = value.get(name) else {
        return;
    };
    let path = join(&path, name);
    match inner {
        Value::Array(items) if name != step => {
            for (index, item) in items.iter().enumerate() {
                find(item, rest, format!("{path}[{index}]"), found);
            }
        }
        _ if name != step => {}
        inner => find(inner, rest, path, found),
    }
}

/// Whether the document of a model is that of one which a provider serves, and not of a group of others.
pub fn is_direct(model: &Map<String, Value>) -> bool {
    SHAPES
        .iter()
        .all(|shape| model.get(*shape).is_none_or(Value::is_null))
}

// === impl Named ===

impl Named {
    /// What is wrong with naming it, as the rest of a sentence about the field; the name goes behind it.
    pub fn problem(self) -> Option<&'static str> {
        match self {
            Self::Direct => None,
            Self::Group => Some("is not a direct model"),
            Self::Nobody => Some("names no model"),
        }
    }
}
