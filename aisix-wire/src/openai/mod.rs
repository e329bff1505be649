//! What OpenAI-dialect providers answer.

mod chat;
mod meter;
mod models;
mod response;
pub mod responses;
#[cfg(test)]
mod tests;
mod uri;
mod usage;

pub use self::chat::ChatCompletions;
pub use self::meter::{Mark, Meter};
pub(crate) use self::models::takes_temperature;
pub use self::response::{ResponseFacts, read_response};
pub use self::responses::Responses;
pub use self::usage::usage;
pub use crate::error::ResponseError;
