//! What must be true of a match, besides what it looks like: mostly checksums.

pub(crate) mod money;
pub(crate) mod network;
pub(crate) mod people;
pub(crate) mod things;

use super::near::Near;

/// What must be true of a match.
#[derive(Clone, Debug)]
pub(crate) enum Check {
    /// Nothing.
    None,
    /// This of all of it.
    All(fn(&str) -> bool),
    /// This tells how much of it counts, if any: what follows may look as if it belonged to it.
    Part(fn(&str) -> Option<usize>),
    /// It is almost a keyword.
    Near(Near),
}

// === impl Check ===

impl Check {
    /// How many bytes of a match count.
    pub(super) fn accepts(&self, text: &str) -> Option<usize> {
        match self {
            Self::None => Some(text.len()),
            Self::All(is_right) => is_right(text).then_some(text.len()),
            Self::Part(part) => part(text),
            Self::Near(near) => near.accepts(text).then_some(text.len()),
        }
    }
}

/// The values of the digits of a text.
fn digits(text: &str) -> impl DoubleEndedIterator<Item = u32> {
    text.chars().filter_map(|character| character.to_digit(10))
}

/// The values of its digits and letters, `A` being 10.
fn values(text: &str) -> impl DoubleEndedIterator<Item = u32> {
    text.chars().filter_map(|character| character.to_digit(36))
}

/// The sum of values, each times its weight.
fn weighted(values: impl Iterator<Item = u32>, weights: &[u32]) -> u32 {
    let pairs = values.zip(weights.iter().copied().cycle());
    pairs.map(|(value, weight)| value * weight).sum()
}

/// The longest part from the beginning that is right, of those with a separator or nothing behind them.
fn longest(text: &str, is_right: fn(&str) -> bool) -> Option<usize> {
    let is_separator = |character: char| matches!(character, ' ' | '-');
    let separators = text.rmatch_indices(is_separator).map(|(end, _)| end);
    let mut ends = std::iter::once(text.len()).chain(separators);
    ends.find(|end| is_right(&text[..*end]))
}

/// Luhn's checksum: of card numbers, of devices and of securities.
fn luhn(digits: impl DoubleEndedIterator<Item = u32>) -> bool {
    let doubled = |(place, digit): (usize, u32)| match place % 2 {
        0 => digit,
        _ if digit > 4 => digit * 2 - 9,
        _ => digit * 2,
    };
    let sum: u32 = digits.rev().enumerate().map(doubled).sum();
    sum.is_multiple_of(10)
}

/// The remainder of a number of any length.
fn modulo(digits: impl Iterator<Item = u32>, by: u32) -> u32 {
    digits.fold(0, |rest, digit| (rest * 10 + digit) % by)
}
