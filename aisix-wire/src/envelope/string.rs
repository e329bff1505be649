//! Strings, many bytes at a time.

use wide::u8x16;

use super::ScanError;

/// The end of a string.
pub(super) struct Closed {
    /// The offset of the closing quote.
    pub(super) quote: usize,
    /// Whether there was an escape.
    pub(super) escaped: bool,
}

/// Finds the quote that closes the string whose text starts at `at`.
///
/// The first words go one by one, since most strings are short. What follows goes by blocks: a mask
/// of each says where its quotes and backslashes are, so that text full of escapes costs little more
/// than text without (Langdale and Lemire, "Parsing Gigabytes of JSON per Second").
#[inline]
pub(super) fn string(bytes: &[u8], mut at: usize) -> Result<Closed, ScanError> {
    let mut escaped = false;
    at += short(bytes.get(at..).unwrap_or_default());
    while let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk::<BLOCK>) {
        let mut specials = mask(block);
        let mut end = at + BLOCK;
        while specials != 0 {
            let bit = specials.trailing_zeros();
            let special = at + bit as usize;
            if bytes[special] == b'"' {
                return Ok(Closed {
                    quote: special,
                    escaped,
                });
            }
            let after = escape(bytes, special)?;
            escaped = true;
            // What the escape has eaten is not special any more.
            specials &= u64::MAX.checked_shl((after - at) as u32).unwrap_or(0);
            end = end.max(after);
        }
        at = end;
    }
    loop {
        at += plain(bytes.get(at..).unwrap_or_default());
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

/// How many bytes are looked at together.
const BLOCK: usize = 64;

/// Counts the bytes before the first special one among the first two words.
#[inline]
fn short(bytes: &[u8]) -> usize {
    let (words, _) = bytes.as_chunks::<8>();
    let mut at = 0;
    for word in words.iter().take(2) {
        let hits = special(*word);
        if hits != 0 {
            return at + hits.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at
}

/// A bit for each special byte of a block: quotes, backslashes, control characters.
#[inline]
fn mask(block: &[u8; BLOCK]) -> u64 {
    let (quarters, _) = block.as_chunks::<16>();
    quarters.iter().rev().fold(0, |mask, quarter| {
        let bytes = u8x16::new(*quarter);
        let quotes = bytes.simd_eq(u8x16::splat(b'"'));
        let backslashes = bytes.simd_eq(u8x16::splat(b'\\'));
        let controls = bytes.min(u8x16::splat(0x1f)).simd_eq(bytes);
        mask << 16 | u64::from((quotes | backslashes | controls).to_bitmask())
    })
}

/// Counts the bytes before the first special one.
#[inline]
fn plain(bytes: &[u8]) -> usize {
    let first = short(bytes);
    let rest = &bytes[first..];
    let special = rest.iter().position(|byte| is_special(*byte));
    first + special.unwrap_or(rest.len())
}

#[inline]
fn is_special(byte: u8) -> bool {
    byte == b'"' || byte == b'\\' || byte < 0x20
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
/// What is no backslash there is no escape.
#[inline(always)]
fn escape(bytes: &[u8], at: usize) -> Result<usize, ScanError> {
    // One look-up, because which letter comes next cannot be foreseen.
    const SIMPLE: [bool; 256] = {
        let mut simple = [false; 256];
        let letters = b"\"\\/bfnrt";
        let mut next = 0;
        while next < letters.len() {
            simple[letters[next] as usize] = true;
            next += 1;
        }
        simple
    };
    match bytes.get(at..at + 2) {
        Some([b'\\', letter]) if SIMPLE[*letter as usize] => Ok(at + 2),
        Some(b"\\u") => unicode(bytes, at),
        Some([b'\\', _]) | None => Err(ScanError::syntax(at + 1)),
        Some(_) => Err(ScanError::syntax(at)),
    }
}

#[cold]
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
