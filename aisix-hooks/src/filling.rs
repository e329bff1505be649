//! JSON values with variables in their texts.

use std::borrow::Cow;

use aisix_core::{call::Trail, config::resource::Template, wire::json_string};
use serde_json::Value;

/// A JSON value in whose texts `${…}` stands for facts of the request.
#[derive(Clone, Debug)]
pub(crate) enum Filling {
    /// Nothing to fill in: the value as it is written.
    Plain(String),
    Text(Template),
    List(Vec<Filling>),
    /// Names as they are written.
    Members(Vec<(String, Filling)>),
}

// === impl Filling ===

impl Filling {
    /// Reads a value.
    ///
    /// # Errors
    ///
    /// What is wrong with a variable.
    pub(crate) fn read(value: &Value) -> Result<Self, String> {
        let filling = match value {
            Value::String(text) if text.contains("${") => {
                let template = Template::of_text(text);
                return template.map(Self::Text).map_err(|error| error.to_string());
            }
            Value::Array(items) => {
                Self::List(items.iter().map(Self::read).collect::<Result<_, _>>()?)
            }
            Value::Object(members) => {
                let read = |(name, value): (&String, &Value)| {
                    Ok::<_, String>((quoted(name), Self::read(value)?))
                };
                Self::Members(members.iter().map(read).collect::<Result<_, _>>()?)
            }
            _ => return Ok(Self::Plain(value.to_string())),
        };
        match filling.is_plain() {
            true => Ok(Self::Plain(value.to_string())),
            false => Ok(filling),
        }
    }

    /// The value as JSON. A text whose variable has no value becomes `null`.
    pub(crate) fn fill(&self, trail: &Trail) -> Cow<'_, str> {
        match self {
            Self::Plain(text) => Cow::Borrowed(text),
            filling => {
                let mut json = String::new();
                filling.write(trail, &mut json);
                Cow::Owned(json)
            }
        }
    }

    fn write(&self, trail: &Trail, json: &mut String) {
        match self {
            Self::Plain(text) => json.push_str(text),
            Self::Text(template) => {
                let text = template.render(&|variable| trail.variable(variable));
                json.push_str(&text.map_or("null".to_owned(), |text| quoted(&text)));
            }
            Self::List(items) => {
                json.push('[');
                for (index, item) in items.iter().enumerate() {
                    json.push_str(if index > 0 { "," } else { "" });
                    item.write(trail, json);
                }
                json.push(']');
            }
            Self::Members(members) => {
                json.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    json.push_str(if index > 0 { "," } else { "" });
                    json.push_str(name);
                    json.push(':');
                    value.write(trail, json);
                }
                json.push('}');
            }
        }
    }

    fn is_plain(&self) -> bool {
        match self {
            Self::Plain(_) => true,
            Self::Text(_) => false,
            Self::List(items) => items.iter().all(Self::is_plain),
            Self::Members(members) => members.iter().all(|(_, value)| value.is_plain()),
        }
    }
}

fn quoted(text: &str) -> String {
    String::from_utf8_lossy(&json_string(text)).into_owned()
}
