//! Signatures of tool calls, which have no place of their own in this dialect.
//!
//! Gemini signs its calls and wants the signature back with the call. Callers of Messages keep nothing of a call
//! but its id, name and input, so the signature travels in the id, in letters that every provider takes.

use std::borrow::Cow;

use crate::chat::Block;

/// What stands between an id and a signature.
const MARK: &str = "__signed_";
/// How long a signature may be.
const MAX: usize = 64 * 1024;

/// The id of a call as its caller gets it. A signature that is not base64 is left out.
pub(super) fn seal<'a>(id: &'a str, block: &Block) -> Cow<'a, str> {
    match block.signature.as_deref().and_then(letters) {
        Some(letters) if !id.contains(MARK) => Cow::Owned(format!("{id}{MARK}{letters}")),
        _ => Cow::Borrowed(id),
    }
}

/// The id as the provider gave it, and the signature that was sealed in.
pub(super) fn open(id: &str) -> (&str, Option<String>) {
    match id.split_once(MARK) {
        Some((id, letters)) if !id.is_empty() => (id, signature(letters)),
        _ => (id, None),
    }
}

/// Base64 in the alphabet of URLs and without padding.
fn letters(signature: &str) -> Option<String> {
    let bare = signature.trim_end_matches('=');
    let padded = signature.len().is_multiple_of(4) && signature.len() - bare.len() <= 2;
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    if bare.is_empty() || signature.len() > MAX || !padded || !bare.bytes().all(is_base64) {
        return None;
    }
    Some(bare.replace('+', "-").replace('/', "_"))
}

fn signature(letters: &str) -> Option<String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if letters.is_empty() || letters.len() > MAX || !letters.bytes().all(fits) {
        return None;
    }
    let mut signature = letters.replace('-', "+").replace('_', "/");
    signature.extend(std::iter::repeat_n('=', (4 - letters.len() % 4) % 4));
    Some(signature)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Content, ToolCall};

    fn sealed(id: &str, signature: &str) -> String {
        let call = ToolCall {
            id: id.to_owned(),
            name: String::new(),
            arguments: String::new(),
        };
        let mut block = Block::new(Content::ToolCall(call));
        block.signature = Some(signature.to_owned());
        seal(id, &block).into_owned()
    }

    #[test]
    fn what_was_sealed_is_opened() {
        for signature in ["c2ln", "c2k=", "cw==", "+/+/", "AAAA"] {
            let sealed = sealed("call_1", signature);
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            assert!(sealed.bytes().all(fits), "{sealed}");
            assert_eq!(open(&sealed), ("call_1", Some(signature.to_owned())));
        }
    }

    #[test]
    fn what_is_no_signature_is_left_alone() {
        for odd in ["", "=", "a", "a===", "no base64!", "c2\n="] {
            assert_eq!(sealed("call_1", odd), "call_1", "{odd:?}");
        }
        assert_eq!(open("toolu_01"), ("toolu_01", None));
        assert_eq!(open("__signed_c2ln"), ("__signed_c2ln", None));
        assert_eq!(open("call__signed_"), ("call", None));
        assert_eq!(open("call__signed_a b"), ("call", None));
    }
}
