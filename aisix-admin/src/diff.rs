//! What has changed in a document, without its secrets.

use aisix_core::config::{resource::mask, store::Changed};
use serde_json::{Map, Value, json};

/// A change of a resource, as history and dry runs show it.
pub(crate) fn shown(changed: &Changed) -> Value {
    let action = match (&changed.before, &changed.after) {
        (None, _) => "create",
        (_, None) => "delete",
        _ => "update",
    };
    let masked = |document: &Option<Value>| {
        let mut document = document.clone()?;
        mask(changed.key.kind, &mut document);
        Some(document)
    };
    let (before, after) = (masked(&changed.before), masked(&changed.after));
    let mut fields = Vec::new();
    let raw = [changed.before.as_ref(), changed.after.as_ref()];
    walk("", raw, [before.as_ref(), after.as_ref()], &mut fields);
    json!({"key": format!("/{}", changed.key), "action": action, "diff": fields})
}

fn walk<'v>(
    path: &str,
    raw: [Option<&'v Value>; 2],
    shown: [Option<&'v Value>; 2],
    fields: &mut Vec<Value>,
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
    let mut field = Map::new();
    field.insert("path".to_owned(), path.into());
    for (name, value) in ["before", "after"].into_iter().zip(shown) {
        field.extend(value.map(|value| (name.to_owned(), value.clone())));
    }
    fields.push(Value::Object(field));
}
