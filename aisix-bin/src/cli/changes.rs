//! What differs, as it is told at the terminal. Secrets are not.

use std::{collections::BTreeMap, fmt::Write};

use aisix_admin::diff::{Field, fields};
use aisix_core::config::{Entry, Key, Kind, resource::normalize};
use aisix_sources::file;
use serde_json::Value;

/// The longest value that is shown whole, in characters.
const LONGEST: usize = 200;

/// How resources are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// Their names; an id stands in where there is none.
    Name,
    /// Their ids.
    Id,
}

/// What resources are called, and which they are.
pub(super) type Label = (Kind, String);

/// Resources that can be compared.
pub(super) type Resources = BTreeMap<Label, Value>;

/// Resources in one form: by their labels, without what says nothing, with names for ids.
pub(super) fn comparable(entries: &[Entry], by: By) -> Resources {
    let names = file::names(entries);
    let mut resources = Resources::new();
    for Entry { key, value, .. } in entries {
        let name = names.get(key).filter(|_| by == By::Name);
        let label = match name {
            Some(name) if !resources.contains_key(&(key.kind, name.clone())) => name.clone(),
            Some(name) => format!("{name} (id {})", key.id),
            None => key.id.to_string(),
        };
        let mut document = value.clone();
        normalize(key.kind, &mut document);
        if by == By::Name {
            name_references(key.kind, &mut document, &names);
        }
        resources.insert((key.kind, label), document);
    }
    resources
}

/// Names for the ids of other resources.
fn name_references(kind: Kind, document: &mut Value, names: &BTreeMap<Key, String>) {
    let Value::Object(members) = document else {
        return;
    };
    for (field, kind) in kind.references() {
        let id = members.get(*field).and_then(Value::as_str);
        let key = id.map(|id| Key {
            kind: *kind,
            id: id.into(),
        });
        if let Some(name) = key.and_then(|key| names.get(&key)) {
            members.shift_remove(*field);
            let plain = field.strip_suffix("_id").unwrap_or(field);
            members.insert(plain.to_owned(), name.as_str().into());
        }
    }
}

/// The differences between resources.
#[derive(Default)]
pub(super) struct Differences {
    pub(super) added: usize,
    pub(super) changed: usize,
    pub(super) removed: usize,
    /// What is told of them.
    pub(super) text: String,
}

/// Compares; a field that `unknown` speaks of is told, and counts as the same.
pub(super) fn differences(
    before: &Resources,
    after: &Resources,
    unknown: &dyn Fn(Option<&Value>, &str) -> Option<String>,
) -> Differences {
    let mut told = Differences::default();
    let labels: std::collections::BTreeSet<&Label> = before.keys().chain(after.keys()).collect();
    for label in labels {
        let (old, new) = (before.get(label), after.get(label));
        let mut lines = String::new();
        let mut differ = 0;
        for field in fields(label.0, old, new) {
            let not_known = [old, new]
                .into_iter()
                .find_map(|it| unknown(it, &field.path));
            differ += usize::from(not_known.is_none());
            let line = not_known.unwrap_or_else(|| said(&field));
            let _ = writeln!(lines, "    {}: {line}", field.path);
        }
        let sign = match (old, new) {
            (None, _) => '+',
            (_, None) => '-',
            _ if differ > 0 => '~',
            _ if lines.is_empty() => continue,
            _ => '?',
        };
        match sign {
            '+' => told.added += 1,
            '-' => told.removed += 1,
            '~' => told.changed += 1,
            _ => {}
        }
        let _ = writeln!(told.text, "{sign} {} {:?}", label.0, label.1);
        if sign != '-' {
            told.text.push_str(&lines);
        }
    }
    told
}

fn said(field: &Field) -> String {
    match (&field.before, &field.after) {
        (Some(_), Some(_)) if field.is_secret => "differs".to_owned(),
        (None, Some(_)) if field.is_secret => "(secret)".to_owned(),
        (Some(before), Some(after)) => match (short(before), short(after)) {
            // What differs is masked, or too far in.
            (before, after) if before == after => "differs".to_owned(),
            (before, after) => format!("{before} → {after}"),
        },
        (None, Some(after)) => short(after),
        (Some(_), None) => "is gone".to_owned(),
        (None, None) => String::new(),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

// === impl Differences ===

impl Differences {
    pub(super) fn are_none(&self) -> bool {
        self.added + self.changed + self.removed == 0
    }

    /// How many there are, in words.
    pub(super) fn counted(&self) -> String {
        format!(
            "{} added, {} changed, {} removed",
            self.added, self.changed, self.removed
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tell(before: &[Entry], after: &[Entry], by: By) -> String {
        let (before, after) = (comparable(before, by), comparable(after, by));
        differences(&before, &after, &|_, _| None).text
    }

    fn key(id: &str, name: &str, secret: &str) -> Entry {
        let document = json!({"display_name": name, "api_key": secret});
        Entry::new(Kind::ProviderKey, id, document)
    }

    fn model(id: &str, key: &str, timeout: Value) -> Entry {
        let document = json!({"display_name": "gpt", "provider": "openai", "model_name": "m", "provider_key_id": key, "timeout": timeout});
        Entry::new(Kind::Model, id, document)
    }

    #[test]
    fn names_matter_and_ids_do_not_unless_they_are_asked_for() {
        let before = [key("1", "up", "a"), model("2", "1", json!(null))];
        let after = [key("x", "up", "a"), model("y", "x", json!(null))];
        assert_eq!(tell(&before, &after, By::Name), "");
        let told = tell(&before, &after, By::Id);
        assert!(told.contains("- models \"2\"\n+ models \"y\"\n"), "{told}");
    }

    #[test]
    fn fields_are_told_and_secrets_are_not() {
        let before = [
            key("1", "up", "sk-0123456789abcdefWXYZ"),
            model("2", "1", json!(5)),
            key("3", "old", "hidden-1"),
        ];
        let after = [
            key("1", "up", "sk-0123456789abcdefQRST"),
            model("2", "1", json!(6)),
            key("4", "new", "hidden-2"),
        ];
        assert_eq!(
            tell(&before, &after, By::Name),
            "+ provider_keys \"new\"
    api_key: (secret)
    display_name: \"new\"
- provider_keys \"old\"
~ provider_keys \"up\"
    api_key: differs
~ models \"gpt\"
    timeout: 5 → 6
"
        );
    }
}
