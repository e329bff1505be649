//! The documentation's own tests: the Rust of the README compiles, links and included parts exist, and the
//! resources that are shown are valid.

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

#[cfg(test)]
mod tests;
