//! Numbers of things.

use super::{digits, luhn};

/// A mobile device.
pub(crate) fn device(text: &str) -> bool {
    digits(text).any(|digit| digit > 0) && luhn(digits(text))
}

/// A vehicle: not all countries have a checksum, but all have letters and digits.
pub(crate) fn vehicle(text: &str) -> bool {
    let has_digit = text.contains(|character: char| character.is_ascii_digit());
    has_digit && text.contains(|character: char| character.is_ascii_alphabetic())
}
