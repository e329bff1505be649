//! aisix-core
#![forbid(unsafe_code)]
