//! Reading and writing JSON by its members, without a tree.

mod path;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use self::path::Path;
pub(crate) use self::read::{Object, Value};
pub(crate) use self::write::Writer;
