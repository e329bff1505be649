//! What a kind says about its documents besides their schema.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Invalid, Kind};

/// The document of a kind.
pub(super) trait Document: DeserializeOwned + JsonSchema {
    /// Fields that mean something, but are not served yet.
    const LATER: &'static [&'static str] = &[];

    /// Groups of fields: no two resources of the kind may have the same text in fields of one group.
    const IDENTITIES: &'static [&'static [&'static str]];

    /// Fields that hold the id of another resource.
    const REFERENCES: &'static [(&'static str, Kind)] = &[];

    /// Fields in which nothing may be left out, whoever delivers them: without a part, they would say
    /// something else.
    const EXACT: &'static [&'static str] = &[];

    /// Reports what a schema cannot say. The document need not fit its schema.
    fn rules(_document: &Map<String, Value>, _errors: &mut Vec<Invalid>) {}

    /// Fields that are well-formed and of no effect. The document need not fit its schema.
    fn inapplicable(_document: &Map<String, Value>) -> Vec<&'static str> {
        Vec::new()
    }

    /// Fields that are well-formed and do not belong there: refused where people write, left out and reported where
    /// machines deliver. The document need not fit its schema.
    fn misplaced(_document: &Map<String, Value>) -> Vec<Invalid> {
        Vec::new()
    }
}
