//! The grammar of numbers.

use super::ScanError;

/// Returns the offset after the number that starts at `at`.
#[inline]
pub(super) fn number(bytes: &[u8], mut at: usize) -> Result<usize, ScanError> {
    if bytes.get(at) == Some(&b'-') {
        at += 1;
    }
    at = if bytes.get(at) == Some(&b'0') {
        at + 1
    } else {
        digits(bytes, at)?
    };
    if bytes.get(at) == Some(&b'.') {
        at = digits(bytes, at + 1)?;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at += 1;
        if matches!(bytes.get(at), Some(b'+' | b'-')) {
            at += 1;
        }
        at = digits(bytes, at)?;
    }
    Ok(at)
}

/// Skips one digit or more.
#[inline]
fn digits(bytes: &[u8], start: usize) -> Result<usize, ScanError> {
    let mut at = start;
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    if at == start {
        Err(ScanError::syntax(at))
    } else {
        Ok(at)
    }
}
