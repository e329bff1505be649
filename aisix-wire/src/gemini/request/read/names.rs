//! Members by their `camelCase` names, which may be written in `snake_case` too.

use std::cell::RefCell;

use crate::chat::Raw;
use crate::json::{Object, Path, Value};
use crate::{Invalid, Kind};

/// An object, where it stands, and which of its members have been read.
pub(super) struct Names<'a, 'p> {
    object: Object<'a>,
    path: Path<'p>,
    read: RefCell<Vec<&'static str>>,
}

// === impl Names ===

impl<'a, 'p> Names<'a, 'p> {
    pub(super) fn new(object: Object<'a>, path: Path<'p>) -> Self {
        Self {
            object,
            path,
            read: RefCell::default(),
        }
    }

    /// Where a member stands.
    pub(super) fn at<'s>(&'s self, name: &'s str) -> Path<'s> {
        self.path.member(name)
    }

    /// A member, which counts as read from now on.
    pub(super) fn get(&self, name: &'static str) -> Option<Value<'a>> {
        self.read.borrow_mut().push(name);
        self.object
            .get(name)
            .or_else(|| self.object.get(&snake(name)))
    }

    /// A member of some type; another type is to blame.
    pub(super) fn typed<T>(
        &self,
        name: &'static str,
        expected: &str,
        read: impl FnOnce(&Value<'a>) -> Option<T>,
    ) -> Result<Option<T>, Invalid> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        match read(&value) {
            Some(value) => Ok(Some(value)),
            None => Err(self.at(name).wrong_type(expected)),
        }
    }

    /// A text.
    pub(super) fn string(&self, name: &'static str) -> Result<Option<String>, Invalid> {
        let text = self.typed(name, "a string", Value::as_str)?;
        Ok(text.map(Into::into))
    }

    /// An object.
    pub(super) fn object(&self, name: &'static str) -> Result<Option<Object<'a>>, Invalid> {
        self.typed(name, "an object", Value::as_object)
    }

    /// The elements of a list. One element may stand there without a list around it.
    pub(super) fn items(&self, name: &'static str) -> Result<Vec<Value<'a>>, Invalid> {
        let items = self.typed(name, "an array", |value| match value.kind() {
            Kind::Object => Some(vec![value.clone()]),
            _ => Some(value.items()?.collect()),
        })?;
        Ok(items.unwrap_or_default())
    }

    /// The members that nobody has read, under their `camelCase` names.
    pub(super) fn others(&self) -> impl Iterator<Item = (String, Raw)> + '_ {
        let read = self.read.borrow().clone();
        self.object.members().filter_map(move |(name, value)| {
            let name = camel(&name);
            (!read.contains(&name.as_str())).then(|| (name, value.raw()))
        })
    }

    /// The whole object.
    pub(super) fn raw(&self) -> Raw {
        self.object.raw()
    }
}

fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for char in name.chars() {
        if char.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(char.to_ascii_lowercase());
    }
    out
}

fn camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut upper = false;
    for char in name.chars() {
        match char {
            '_' if !out.is_empty() => upper = true,
            char if std::mem::take(&mut upper) => out.push(char.to_ascii_uppercase()),
            char => out.push(char),
        }
    }
    out
}
