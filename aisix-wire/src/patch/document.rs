//! A document that is changed step by step.

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::Value;

use super::{PatchError, Pointer};
use crate::{Edits, Envelope, Kind, Span, elements, json_string};

/// How much a document may grow, in bytes: copies of copies would do so without end.
const MAX_GROWTH: usize = 16 * 1024 * 1024;

/// A JSON object that is changed step by step. A step that fails changes nothing.
///
/// Values are JSON texts and are not checked. Each step writes the document anew, so its cost grows with the
/// document.
#[derive(Clone, Debug)]
pub struct Document {
    bytes: Bytes,
    root: Span,
    limit: usize,
}

/// What a step leads to.
enum Place {
    /// A member of an object, which may have it or not.
    Member(Envelope),
    /// A place in an array: where its elements stand, and which one; one after the last may be meant.
    Element(Span, Vec<Span>, usize),
}

type Step = Result<(), PatchError>;

// === impl Document ===

impl Document {
    /// Takes a document.
    ///
    /// # Errors
    ///
    /// When it is no JSON object.
    pub fn new(bytes: Bytes) -> Result<Self, PatchError> {
        let envelope = Envelope::scan(&bytes, &[]).map_err(|_| PatchError::NoObject)?;
        Ok(Self {
            root: envelope.object(),
            limit: bytes.len().saturating_add(MAX_GROWTH),
            bytes,
        })
    }

    /// The document as it is now.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// The value at a place, as it stands.
    pub fn get(&self, path: &Pointer) -> Option<&[u8]> {
        let (span, _) = self.find(path.steps())?;
        self.bytes.get(span)
    }

    /// Adds a member, or gives it another value; puts a value into an array before an element, or behind the
    /// last one, which `-` means too.
    ///
    /// # Errors
    ///
    /// When there is no such object or array, the array is shorter, or the document becomes too large.
    pub fn add(&mut self, path: &Pointer, value: &[u8]) -> Step {
        let value = Bytes::copy_from_slice(value);
        let (place, last) = self.place(path)?;
        match place {
            Place::Member(object) => self.edit(&object, |edits| edits.set(last, value)),
            Place::Element(array, spans, index) => {
                let (at, before, after) = match (spans.get(index), spans.last()) {
                    (Some(element), _) => (element.start, "", ","),
                    (None, Some(end)) => (end.end, ",", ""),
                    (None, None) => (array.start + 1, "", ""),
                };
                let text = [before.as_bytes(), &value, after.as_bytes()].concat();
                self.splice(at..at, &text)
            }
        }
    }

    /// Gives what is there another value.
    ///
    /// # Errors
    ///
    /// When nothing is there, or the document becomes too large.
    pub fn replace(&mut self, path: &Pointer, value: &[u8]) -> Step {
        let (found, _) = self.find(path.steps()).ok_or(PatchError::NoPlace)?;
        match self.place(path)? {
            (Place::Member(_), _) => self.add(path, value),
            (Place::Element(..), _) => self.splice(found, value),
        }
    }

    /// Takes away what is there.
    ///
    /// # Errors
    ///
    /// When nothing is there.
    pub fn remove(&mut self, path: &Pointer) -> Step {
        self.find(path.steps()).ok_or(PatchError::NoPlace)?;
        match self.place(path)? {
            (Place::Member(object), last) => self.edit(&object, |edits| edits.remove(last)),
            (Place::Element(_, spans, index), _) => {
                let element = spans[index].clone();
                let gone = match (spans.get(index + 1), index.checked_sub(1)) {
                    (Some(next), _) => element.start..next.start,
                    (None, Some(before)) => spans[before].end..element.end,
                    (None, None) => element,
                };
                self.splice(gone, b"")
            }
        }
    }

    /// Adds what is at `from` somewhere else too.
    ///
    /// # Errors
    ///
    /// When nothing is there, it cannot be added, or the document becomes too large.
    pub fn copy(&mut self, from: &Pointer, path: &Pointer) -> Step {
        let (found, _) = self.find(from.steps()).ok_or(PatchError::NoPlace)?;
        let value = self.bytes.slice(found);
        self.add(path, &value)
    }

    /// Takes away what is at `from` and adds it somewhere else.
    ///
    /// # Errors
    ///
    /// When nothing is there, it cannot be added, or would be put into itself.
    pub fn move_to(&mut self, from: &Pointer, path: &Pointer) -> Step {
        let (found, _) = self.find(from.steps()).ok_or(PatchError::NoPlace)?;
        if path == from {
            return Ok(());
        }
        if path.is_within(from) {
            return Err(PatchError::NoPlace);
        }
        let value = self.bytes.slice(found);
        let mut moved = self.clone();
        moved.remove(from)?;
        moved.add(path, &value)?;
        *self = moved;
        Ok(())
    }

    /// Checks that a value is there. Numbers are the same if they are of the same size.
    ///
    /// # Errors
    ///
    /// When nothing is there, or something else is.
    pub fn test(&self, path: &Pointer, value: &[u8]) -> Step {
        let found = self.get(path).ok_or(PatchError::NoPlace)?;
        match is_same(found, value) {
            true => Ok(()),
            false => Err(PatchError::Different),
        }
    }

    /// Adds a value; objects on the way that are absent or `null` are made.
    ///
    /// # Errors
    ///
    /// As those of [`add`](Self::add).
    pub fn put(&mut self, path: &Pointer, value: &[u8]) -> Step {
        let steps = path.steps();
        let is_there = |length: &usize| {
            let found = self.find(&steps[..*length]);
            found.is_some_and(|(_, kind)| kind != Kind::Null)
        };
        let known = (0..steps.len()).rev().find(is_there).unwrap_or_default();
        let made = steps.get(known + 1..).unwrap_or_default();
        let mut text = BytesMut::new();
        for name in made {
            text.put_u8(b'{');
            text.put(json_string(name));
            text.put_u8(b':');
        }
        text.put_slice(value);
        text.put_bytes(b'}', made.len());
        let first = steps.get(..=known).unwrap_or_default();
        self.add(&Pointer(first.to_vec()), &text)
    }

    /// Where a value stands, and what it is.
    fn find(&self, steps: &[String]) -> Option<(Span, Kind)> {
        let root = (self.root.clone(), Kind::Object);
        steps
            .iter()
            .try_fold(root, |(span, kind), step| match kind {
                Kind::Object => {
                    let object = Envelope::scan_at(&self.bytes, span).ok()?;
                    let member = object.member(&self.bytes, step)?;
                    Some((member.value.clone(), member.kind))
                }
                Kind::Array => elements(&self.bytes, span).nth(index(step)?),
                _ => None,
            })
    }

    /// The object or array that holds a place, and the last step to it.
    fn place(&self, path: &Pointer) -> Result<(Place, String), PatchError> {
        let (last, outer) = path.steps().split_last().ok_or(PatchError::NoPlace)?;
        let place = match self.find(outer).ok_or(PatchError::NoPlace)? {
            (span, Kind::Object) => {
                let object = Envelope::scan_at(&self.bytes, span);
                Place::Member(object.map_err(|_| PatchError::NoPlace)?)
            }
            (array, Kind::Array) => {
                let all = elements(&self.bytes, array.clone());
                let spans: Vec<_> = all.map(|(span, _)| span).collect();
                let index = match last.as_str() {
                    "-" => Some(spans.len()),
                    last => index(last).filter(|index| *index <= spans.len()),
                };
                Place::Element(array, spans, index.ok_or(PatchError::NoPlace)?)
            }
            _ => return Err(PatchError::NoPlace),
        };
        Ok((place, last.clone()))
    }

    fn edit(&mut self, object: &Envelope, edit: impl FnOnce(&mut Edits)) -> Step {
        let mut edits = Edits::new();
        edit(&mut edits);
        self.write(edits.apply(&self.bytes, object))
    }

    fn splice(&mut self, span: Span, text: &[u8]) -> Step {
        let mut bytes = BytesMut::with_capacity(self.bytes.len() + text.len());
        bytes.put_slice(&self.bytes[..span.start]);
        bytes.put_slice(text);
        bytes.put_slice(&self.bytes[span.end..]);
        self.write(bytes.freeze())
    }

    fn write(&mut self, bytes: Bytes) -> Step {
        if bytes.len() > self.limit {
            return Err(PatchError::TooLarge);
        }
        // White space around the object stays.
        let after = self.bytes.len() - self.root.end;
        self.root.end = bytes.len() - after;
        self.bytes = bytes;
        Ok(())
    }
}

/// The index of an element, without signs and leading zeros.
fn index(step: &str) -> Option<usize> {
    let is_plain = step == "0" || !step.starts_with('0');
    let is_digits = step.bytes().all(|byte| byte.is_ascii_digit());
    (is_plain && is_digits).then(|| step.parse().ok())?
}

fn is_same(one: &[u8], other: &[u8]) -> bool {
    let values = |text| serde_json::from_slice::<Value>(text).ok();
    one == other
        || values(one)
            .zip(values(other))
            .is_some_and(|(one, other)| equal(&one, &other))
}

fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || one.as_f64() == other.as_f64()
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let has = |(name, value): (&String, &Value)| {
                other.get(name).is_some_and(|other| equal(value, other))
            };
            one.len() == other.len() && one.iter().all(has)
        }
        (one, other) => one == other,
    }
}
