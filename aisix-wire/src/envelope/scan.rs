//! The pass over a document. Nothing here recurses.

use super::number::number;
use super::string::string;
use super::{Envelope, Kind, MAX_DEPTH, MAX_MEMBERS, Member, ScanError, ScanErrorKind, Span};

/// A value that was passed over.
pub(super) struct Value {
    pub(super) span: Span,
    pub(super) kind: Kind,
    pub(super) len: usize,
}

/// Reads the object that starts at `start`, which is not preceded by white space.
pub(super) fn object(bytes: &[u8], start: usize) -> Result<Envelope, ScanError> {
    if bytes.get(start) != Some(&b'{') {
        // Tell a wrong type from broken JSON.
        let end = space(bytes, value(bytes, start, 0)?.span.end);
        return Err(match bytes.get(end) {
            None => ScanError {
                kind: ScanErrorKind::NotObject,
                at: start,
            },
            Some(_) => ScanError::syntax(end),
        });
    }
    let mut members = Vec::with_capacity(8);
    let mut at = space(bytes, start + 1);
    if bytes.get(at) == Some(&b'}') {
        return Ok(Envelope {
            object: start..at + 1,
            members,
        });
    }
    loop {
        let name = name(bytes, at)?;
        let value = value(bytes, name.value, 1)?;
        if members.len() == MAX_MEMBERS {
            return Err(ScanError {
                kind: ScanErrorKind::TooManyMembers,
                at,
            });
        }
        at = space(bytes, value.span.end);
        members.push(Member {
            name: name.text,
            escaped_name: name.escaped,
            value: value.span,
            kind: value.kind,
            len: value.len,
        });
        match bytes.get(at) {
            Some(b',') => at = space(bytes, at + 1),
            Some(b'}') => {
                return Ok(Envelope {
                    object: start..at + 1,
                    members,
                });
            }
            _ => return Err(ScanError::syntax(at)),
        }
    }
}

/// Passes over the value at `at`, inside of `outer` open containers.
#[inline]
pub(super) fn value(bytes: &[u8], at: usize, outer: usize) -> Result<Value, ScanError> {
    match bytes.get(at) {
        Some(b'{') => {
            let (end, len) = container(bytes, at, outer)?;
            Ok(Value {
                span: at..end,
                kind: Kind::Object,
                len,
            })
        }
        Some(b'[') => {
            let (end, len) = container(bytes, at, outer)?;
            Ok(Value {
                span: at..end,
                kind: Kind::Array,
                len,
            })
        }
        _ => {
            let (end, kind) = scalar(bytes, at)?;
            Ok(Value {
                span: at..end,
                kind,
                len: 0,
            })
        }
    }
}

/// Skips white space.
#[inline]
pub(super) fn space(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
        at += 1;
    }
    at
}

/// A member's name and where its value starts.
struct Name {
    text: Span,
    escaped: bool,
    value: usize,
}

#[inline]
fn name(bytes: &[u8], at: usize) -> Result<Name, ScanError> {
    if bytes.get(at) != Some(&b'"') {
        return Err(ScanError::syntax(at));
    }
    let closed = string(bytes, at + 1)?;
    let colon = space(bytes, closed.quote + 1);
    if bytes.get(colon) != Some(&b':') {
        return Err(ScanError::syntax(colon));
    }
    Ok(Name {
        text: at + 1..closed.quote,
        escaped: closed.escaped,
        value: space(bytes, colon + 1),
    })
}

#[inline]
fn scalar(bytes: &[u8], at: usize) -> Result<(usize, Kind), ScanError> {
    match bytes.get(at) {
        Some(b'"') => Ok((string(bytes, at + 1)?.quote + 1, Kind::String)),
        Some(b'-' | b'0'..=b'9') => Ok((number(bytes, at)?, Kind::Number)),
        Some(b't') => literal(bytes, at, b"true", Kind::Bool(true)),
        Some(b'f') => literal(bytes, at, b"false", Kind::Bool(false)),
        Some(b'n') => literal(bytes, at, b"null", Kind::Null),
        _ => Err(ScanError::syntax(at)),
    }
}

#[inline]
fn literal(bytes: &[u8], at: usize, text: &[u8], kind: Kind) -> Result<(usize, Kind), ScanError> {
    if bytes.get(at..at + text.len()) == Some(text) {
        Ok((at + text.len(), kind))
    } else {
        Err(ScanError::syntax(at))
    }
}

/// Passes over the array or object at `start`; returns the offset after it and how many items it has.
///
/// Which of the open containers are objects is kept in the bits of one number, innermost lowest.
fn container(bytes: &[u8], start: usize, outer: usize) -> Result<(usize, usize), ScanError> {
    const { assert!(MAX_DEPTH <= u128::BITS as usize) };
    let mut objects = u128::from(bytes.get(start) == Some(&b'{'));
    let mut open = 1;
    let mut len = 0;
    if outer + open > MAX_DEPTH {
        return Err(ScanError {
            kind: ScanErrorKind::TooDeep,
            at: start,
        });
    }
    let mut at = space(bytes, start + 1);
    if closes(bytes, at, objects & 1 == 1) {
        return Ok((at + 1, 0));
    }
    loop {
        // Before an item of the innermost container.
        len += usize::from(open == 1);
        if objects & 1 == 1 {
            at = name(bytes, at)?.value;
        }
        match bytes.get(at) {
            Some(byte @ (b'{' | b'[')) => {
                open += 1;
                if outer + open > MAX_DEPTH {
                    return Err(ScanError {
                        kind: ScanErrorKind::TooDeep,
                        at,
                    });
                }
                objects = objects << 1 | u128::from(*byte == b'{');
                at = space(bytes, at + 1);
                if !closes(bytes, at, *byte == b'{') {
                    continue;
                }
            }
            _ => at = space(bytes, scalar(bytes, at)?.0),
        }
        // After an item, or in an empty container: close what ends here, then expect the next item.
        while closes(bytes, at, objects & 1 == 1) {
            open -= 1;
            if open == 0 {
                return Ok((at + 1, len));
            }
            objects >>= 1;
            at = space(bytes, at + 1);
        }
        if bytes.get(at) != Some(&b',') {
            return Err(ScanError::syntax(at));
        }
        at = space(bytes, at + 1);
    }
}

#[inline]
fn closes(bytes: &[u8], at: usize, object: bool) -> bool {
    bytes.get(at) == Some(if object { &b'}' } else { &b']' })
}
