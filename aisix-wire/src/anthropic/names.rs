//! Names and ids that the dialect accepts.

use std::borrow::Cow;

/// How many characters a tool's name may have.
const MAX_NAME: usize = 128;

/// How many hexadecimal digits tell changed names apart.
const DIGITS: usize = 16;

/// The name under which a tool goes to the provider: `^[a-zA-Z0-9_-]{1,128}$`.
///
/// A name that fits stays. Any other has its odd characters replaced, is cut, and ends in a hash of the
/// whole name, so that the same name always becomes the same, and different ones stay different.
pub(super) fn wire_name(name: &str) -> Cow<'_, str> {
    fitting(name, MAX_NAME)
}

/// The id under which a tool call goes to the provider: as [`wire_name`], of any length up to 512.
pub(super) fn wire_id(id: &str) -> Cow<'_, str> {
    fitting(id, 512)
}

fn fitting(text: &str, max: usize) -> Cow<'_, str> {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if (1..=max).contains(&text.len()) && text.as_bytes().iter().all(fits) {
        return Cow::Borrowed(text);
    }
    let kept = text.chars().take(max - DIGITS - 1);
    let mut out: String = kept
        .map(|char| match u8::try_from(char) {
            Ok(byte) if fits(&byte) => char,
            _ => '_',
        })
        .collect();
    out.push_str(&format!("_{:016x}", hash(text)));
    Cow::Owned(out)
}

/// FNV-1a: short, stable, and good enough to tell the tools of one request apart.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
