//! What has changed in a document, without its secrets.

use aisix_core::config::{Kind, resource::mask, store::Changed};
use serde_json::{Map, Value, json};

/// A field that differs between two documents. Secrets are masked.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The way to it, such as `rate_limit.rpm`.
    pub path: String,
    /// What it was, unless it was not there.
    pub before: Option<Value>,
    /// What it is, unless it is gone.
    pub after: Option<Value>,
    /// Whether it is a secret.
    pub is_secret: bool,
}

/// The fields in which documents of a kind differ, ordered by path. Against nothing, these are all members of a
/// document.
pub fn fields(kind: Kind, before: Option<&Value>, after: Option<&Value>) -> Vec<Field> {
    let masked = |document: Option<&Value>| {
        let mut document = document?.clone();
        mask(kind, &mut document);
        Some(document)
    };
    let shown = (masked(before), masked(after));
    let shown = [shown.0.as_ref(), shown.1.as_ref()];
    let mut fields = Vec::new();
    walk("", [before, after], shown, &mut fields);
    fields
}

/// A change of a resource, as history and dry runs show it.
pub(crate) fn shown(changed: &Changed) -> Value {
    let action = match (&changed.before, &changed.after) {
        (None, _) => "create",
        (_, None) => "delete",
        _ => "update",
    };
    let (before, after) = (changed.before.as_ref(), changed.after.as_ref());
    let fields: Value = fields(changed.key.kind, before, after)
        .into_iter()
        .map(|field| {
            let mut members = Map::new();
            members.insert("path".to_owned(), field.path.into());
            members.extend(field.before.map(|it| ("before".to_owned(), it)));
            members.extend(field.after.map(|it| ("after".to_owned(), it)));
            Value::Object(members)
        })
        .collect();
    json!({"key": format!("/{}", changed.key), "action": action, "diff": fields})
}

fn walk<'v>(
    path: &str,
    raw: [Option<&'v Value>; 2],
    shown: [Option<&'v Value>; 2],
    fields: &mut Vec<Field>,
) {
    if raw[0] == raw[1] {
        return;
    }
    let object = |value: Option<&Value>| value.is_none_or(Value::is_object);
    let is_tree = raw.iter().all(|it| object(*it)) && shown.iter().all(|it| object(*it));
    // Nothing at all becomes a document member by member; a member that comes or goes is told whole.
    if is_tree && (path.is_empty() || raw.iter().all(Option::is_some)) {
        let names = |value: Option<&Value>| -> Vec<String> {
            let members = value.and_then(Value::as_object);
            members.into_iter().flat_map(Map::keys).cloned().collect()
        };
        let mut all = names(raw[0]);
        all.extend(names(raw[1]));
        all.sort();
        all.dedup();
        for name in all {
            let path = match path {
                "" => name.clone(),
                path => format!("{path}.{name}"),
            };
            let member = |value: Option<&'v Value>| value.and_then(|value| value.get(&name));
            walk(&path, raw.map(member), shown.map(member), fields);
        }
        return;
    }
    let is_secret = |index: usize| !object(raw[index]) && raw[index] != shown[index];
    fields.push(Field {
        path: path.to_owned(),
        before: shown[0].cloned(),
        after: shown[1].cloned(),
        is_secret: is_secret(0) || is_secret(1),
    });
}
