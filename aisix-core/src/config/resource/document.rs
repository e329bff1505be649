//! What a kind says about its documents besides their schema.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Invalid, Kind};

/// The document of a kind.
pub(super) trait Document: DeserializeOwned + JsonSchema {
    /// Fields that mean something, but are not served yet.
    const LATER: &'static [&'static str] = &[];

    /// Fields that make another thing of the document, which is not served yet. Without them it
    /// would mean nothing, so they are refused even where unknown fields are not.
    const SHAPES: &'static [&'static str] = &[];

    /// Groups of fields: no two resources of the kind may have the same text in fields of one group.
    const IDENTITIES: &'static [&'static [&'static str]];

    /// Fields that hold the id of another resource.
    const REFERENCES: &'static [(&'static str, Kind)] = &[];

    /// Reports what a schema cannot say. The document need not fit its schema.
    fn rules(_document: &Map<String, Value>, _errors: &mut Vec<Invalid>) {}
}
