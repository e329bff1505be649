//! Errors: what callers are told, and what upstreams said.

mod read;
mod response;
#[cfg(test)]
mod tests;
mod write;

pub use self::read::{Refusal, read_error};
pub(crate) use self::read::{error_member, refusal};
pub use self::response::ResponseError;
pub use self::write::{ErrorBody, ErrorPolicy, write_error, write_error_event, write_policy_error};
