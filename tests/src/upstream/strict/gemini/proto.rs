//! JSON as protocol buffers read it: every member is known, or the whole request is refused.

use serde_json::{Map, Value};

use super::Fault;

/// The members that a message has, under their names in JSON.
#[derive(Debug)]
pub(super) struct Message(pub(super) &'static [(&'static str, Kind)]);

/// What a member holds.
#[derive(Debug)]
pub(super) enum Kind {
    Text,
    Number,
    /// A number without a fraction, or one as a text.
    Integer,
    Flag,
    /// Base64, of either alphabet.
    Bytes,
    /// One of these.
    Word(&'static [&'static str]),
    /// An object with any members.
    Struct,
    Any,
    One(&'static Message),
    Many(&'static Kind),
    /// An object whose members are all of one kind.
    Map(&'static Kind),
}

// === impl Message ===

impl Message {
    /// The value with its members under their names in JSON, without those that are `null`.
    ///
    /// Like the real server it reads names in snake case too.
    pub(super) fn read(&self, value: &Value, place: &str) -> Result<Value, Fault> {
        let members = value.as_object().ok_or_else(|| invalid(place, value))?;
        let mut read = Map::new();
        for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            let camel = camel(name);
            let known = self.0.iter().find(|(known, _)| *known == camel);
            let (known, kind) = known.ok_or_else(|| unknown(name, place))?;
            let inner = match place {
                "" => snake(known),
                outer => format!("{outer}.{}", snake(known)),
            };
            read.insert((*known).to_owned(), kind.read(value, &inner)?);
        }
        Ok(read.into())
    }
}

// === impl Kind ===

impl Kind {
    fn read(&self, value: &Value, place: &str) -> Result<Value, Fault> {
        let fits = match self {
            Self::Any => true,
            Self::Text => value.is_string(),
            Self::Number => value.is_number(),
            Self::Integer => integer(value),
            Self::Flag => value.is_boolean(),
            Self::Bytes => value.as_str().is_some_and(base64),
            Self::Word(words) => value.as_str().is_some_and(|word| words.contains(&word)),
            Self::Struct => value.is_object(),
            Self::One(message) => return message.read(value, place),
            Self::Many(kind) => {
                let items = value.as_array().ok_or_else(|| invalid(place, value))?;
                let items = items.iter().enumerate();
                return items
                    .map(|(index, item)| kind.read(item, &format!("{place}[{index}]")))
                    .collect();
            }
            Self::Map(kind) => {
                let members = value.as_object().ok_or_else(|| invalid(place, value))?;
                let members = members.iter().map(|(name, value)| {
                    let value = kind.read(value, &format!("{place}[{name}].value"))?;
                    Ok((name.clone(), value))
                });
                return members.collect::<Result<Map<_, _>, _>>().map(Value::from);
            }
        };
        if fits {
            Ok(value.clone())
        } else {
            Err(invalid(place, value))
        }
    }
}

fn integer(value: &Value) -> bool {
    match value {
        Value::String(text) => text.parse::<i64>().is_ok(),
        number => number.is_i64() || number.is_u64(),
    }
}

fn base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte);
    digits.bytes().all(known) && digits.len() % 4 != 1
}

fn unknown(name: &str, place: &str) -> Fault {
    let at = match place {
        "" => String::new(),
        place => format!(" at '{place}'"),
    };
    Fault::invalid(format!(
        "Invalid JSON payload received. Unknown name \"{name}\"{at}: Cannot find field."
    ))
}

fn invalid(place: &str, value: &Value) -> Fault {
    let shown: String = value.to_string().chars().take(100).collect();
    Fault::invalid(format!("Invalid value at '{place}', {shown}"))
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let mut letters = word.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        name + &first.into_iter().chain(letters).collect::<String>()
    })
}

fn snake(name: &str) -> String {
    let letters = name.chars().flat_map(|letter| {
        let underscore = letter.is_ascii_uppercase().then_some('_');
        underscore.into_iter().chain([letter.to_ascii_lowercase()])
    });
    letters.collect()
}
