//! Why an answer is none.

use std::fmt;

use super::Refusal;

/// Why an answer with a good status is none.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseError {
    /// It is not a JSON object, or is cut short.
    NotJson,
    /// There is nothing but white space.
    Empty,
    /// It is an error in the guise of an answer.
    InBand(Refusal),
}

// === impl ResponseError ===

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ResponseError::NotJson => "the upstream's answer is not a JSON object",
            ResponseError::Empty => "the upstream's answer is empty",
            ResponseError::InBand(_) => "the upstream's answer is an error",
        })
    }
}

impl std::error::Error for ResponseError {}
