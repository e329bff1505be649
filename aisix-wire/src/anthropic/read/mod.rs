//! Reading.

mod block;
mod request;
mod response;
mod tools;

pub(super) use self::request::request;
pub(super) use self::response::{finish, response};
