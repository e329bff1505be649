//! What OpenAI-dialect providers answer.

mod meter;
mod response;
#[cfg(test)]
mod tests;
mod usage;

pub use self::meter::{Mark, Meter};
pub use self::response::{ResponseFacts, read_response};
pub use self::usage::usage;
pub use crate::error::ResponseError;
