//! Writing.

mod block;
mod request;
mod response;
mod schemas;
mod thinking;
mod tools;
mod turns;

pub(super) use self::block::{content_block, has_place, wrapped};
pub(super) use self::request::request;
pub(super) use self::response::{message_id, response, stop_reason};
