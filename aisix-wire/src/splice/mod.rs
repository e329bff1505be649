//! Edits of a document's members that leave every other byte as it came.
//!
//! ```
//! use aisix_wire::{Edits, Envelope, json_string};
//! use bytes::Bytes;
//!
//! let body = Bytes::from_static(br#"{ "model": "fast", "seed": 0 }"#);
//! let envelope = Envelope::scan(&body, &["model"]).unwrap();
//! let mut edits = Edits::new();
//! edits.set("model", json_string("gpt-5"));
//! edits.set_in("stream_options", "include_usage", "true");
//! assert_eq!(
//!     edits.apply(&body, &envelope),
//!     r#"{ "model": "gpt-5", "seed": 0,"stream_options":{"include_usage":true} }"#,
//! );
//! ```

mod patch;
mod plan;
mod quote;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use bytes::Bytes;

use self::patch::Patches;
use self::plan::Plan;
pub use self::quote::json_string;
use crate::{Envelope, Span};

/// A short list of edits, carried out in order.
///
/// Values are JSON texts and are not checked. When a name occurs several times, all its occurrences are
/// dealt with, so that the edit holds for parsers that take the first and for those that take the last.
#[derive(Clone, Debug, Default)]
pub struct Edits {
    edits: Vec<Edit>,
    replaced: Vec<(Span, Bytes)>,
}

type Name = Cow<'static, str>;

#[derive(Clone, Debug)]
enum Edit {
    Set(Name, Bytes),
    SetDefault(Name, Bytes),
    Remove(Name),
    Rename(Name, Name),
    SetIn(Name, Name, Bytes),
}

// === impl Edits ===

impl Edits {
    /// No edits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty() && self.replaced.is_empty()
    }

    /// Gives a member this value, in place, or appends it to the object.
    pub fn set(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Bytes>) {
        self.edits.push(Edit::Set(name.into(), value.into()));
    }

    /// Gives a member this value when it is absent or `null`.
    pub fn set_default(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Bytes>) {
        self.edits.push(Edit::SetDefault(name.into(), value.into()));
    }

    /// Removes a member, if it is there.
    pub fn remove(&mut self, name: impl Into<Cow<'static, str>>) {
        self.edits.push(Edit::Remove(name.into()));
    }

    /// Gives a member another name and keeps its value.
    ///
    /// Nothing happens when `from` is absent, or `to` is there with a value other than `null`.
    pub fn rename(&mut self, from: impl Into<Cow<'static, str>>, to: impl Into<Cow<'static, str>>) {
        self.edits.push(Edit::Rename(from.into(), to.into()));
    }

    /// Gives a member of a nested object this value; makes the object when it is absent or `null`.
    ///
    /// A value of another type is left alone, and so is an object with more members than a scan accepts.
    pub fn set_in(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        inner: impl Into<Cow<'static, str>>,
        value: impl Into<Bytes>,
    ) {
        self.edits
            .push(Edit::SetIn(name.into(), inner.into(), value.into()));
    }

    /// Replaces the bytes of a span that the caller found in this very document; an empty span inserts.
    ///
    /// Ignored when the span is not inside of the object, or overlaps another edit.
    pub fn replace(&mut self, span: Span, value: impl Into<Bytes>) {
        self.replaced.push((span, value.into()));
    }

    /// Carries the edits out on the document that `envelope` was scanned from.
    ///
    /// Edits without effect return the same bytes, uncopied; otherwise the result is written once, into
    /// one allocation.
    pub fn apply(&self, bytes: &Bytes, envelope: &Envelope) -> Bytes {
        if self.is_empty() || envelope.object().end > bytes.len() {
            return bytes.clone();
        }
        let mut plan = Plan::new(bytes, envelope);
        for edit in &self.edits {
            plan.carry_out(edit);
        }
        let mut patches = Patches::default();
        plan.write(&mut patches);
        let object = envelope.object();
        patches.replace_free(bytes, object.start + 1..object.end - 1, &self.replaced);
        patches.apply(bytes)
    }
}
