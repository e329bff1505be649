//! aisix-hooks
#![forbid(unsafe_code)]
