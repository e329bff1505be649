//! aisix-sources
#![forbid(unsafe_code)]
