//! Parts: the pieces that contents are made of.

mod media;
mod read;
mod write;

pub(super) use self::media::guess_from_name;
pub(super) use self::read::{Ids, read};
pub(super) use self::write::{is_signature, write};
