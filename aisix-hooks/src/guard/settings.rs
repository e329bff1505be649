//! Settings that all guards have.

use schemars::JsonSchema;
use serde::Deserialize;

/// What becomes of a match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Enforcement {
    /// The request or the answer is refused.
    #[default]
    Block,
    /// It goes on, and the access log tells of it.
    Monitor,
}

/// What becomes of answers that are streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnStream {
    /// What could still become a match is held back.
    #[default]
    Hold,
    /// Nothing is held back or refused; the access log tells of matches.
    Observe,
}
