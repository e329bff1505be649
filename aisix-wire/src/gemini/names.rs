//! Names of tools that Gemini accepts.

use std::borrow::Cow;

/// How many characters a name may have.
const MAX: usize = 64;

/// How many characters of a name stay beside the hash that tells changed names apart.
const KEPT: usize = 40;

/// The name under which a tool goes to Gemini: a letter or `_`, then those, digits, `.`, `:` and `-`.
///
/// A name that fits stays. Any other has its odd characters replaced, is cut, and ends in a hash of the
/// whole name, so that the same name always becomes the same, and different ones stay different.
pub(super) fn wire_name(name: &str) -> Cow<'_, str> {
    let fits = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '.' | ':' | '-');
    let begins = |char: char| char.is_ascii_alphabetic() || char == '_';
    if name.len() <= MAX && name.starts_with(begins) && name.chars().all(fits) {
        return Cow::Borrowed(name);
    }
    let mut out = String::from(if name.starts_with(begins) { "" } else { "_" });
    let kept = name.chars().take(KEPT);
    out.extend(kept.map(|char| if fits(char) { char } else { '_' }));
    out.push_str(&format!("_{:016x}", hash(name.as_bytes())));
    Cow::Owned(out)
}

/// FNV-1a: the same on every machine and in every version.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
