//! What the edits make of each member of one object.

use bytes::{BufMut, Bytes, BytesMut};
use smallvec::SmallVec;

use super::patch::Patches;
use super::{Edit, Edits, json_string};
use crate::{Envelope, Kind, Member, Span};

/// The members of an object as the edits so far left them.
pub(super) struct Plan<'a> {
    bytes: &'a [u8],
    envelope: &'a Envelope,
    /// One for each member of the envelope.
    fates: SmallVec<[Fate<'a>; 16]>,
    /// Members that the document does not have.
    added: SmallVec<[(&'a str, Bytes); 4]>,
    /// Members of nested objects: index of the outer member, inner name, value.
    inner: SmallVec<[(usize, &'a str, Bytes); 2]>,
}

#[derive(Clone, Default)]
struct Fate<'a> {
    removed: bool,
    name: Option<&'a str>,
    value: Option<Bytes>,
}

// === impl Plan ===

impl<'a> Plan<'a> {
    pub(super) fn new(bytes: &'a [u8], envelope: &'a Envelope) -> Self {
        Self {
            bytes,
            envelope,
            fates: SmallVec::from_elem(Fate::default(), envelope.members().len()),
            added: SmallVec::new(),
            inner: SmallVec::new(),
        }
    }

    pub(super) fn carry_out(&mut self, edit: &'a Edit) {
        match edit {
            Edit::Set(name, value) => self.set(name, value),
            Edit::SetDefault(name, value) => {
                if self.is_absent_or_null(name) {
                    self.set(name, value);
                }
            }
            Edit::Remove(name) => self.remove(name),
            Edit::Rename(from, to) => self.rename(from, to),
            Edit::SetIn(name, inner, value) => self.set_in(name, inner, value),
        }
    }

    fn set(&mut self, name: &'a str, value: &Bytes) {
        if let Some(added) = self.added.iter_mut().find(|added| added.0 == name) {
            added.1 = value.clone();
            return;
        }
        let mut found = self.find(name).into_iter();
        match found.next() {
            None => self.added.push((name, value.clone())),
            Some(first) => self.set_value(first, value.clone()),
        }
        found.for_each(|repeated| self.fates[repeated].removed = true);
    }

    fn remove(&mut self, name: &str) {
        self.added.retain(|added| added.0 != name);
        for index in self.find(name) {
            self.fates[index].removed = true;
        }
    }

    fn rename(&mut self, from: &'a str, to: &'a str) {
        if from == to || !self.is_absent_or_null(to) {
            return;
        }
        if self.added.iter().any(|added| added.0 == from) {
            self.remove(to);
            self.added
                .iter_mut()
                .filter(|added| added.0 == from)
                .for_each(|added| added.0 = to);
            return;
        }
        let found = self.find(from);
        if !found.is_empty() {
            self.remove(to);
        }
        for index in found {
            self.fates[index].name = Some(to);
        }
    }

    fn set_in(&mut self, name: &'a str, inner: &'a str, value: &Bytes) {
        if let Some(added) = self.added.iter_mut().find(|added| added.0 == name) {
            added.1 = set_in_text(&added.1, inner, value);
            return;
        }
        let mut found = self.find(name);
        let Some(last) = found.pop() else {
            self.added.push((name, set_in_text(b"null", inner, value)));
            return;
        };
        let current = self.fates[last].value.clone();
        match (current, self.envelope.members()[last].kind) {
            (Some(text), _) => self.fates[last].value = Some(set_in_text(&text, inner, value)),
            (None, Kind::Null) => {
                self.fates[last].value = Some(set_in_text(b"null", inner, value));
            }
            (None, Kind::Object) => {
                self.inner
                    .retain(|(index, name, _)| (*index, *name) != (last, inner));
                self.inner.push((last, inner, value.clone()));
            }
            _ => return,
        }
        found
            .into_iter()
            .for_each(|repeated| self.fates[repeated].removed = true);
    }

    fn set_value(&mut self, index: usize, value: Bytes) {
        self.inner.retain(|(outer, _, _)| *outer != index);
        self.fates[index].value = Some(value);
    }

    /// The members of the document that now have this name.
    fn find(&self, name: &str) -> SmallVec<[usize; 4]> {
        let members = self.envelope.members().iter().zip(&self.fates).enumerate();
        members
            .filter(|(_, (member, fate))| {
                !fate.removed
                    && match fate.name {
                        Some(renamed) => renamed == name,
                        None => member.is_named(self.bytes, name),
                    }
            })
            .map(|(index, _)| index)
            .collect()
    }

    fn is_absent_or_null(&self, name: &str) -> bool {
        self.added
            .iter()
            .all(|added| added.0 != name || &added.1[..] == b"null")
            && self
                .find(name)
                .into_iter()
                .all(|index| match &self.fates[index].value {
                    Some(text) => &text[..] == b"null",
                    None => self.envelope.members()[index].is_null(),
                })
    }

    /// Turns what is planned into patches of the document.
    pub(super) fn write(&self, patches: &mut Patches) {
        let members = self.envelope.members();
        for (member, fate) in members
            .iter()
            .zip(&self.fates)
            .filter(|(_, fate)| !fate.removed)
        {
            if let Some(name) = fate.name {
                let quoted = json_string(name);
                patches.replace(
                    self.bytes,
                    member.name.clone(),
                    quoted.slice(1..quoted.len() - 1),
                );
            }
            if let Some(value) = &fate.value {
                patches.replace(self.bytes, member.value.clone(), value.clone());
            }
        }
        self.write_inner(patches);
        let end = self.write_removals(patches);
        self.write_added(patches, end);
    }

    fn write_inner(&self, patches: &mut Patches) {
        for (index, member) in self.envelope.members().iter().enumerate() {
            if self.fates[index].removed || !self.inner.iter().any(|(outer, ..)| *outer == index) {
                continue;
            }
            let Ok(envelope) = Envelope::scan_at(self.bytes, member.value.clone()) else {
                continue;
            };
            let mut nested = Plan::new(self.bytes, &envelope);
            for (_, name, value) in self.inner.iter().filter(|(outer, ..)| *outer == index) {
                nested.set(name, value);
            }
            nested.write(patches);
        }
    }

    /// Takes removed members out with one comma each; returns the offset after the last one that stays.
    fn write_removals(&self, patches: &mut Patches) -> Option<usize> {
        let members = self.envelope.members();
        let mut kept_end = None;
        let mut run: Option<Span> = None;
        for (member, fate) in members.iter().zip(&self.fates) {
            if fate.removed {
                let start = run.map_or(whole(member).start, |run| run.start);
                run = Some(start..member.value.end);
            } else {
                if let Some(run) = run.take() {
                    patches.replace(self.bytes, run.start..whole(member).start, Bytes::new());
                }
                kept_end = Some(member.value.end);
            }
        }
        if let Some(run) = run {
            patches.replace(
                self.bytes,
                kept_end.unwrap_or(run.start)..run.end,
                Bytes::new(),
            );
        }
        kept_end
    }

    fn write_added(&self, patches: &mut Patches, kept_end: Option<usize>) {
        if self.added.is_empty() {
            return;
        }
        let mut text = BytesMut::new();
        for (name, value) in &self.added {
            if kept_end.is_some() || !text.is_empty() {
                text.put_u8(b',');
            }
            text.put(json_string(name));
            text.put_u8(b':');
            text.put_slice(value);
        }
        let at = kept_end.unwrap_or(self.envelope.object().start + 1);
        patches.replace(self.bytes, at..at, text.freeze());
    }
}

/// A member with the quotes of its name.
fn whole(member: &Member) -> Span {
    member.name.start.saturating_sub(1)..member.value.end
}

/// Sets a member in an object that is not part of the document; `null` becomes an object.
fn set_in_text(text: &[u8], inner: &str, value: &Bytes) -> Bytes {
    let object = Bytes::copy_from_slice(if text == b"null" { b"{}" } else { text });
    let Ok(envelope) = Envelope::scan(&object, &[]) else {
        return object;
    };
    let mut edits = Edits::new();
    edits.set(inner.to_owned(), value.clone());
    edits.apply(&object, &envelope)
}
