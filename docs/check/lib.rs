//! The documentation's own tests: the Rust of the README compiles, the links of the book lead
//! somewhere, and its configuration files are valid.
