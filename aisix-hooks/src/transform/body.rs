//! Changes of bodies.

use aisix_core::{
    call::Trail,
    config::resource::Invalid,
    wire::{Document, PatchError, Pointer},
};
use bytes::Bytes;

use super::{BodyChange, ChangeOp};
use crate::{filling::Filling, request_body::settled};

/// A JSON Patch, compiled.
#[derive(Clone, Debug, Default)]
pub(super) struct Patch(Vec<Operation>);

#[derive(Clone, Debug)]
enum Operation {
    Add(Pointer, Filling),
    Remove(Pointer),
    Replace(Pointer, Filling),
    Move(Pointer, Pointer),
    Copy(Pointer, Pointer),
    Test(Pointer, Filling),
}

// === impl Patch ===

impl Patch {
    /// Reads the patch of the bodies at `path` of the settings.
    pub(super) fn read(path: &str, changes: &[BodyChange], wrong: &mut Vec<Invalid>) -> Self {
        let mut operations = Vec::with_capacity(changes.len());
        for (index, change) in changes.iter().enumerate() {
            let read = Operation::read(change, path.starts_with("request"));
            match read {
                Ok(operation) => operations.push(operation),
                Err((field, message)) => {
                    let path = format!("{path}[{index}].{field}");
                    wrong.push(Invalid::new(path, message));
                }
            }
        }
        Self(operations)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The body that it makes of one.
    pub(super) fn apply(&self, body: &Bytes, trail: &Trail) -> Result<Bytes, PatchError> {
        let mut document = Document::new(body.clone())?;
        for operation in &self.0 {
            operation.carry_out(&mut document, trail)?;
        }
        Ok(document.into_bytes())
    }
}

// === impl Operation ===

impl Operation {
    /// Reads an operation; else, the field that is wrong.
    fn read(change: &BodyChange, on_request: bool) -> Result<Self, (&'static str, String)> {
        let BodyChange { op, from, .. } = change;
        let path = place("path", &change.path, on_request && *op != ChangeOp::Test)?;
        let from = |changes: bool| {
            let from = from.as_deref().ok_or(("from", "is required".to_owned()))?;
            place("from", from, on_request && changes)
        };
        let value = || {
            let value = change.value.as_ref().unwrap_or(&serde_json::Value::Null);
            Filling::read(value).map_err(|message| ("value", message))
        };
        Ok(match op {
            ChangeOp::Add => Self::Add(path, value()?),
            ChangeOp::Remove => Self::Remove(path),
            ChangeOp::Replace => Self::Replace(path, value()?),
            ChangeOp::Move => Self::Move(from(true)?, path),
            ChangeOp::Copy => Self::Copy(from(false)?, path),
            ChangeOp::Test => Self::Test(path, value()?),
        })
    }

    fn carry_out(&self, document: &mut Document, trail: &Trail) -> Result<(), PatchError> {
        match self {
            Self::Add(path, value) => document.add(path, value.fill(trail).as_bytes()),
            Self::Remove(path) => document.remove(path),
            Self::Replace(path, value) => document.replace(path, value.fill(trail).as_bytes()),
            Self::Move(from, path) => document.move_to(from, path),
            Self::Copy(from, path) => document.copy(from, path),
            Self::Test(path, value) => document.test(path, value.fill(trail).as_bytes()),
        }
    }
}

/// Reads a place; `is_changed` if it may not be one that is settled.
fn place(
    field: &'static str,
    text: &str,
    is_changed: bool,
) -> Result<Pointer, (&'static str, String)> {
    let pointer = Pointer::parse(text);
    let pointer = pointer.ok_or((
        field,
        "is no JSON Pointer such as `/metadata/user`".to_owned(),
    ))?;
    if pointer.steps().is_empty() {
        return Err((field, "must lead to a member".to_owned()));
    }
    match settled(&pointer).filter(|_| is_changed) {
        Some(member) => Err((
            field,
            format!("cannot be in `/{member}`: that was settled when the call was admitted"),
        )),
        None => Ok(pointer),
    }
}
