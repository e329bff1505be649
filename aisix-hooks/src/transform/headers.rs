//! Changes of headers.

use aisix_core::{
    call::Trail,
    config::resource::{Invalid, Template, is_private},
};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::HeaderChanges;

/// Changes of headers, compiled.
#[derive(Clone, Debug, Default)]
pub(super) struct HeaderPatch {
    rename: Vec<(HeaderName, HeaderName)>,
    remove: Vec<HeaderName>,
    set: Vec<(HeaderName, Template)>,
    add: Vec<(HeaderName, Template)>,
}

// === impl HeaderPatch ===

impl HeaderPatch {
    pub(super) fn read(path: &str, changes: &HeaderChanges, wrong: &mut Vec<Invalid>) -> Self {
        let mut patch = Self::default();
        for (from, to) in &changes.rename {
            let path = format!("{path}.rename.{from}");
            if let (Some(from), Some(to)) = (name(&path, from, wrong), name(&path, to, wrong)) {
                patch.rename.push((from, to));
            }
        }
        for (index, text) in changes.remove.iter().enumerate() {
            let path = format!("{path}.remove[{index}]");
            patch.remove.extend(name(&path, text, wrong));
        }
        for (kind, from, to) in [
            ("set", &changes.set, &mut patch.set),
            ("add", &changes.add, &mut patch.add),
        ] {
            for (text, value) in from {
                let path = format!("{path}.{kind}.{text}");
                let name = name(&path, text, wrong);
                match Template::parse(value) {
                    Ok(value) => to.extend(name.map(|name| (name, value))),
                    Err(error) => wrong.push(Invalid::new(path, error.to_string())),
                }
            }
        }
        patch
    }

    pub(super) fn is_empty(&self) -> bool {
        let Self {
            rename,
            remove,
            set,
            add,
        } = self;
        rename.is_empty() && remove.is_empty() && set.is_empty() && add.is_empty()
    }

    pub(super) fn apply(&self, headers: &mut HeaderMap, trail: &Trail) {
        for (from, to) in &self.rename {
            let values: Vec<_> = headers.get_all(from).iter().cloned().collect();
            if values.is_empty() {
                continue;
            }
            headers.remove(from);
            headers.remove(to);
            for value in values {
                headers.append(to.clone(), value);
            }
        }
        for name in &self.remove {
            headers.remove(name);
        }
        for (name, value) in &self.set {
            headers.remove(name);
            if let Some(value) = fill(value, trail) {
                headers.insert(name.clone(), value);
            }
        }
        for (name, value) in &self.add {
            if let Some(value) = fill(value, trail) {
                headers.append(name.clone(), value);
            }
        }
    }

    /// The names of headers that are there because of it.
    pub(super) fn names(&self) -> impl Iterator<Item = &HeaderName> {
        let renamed = self.rename.iter().map(|(_, to)| to);
        let written = self.set.iter().chain(&self.add).map(|(name, _)| name);
        renamed.chain(written)
    }
}

/// A header that may be changed.
fn name(path: &str, text: &str, wrong: &mut Vec<Invalid>) -> Option<HeaderName> {
    let message = match HeaderName::try_from(text) {
        Ok(name) if !is_private(&name) => return Some(name),
        Ok(_) => "is a reserved header",
        Err(_) => "is not the name of a header",
    };
    wrong.push(Invalid::new(path, message));
    None
}

fn fill(template: &Template, trail: &Trail) -> Option<HeaderValue> {
    let text = template.render(&|variable| trail.variable(variable))?;
    HeaderValue::try_from(text).ok()
}
