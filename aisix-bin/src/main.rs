//! The `aisix` executable.
fn main() {}
