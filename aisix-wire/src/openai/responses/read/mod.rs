//! Reading requests.

mod content;
mod items;
mod request;
mod tools;

pub(super) use self::request::request;
