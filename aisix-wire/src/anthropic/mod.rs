//! The Messages dialect: its codec, and what is to know of answers that are passed on as they came.

mod caching;
mod codec;
mod errors;
mod facts;
mod meter;
mod models;
mod names;
mod read;
mod reader;
mod signed;
#[cfg(test)]
pub(crate) mod tests;
mod usage;
mod write;
mod writer;

pub use self::caching::{CacheTtl, PromptCaching};
pub use self::codec::Messages;
pub use self::errors::{derived_code, read_error, status_of};
pub use self::facts::read_response;
pub use self::meter::Meter;
pub(crate) use self::models::takes_temperature;
pub use self::usage::usage;
