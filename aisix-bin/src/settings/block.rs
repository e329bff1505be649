//! Reading the settings key by key, noting everything that is wrong.

use std::{cell::RefCell, collections::BTreeMap};

use aisix_core::config::resource::nearest;
use serde_json::{Map, Value};

use super::{
    problem::{SettingsError, Warning},
    value::Setting,
};

/// What is noted while settings are read.
#[derive(Default)]
pub(super) struct Notes {
    errors: RefCell<Vec<SettingsError>>,
    warnings: RefCell<Vec<Warning>>,
    /// The variables that were merged, by key.
    pub(super) variables: BTreeMap<String, String>,
}

/// A mapping of settings. Every key is asked for once; [`Block::finish`] finds the others.
pub(super) struct Block<'n> {
    path: String,
    members: Map<String, Value>,
    known: Vec<&'static str>,
    notes: &'n Notes,
}

// === impl Notes ===

impl Notes {
    pub(super) fn error(&self, key: &str, message: impl Into<String>) {
        self.errors.borrow_mut().push(SettingsError {
            key: key.to_owned(),
            variable: self.variables.get(key).cloned(),
            message: message.into(),
        });
    }

    pub(super) fn warn(&self, message: impl Into<String>) {
        self.warnings.borrow_mut().push(Warning(message.into()));
    }

    /// Whether something is wrong with this key.
    pub(super) fn mentions(&self, key: &str) -> bool {
        self.errors.borrow().iter().any(|error| error.key == key)
    }

    /// The warnings, unless there are errors.
    pub(super) fn into_result(self) -> Result<Vec<Warning>, Vec<SettingsError>> {
        match self.errors.into_inner() {
            errors if errors.is_empty() => Ok(self.warnings.into_inner()),
            errors => Err(errors),
        }
    }

    /// The variables that set this key or keys below it; all of what is there comes from them.
    fn setters(&self, key: &str, value: &Value) -> Option<Vec<&str>> {
        match (self.variables.get(key), value) {
            (Some(variable), _) => Some(vec![variable]),
            (None, Value::Object(members)) if !members.is_empty() => {
                let setters = members
                    .iter()
                    .map(|(name, value)| self.setters(&join(key, name), value));
                Some(setters.collect::<Option<Vec<_>>>()?.concat())
            }
            _ => None,
        }
    }
}

// === impl Block ===

impl<'n> Block<'n> {
    pub(super) fn new(
        path: impl Into<String>,
        members: Map<String, Value>,
        notes: &'n Notes,
    ) -> Self {
        Self {
            path: path.into(),
            members,
            known: Vec::new(),
            notes,
        }
    }

    /// The whole key of a member.
    pub(super) fn key(&self, name: &str) -> String {
        join(&self.path, name)
    }

    /// Whether nothing is left in the block.
    pub(super) fn is_empty(&self) -> bool {
        self.members.values().all(Value::is_null)
    }

    /// Notes that something is wrong with a member; the message is the rest of a sentence about it.
    pub(super) fn error(&self, name: &str, message: impl Into<String>) {
        self.notes.error(&self.key(name), message);
    }

    /// Takes a member out; null is the same as absent.
    pub(super) fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.members.remove(name).filter(|value| !value.is_null())
    }

    /// Reads a member that may be absent.
    pub(super) fn find<T: Setting>(&mut self, name: &'static str) -> Option<T> {
        let value = self.take(name)?;
        T::read(&value)
            .map_err(|message| self.error(name, message))
            .ok()
    }

    /// Reads a member that has a default.
    pub(super) fn get<T: Setting>(&mut self, name: &'static str, default: T) -> T {
        self.find(name).unwrap_or(default)
    }

    /// Reads a member that must be there. `None` after an error was noted.
    pub(super) fn require<T: Setting>(&mut self, name: &'static str) -> Option<T> {
        if self.members.get(name).is_none_or(Value::is_null) {
            self.known.push(name);
            self.error(name, "is required");
            return None;
        }
        self.find(name)
    }

    /// Reads a list that may be absent. Elements that are wrong are noted and left out.
    pub(super) fn list<T: Setting>(&mut self, name: &'static str) -> Option<Vec<T>> {
        let items = self.items(name)?;
        let read = |(index, item)| match T::read(&item) {
            Ok(item) => Some(item),
            Err(message) => {
                self.element_error(name, index, message);
                None
            }
        };
        Some(items.into_iter().enumerate().filter_map(read).collect())
    }

    /// Notes that something is wrong with an element of a list.
    pub(super) fn element_error(&self, name: &str, index: usize, message: impl Into<String>) {
        let key = self.key(name);
        self.notes.errors.borrow_mut().push(SettingsError {
            variable: self.notes.variables.get(&key).cloned(),
            key: format!("{key}[{index}]"),
            message: message.into(),
        });
    }

    /// Reads a list of blocks that may be absent.
    pub(super) fn blocks(&mut self, name: &'static str) -> Vec<Self> {
        let mut blocks = Vec::new();
        for (index, item) in self.items(name).into_iter().flatten().enumerate() {
            match item {
                Value::Object(members) => {
                    let path = format!("{}[{index}]", self.key(name));
                    blocks.push(Self::new(path, members, self.notes));
                }
                _ => self.element_error(name, index, "must be a mapping"),
            }
        }
        blocks
    }

    /// Reads a block; an absent one is empty.
    pub(super) fn block(&mut self, name: &'static str) -> Self {
        let members = match self.take(name) {
            None => Map::new(),
            Some(Value::Object(members)) => members,
            Some(_) => {
                match self.notes.variables.get(&self.key(name)) {
                    Some(variable) => self.notes.warn(no_effect(variable)),
                    None => self.error(name, "must be a mapping"),
                }
                Map::new()
            }
        };
        Self::new(self.key(name), members, self.notes)
    }

    /// Warns of a member that only later revisions know.
    pub(super) fn later(&mut self, name: &'static str) {
        if self.take(name).is_some() {
            let key = self.key(name);
            self.notes.warn(format!(
                "`{key}` belongs to a later revision and has no effect"
            ));
        }
    }

    /// Warns of a setting of something that a later version serves.
    pub(super) fn no_effect_yet(&self, name: &str) {
        let key = self.key(name);
        self.notes.warn(format!(
            "`{key}` is for what is not supported yet, and has no effect"
        ));
    }

    /// Accepts members that have no effect here, whatever they hold.
    pub(super) fn accept(&mut self, names: &[&'static str]) {
        for name in names {
            self.take(name);
        }
    }

    /// Notes the members that nobody asked for: errors in the file, warnings in the environment.
    pub(super) fn finish(self) {
        let mut left: Vec<_> = self.members.iter().collect();
        left.sort_by_key(|(name, _)| *name);
        for (name, value) in left {
            let key = self.key(name);
            if let Some(setters) = self.notes.setters(&key, value) {
                for variable in setters {
                    self.notes.warn(no_effect(variable));
                }
                continue;
            }
            let message = match nearest(name, self.known.iter().copied()) {
                Some(near) => format!("is not a known key; did you mean `{}`?", self.key(near)),
                None => "is not a known key".to_owned(),
            };
            self.notes.error(&key, message);
        }
    }

    fn items(&mut self, name: &'static str) -> Option<Vec<Value>> {
        match self.take(name)? {
            Value::Array(items) => Some(items),
            _ => {
                self.error(name, "must be a list");
                None
            }
        }
    }
}

/// The message about a variable that does nothing.
pub(super) fn no_effect(variable: &str) -> String {
    format!("the environment variable {variable} is not known and has no effect")
}

fn join(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        _ => format!("{path}.{name}"),
    }
}
