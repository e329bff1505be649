//! The transport of the binary, against servers on this machine.
#![allow(clippy::unwrap_used, reason = "tests")]

mod health;
mod plain;
mod proxy;
#[cfg(feature = "reqwest")]
mod reqwest;
mod server;
mod tls;
