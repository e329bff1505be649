//! References: all of them point into `$defs` afterwards.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::Cleaner;
use super::keyword::put;

/// The places that were referred to, and the names they got.
pub(super) struct Refs<'a> {
    root: &'a Value,
    names: BTreeMap<String, String>,
    taken: BTreeSet<String>,
    waiting: Vec<(String, &'a Value)>,
}

// === impl Refs ===

impl<'a> Refs<'a> {
    pub(super) fn new(root: &'a Value) -> Self {
        Self {
            root,
            names: BTreeMap::new(),
            taken: BTreeSet::new(),
            waiting: Vec::new(),
        }
    }

    /// A place that was referred to and has not been cleaned yet.
    pub(super) fn next(&mut self) -> Option<(String, &'a Value)> {
        self.waiting.pop()
    }

    /// What a reference points to; `None` when it leads out of the document or nowhere.
    pub(super) fn target(&self, reference: &Value) -> Option<&'a Value> {
        let pointer = percent_decoded(reference.as_str()?.strip_prefix('#')?)?;
        self.root
            .pointer(&pointer)
            .filter(|target| target.is_object() || target.is_boolean())
    }

    /// The reference to write instead.
    fn name(&mut self, reference: &Value) -> Option<String> {
        let target = self.target(reference)?;
        let pointer = percent_decoded(reference.as_str()?.strip_prefix('#')?)?;
        if pointer.is_empty() {
            return Some("#".to_owned());
        }
        if let Some(name) = self.names.get(&pointer) {
            return Some(format!("#/$defs/{name}"));
        }
        let name = self.fresh(pointer.rsplit('/').next().unwrap_or_default());
        self.names.insert(pointer, name.clone());
        self.waiting.push((name.clone(), target));
        Some(format!("#/$defs/{name}"))
    }

    fn fresh(&mut self, wish: &str) -> String {
        let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let mut name: String = wish.chars().filter(plain).take(64).collect();
        if name.is_empty() {
            name.push_str("def");
        }
        if self.taken.contains(&name) {
            // One more than there are names, so that nobody has it.
            name = format!("{name}.{}", self.taken.len());
        }
        while !self.taken.insert(name.clone()) {
            name.push('_');
        }
        name
    }
}

impl<'a> Cleaner<'a> {
    /// A reference; beside one Gemini allows nothing, so what stands there goes around it.
    pub(super) fn reference(
        &mut self,
        reference: &'a Value,
        map: &'a Map<String, Value>,
        depth: usize,
    ) -> Map<String, Value> {
        let mut out = self.keywords(map, depth);
        let nullable = map.get("nullable") == Some(&Value::Bool(true));
        let Some(name) = self.refs.name(reference) else {
            self.breaks("$ref");
            return out;
        };
        if out.contains_key("anyOf") {
            self.breaks("$ref");
        } else if nullable {
            put(&mut out, "anyOf", json!([{"$ref": name}, {"type": "null"}]));
        } else if out.is_empty() {
            put(&mut out, "$ref", name.into());
        } else {
            put(&mut out, "anyOf", json!([{"$ref": name}]));
        }
        out
    }
}

/// A pointer as it was before it became part of an address.
fn percent_decoded(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        out.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(out).ok()
}
