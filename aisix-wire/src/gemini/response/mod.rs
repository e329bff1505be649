//! Whole answers.

mod read;
mod write;

pub(super) use self::read::{grounding, logprobs, read};
pub(super) use self::write::{splice, write};
