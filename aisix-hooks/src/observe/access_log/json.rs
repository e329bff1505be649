//! JSON, written by hand into a buffer that is used again and again.

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends `,"name":"value"`. At most `max` bytes of `value` are written, and what is not UTF-8 in
/// it becomes U+FFFD.
pub(super) fn text(out: &mut Vec<u8>, name: &str, value: &[u8], max: usize) {
    key(out, name);
    string(out, value, max);
}

/// Appends `,"name":number`.
pub(super) fn number(out: &mut Vec<u8>, name: &str, value: u64) {
    key(out, name);
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends `,"name":true` or `false`.
pub(super) fn flag(out: &mut Vec<u8>, name: &str, value: bool) {
    key(out, name);
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

/// Appends `,"name":`. The name comes from our own code and needs no escapes.
pub(super) fn key(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Appends `"value"`; see [`text`].
pub(super) fn string(out: &mut Vec<u8>, value: &[u8], max: usize) {
    let value = bounded(value, max);
    out.push(b'"');
    // Nearly always true, and checked without a branch for each byte.
    let plain = value
        .iter()
        .fold(true, |plain, &byte| plain & (byte < 0x80) & !special(byte));
    if plain {
        out.extend_from_slice(value);
    } else {
        for chunk in value.utf8_chunks() {
            escaped(out, chunk.valid().as_bytes());
            if !chunk.invalid().is_empty() {
                out.extend_from_slice("\u{fffd}".as_bytes());
            }
        }
    }
    out.push(b'"');
}

fn special(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

fn escaped(out: &mut Vec<u8>, mut text: &[u8]) {
    while let Some(at) = text.iter().position(|byte| special(*byte)) {
        out.extend_from_slice(&text[..at]);
        match text[at] {
            byte @ (b'"' | b'\\') => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            byte => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
        text = &text[at + 1..];
    }
    out.extend_from_slice(text);
}

/// The first `max` bytes, less if that would cut a character.
fn bounded(value: &[u8], max: usize) -> &[u8] {
    if value.len() <= max {
        return value;
    }
    let continues = |at: usize| value[at] & 0xc0 == 0x80;
    let mut end = max;
    while end > 0 && max - end < 3 && continues(end) {
        end -= 1;
    }
    &value[..end]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(value: &[u8], max: usize) -> Result<String, serde_json::Error> {
        let mut out = Vec::new();
        string(&mut out, value, max);
        serde_json::from_slice(&out)
    }

    proptest! {
        #[test]
        fn any_bytes_are_valid_json(value: Vec<u8>) {
            let expected = String::from_utf8_lossy(&value).into_owned();
            prop_assert_eq!(written(&value, usize::MAX).unwrap(), expected);
        }

        #[test]
        fn any_text_survives(value in r#"[\x00-\x7f"\\é€😀]*"#) {
            prop_assert_eq!(written(value.as_bytes(), usize::MAX).unwrap(), value);
        }

        #[test]
        fn what_is_cut_is_a_prefix_and_no_character_is_torn(value: String, max in 0usize..20) {
            let cut = written(value.as_bytes(), max).unwrap();
            prop_assert!(value.starts_with(&cut) && cut.len() <= max);
            prop_assert!(value.len() <= max || cut.len() + 3 >= max);
        }
    }
}
