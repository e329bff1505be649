//! `allOf`: several schemas as one.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::keyword::put;
use super::{Cleaner, shallow};

impl<'a> Cleaner<'a> {
    /// Adds what a member of `allOf` demands; what contradicts or has no common form is named.
    pub(super) fn conjoin(
        &mut self,
        out: &mut Map<String, Value>,
        schema: &'a Value,
        alone: bool,
        depth: usize,
    ) {
        let mut cleaned = self.schema(schema, depth);
        let Value::Object(map) = &mut cleaned else {
            return;
        };
        let described = |name: &String| name == "title" || name == "description";
        if map.contains_key("$ref") {
            if alone && out.keys().all(described) {
                put(out, "anyOf", json!([cleaned]));
                return;
            }
            let target = schema.get("$ref").and_then(|r| self.refs.target(r));
            let Some(Value::Object(target)) = target else {
                return self.breaks("$ref");
            };
            *map = self.object(target, depth + 1);
            if map.contains_key("$ref") {
                return self.breaks("allOf");
            }
        }
        self.merge(out, std::mem::take(map));
    }

    fn merge(&mut self, out: &mut Map<String, Value>, more: Map<String, Value>) {
        // Lists are gone through once for each member of `allOf`.
        let cost = out.values().chain(more.values()).map(shallow).sum();
        if !self.affords(cost) {
            return self.breaks("allOf");
        }
        let closed = |map: &Map<String, Value>| {
            map.get("additionalProperties")
                .is_some_and(|extra| extra != &Value::Bool(true))
        };
        if (closed(out) || closed(&more)) && !same_properties(out, &more) {
            self.breaks("additionalProperties");
        }
        for (name, value) in more {
            let Some(mine) = out.get_mut(&name) else {
                out.insert(name, value);
                continue;
            };
            if *mine == value {
                continue;
            }
            match (name.as_str(), mine, value) {
                ("properties", Value::Object(mine), Value::Object(theirs)) => {
                    for (name, theirs) in theirs {
                        match (mine.get_mut(&name), theirs) {
                            (None, theirs) => {
                                mine.insert(name, theirs);
                            }
                            (Some(Value::Object(mine)), Value::Object(theirs)) => {
                                self.merge(mine, theirs);
                            }
                            _ => {}
                        }
                    }
                }
                ("required", Value::Array(mine), Value::Array(theirs)) => {
                    let known: BTreeSet<String> = mine.iter().map(Value::to_string).collect();
                    mine.extend(
                        theirs
                            .into_iter()
                            .filter(|name| !known.contains(&name.to_string())),
                    );
                }
                ("enum", Value::Array(mine), Value::Array(theirs)) => {
                    let known: BTreeSet<String> = theirs.iter().map(Value::to_string).collect();
                    mine.retain(|value| known.contains(&value.to_string()));
                }
                ("minimum" | "maximum" | "minItems" | "maxItems", _, value) => {
                    limit(out, &name, value);
                }
                ("type", mine, theirs) => match common(mine, &theirs) {
                    Some(both) => *mine = both,
                    None => self.breaks("allOf"),
                },
                ("title" | "description" | "propertyOrdering", ..) => {}
                ("format", ..) => self.weakens("format"),
                _ => self.breaks("allOf"),
            }
        }
    }
}

/// Sets a limit, or narrows the one that is there.
pub(super) fn limit(out: &mut Map<String, Value>, name: &str, value: Value) {
    let lower = name.starts_with("min");
    let stays = out.get(name).is_some_and(|mine| {
        let (mine, theirs) = (mine.as_f64(), value.as_f64());
        if lower { mine > theirs } else { mine < theirs }
    });
    if !stays {
        put(out, name, value);
    }
}

fn same_properties(a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    let names = |map: &Map<String, Value>| -> BTreeSet<String> {
        map.get("properties")
            .and_then(Value::as_object)
            .map(|properties| properties.keys().cloned().collect())
            .unwrap_or_default()
    };
    let (a, b) = (names(a), names(b));
    a == b
}

/// The types that both allow.
fn common(a: &Value, b: &Value) -> Option<Value> {
    let list = |value: &Value| match value {
        Value::Array(list) => list.clone(),
        other => vec![other.clone()],
    };
    let (a, b) = (list(a), list(b));
    let has = |list: &[Value], kind: &Value| {
        list.contains(kind) || (kind == "integer" && list.iter().any(|kind| kind == "number"))
    };
    let mut both: Vec<Value> = a.iter().filter(|kind| has(&b, kind)).cloned().collect();
    for kind in b.iter().filter(|kind| has(&a, kind)) {
        if !both.contains(kind) {
            both.push(kind.clone());
        }
    }
    match both.len() {
        0 => None,
        1 => both.pop(),
        _ => Some(Value::Array(both)),
    }
}
