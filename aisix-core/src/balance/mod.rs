//! Balancing: which of several targets serves a call.

pub mod health;
