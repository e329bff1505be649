//! Server-sent events: cutting a byte stream into events, and writing events.

mod decoder;
mod encode;
mod event;
#[cfg(test)]
mod tests;

pub use self::decoder::{Decoder, TooLong};
pub use self::encode::{DONE, HEARTBEAT, encode};
pub use self::event::Event;
