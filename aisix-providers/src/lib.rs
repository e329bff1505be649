//! aisix-providers
#![forbid(unsafe_code)]
