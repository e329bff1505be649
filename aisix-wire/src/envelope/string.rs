//! Strings, many bytes at a time.

use super::ScanError;

/// The end of a string.
pub(super) struct Closed {
    /// The offset of the closing quote.
    pub(super) quote: usize,
    /// Whether there was an escape.
    pub(super) escaped: bool,
}

/// Whether a control character occurs anywhere, even where JSON allows it as white space.
///
/// Most documents are written without a line end: then their strings need no look at each byte.
pub(super) fn has_control(bytes: &[u8]) -> bool {
    let (blocks, rest) = bytes.as_chunks::<64>();
    let any = |block: &[u8]| block.iter().fold(false, |any, byte| any | (*byte < 0x20));
    blocks.iter().any(|block| any(block)) || any(rest)
}

/// Finds the quote that closes the string whose text starts at `at`.
///
/// Control characters are refused when `CONTROL` says that there may be some.
#[inline]
pub(super) fn string<const CONTROL: bool>(
    bytes: &[u8],
    mut at: usize,
) -> Result<Closed, ScanError> {
    let mut escaped = false;
    loop {
        at += plain::<CONTROL>(bytes.get(at..).unwrap_or_default());
        match bytes.get(at) {
            Some(b'"') => return Ok(Closed { quote: at, escaped }),
            Some(b'\\') => {
                escaped = true;
                at = escape(bytes, at)?;
            }
            _ => return Err(ScanError::syntax(at)),
        }
    }
}

/// Counts the bytes before the first quote or backslash, or control character if `CONTROL`.
///
/// The first words go one by one, since most strings are short; what follows goes in vectors.
#[inline]
fn plain<const CONTROL: bool>(bytes: &[u8]) -> usize {
    const SHORT: usize = 2;
    let (words, _) = bytes.as_chunks::<8>();
    let mut at = 0;
    for word in words.iter().take(SHORT) {
        let hits = special(*word);
        if hits != 0 {
            return at + hits.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = &bytes[at..];
    if CONTROL {
        at + plain_blocks(rest)
    } else {
        at + memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len())
    }
}

fn plain_blocks(bytes: &[u8]) -> usize {
    let (blocks, _) = bytes.as_chunks::<64>();
    let clean = blocks
        .iter()
        .take_while(|block| !any_special(block))
        .count();
    let mut at = clean * 64;
    let (words, _) = bytes[at..].as_chunks::<8>();
    for word in words {
        let hits = special(*word);
        if hits != 0 {
            return at + hits.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = &bytes[at..];
    at + rest
        .iter()
        .position(|byte| is_special(*byte))
        .unwrap_or(rest.len())
}

#[inline]
fn is_special(byte: u8) -> bool {
    byte == b'"' || byte == b'\\' || byte < 0x20
}

#[inline]
fn any_special(block: &[u8; 64]) -> bool {
    let mut hit = 0;
    for byte in block {
        hit |= u8::from(*byte == b'"') | u8::from(*byte == b'\\') | u8::from(*byte < 0x20);
    }
    hit != 0
}

/// Marks special bytes of a word by their top bits; the lowest mark is exact, higher ones may not be.
#[inline]
fn special(word: [u8; 8]) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const TOPS: u64 = ONES << 7;
    let word = u64::from_le_bytes(word);
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let below = word.wrapping_sub(ONES * 0x20) & !word;
    let equal = (quote.wrapping_sub(ONES) & !quote) | (backslash.wrapping_sub(ONES) & !backslash);
    (below | equal) & TOPS
}

/// Returns the offset after the escape whose backslash is at `at`; a surrogate pair is one escape.
#[inline]
fn escape(bytes: &[u8], at: usize) -> Result<usize, ScanError> {
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => unicode(bytes, at),
        _ => Err(ScanError::syntax(at + 1)),
    }
}

fn unicode(bytes: &[u8], at: usize) -> Result<usize, ScanError> {
    match hex(bytes, at + 2)? {
        0xD800..=0xDBFF => {
            let low = at + 6;
            if bytes.get(low..low + 2) != Some(b"\\u") {
                return Err(ScanError::syntax(low));
            }
            match hex(bytes, low + 2)? {
                0xDC00..=0xDFFF => Ok(low + 6),
                _ => Err(ScanError::syntax(low)),
            }
        }
        0xDC00..=0xDFFF => Err(ScanError::syntax(at)),
        _ => Ok(at + 6),
    }
}

fn hex(bytes: &[u8], at: usize) -> Result<u32, ScanError> {
    let digits = bytes
        .get(at..at + 4)
        .ok_or_else(|| ScanError::syntax(bytes.len()))?;
    digits.iter().try_fold(0, |value, digit| {
        let digit = char::from(*digit)
            .to_digit(16)
            .ok_or_else(|| ScanError::syntax(at))?;
        Ok(value << 4 | digit)
    })
}
