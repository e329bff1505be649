//! aisix-wire
#![forbid(unsafe_code)]
