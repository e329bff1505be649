//! Settings that all guards have.

use schemars::JsonSchema;
use serde::Deserialize;

/// Where a guard looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HookPoint {
    /// At requests.
    Input,
    /// At answers.
    Output,
    /// At both.
    #[default]
    Both,
}

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

// === impl HookPoint ===

impl HookPoint {
    /// Whether it looks at requests.
    pub fn is_input(self) -> bool {
        self != Self::Output
    }

    /// Whether it looks at answers.
    pub fn is_output(self) -> bool {
        self != Self::Input
    }
}
