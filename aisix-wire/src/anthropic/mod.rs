//! The Messages dialect: what its providers answer.

mod errors;
mod facts;
mod meter;
#[cfg(test)]
mod tests;
mod usage;

pub use self::errors::{derived_code, read_error, status_of};
pub use self::facts::read_response;
pub use self::meter::Meter;
pub use self::usage::usage;
