//! Typed access to the members of a JSON object, with the provider's words for what is wrong.

use serde_json::{Map, Value};

use crate::upstream::Reply;

pub(super) type Checked = Result<(), Fault>;

/// Why a body is refused.
#[derive(Debug)]
pub(super) struct Fault {
    status: u16,
    param: String,
    message: String,
}

/// An object and where it stands in the body.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
    place: String,
}

impl Fault {
    pub(super) fn new(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            param: param.into(),
            message: message.into(),
        }
    }

    /// The same as 422, which DeepSeek answers to a value outside its types.
    pub(super) fn unprocessable(self) -> Self {
        Self {
            status: 422,
            ..self
        }
    }

    pub(super) fn into_reply(self) -> Reply {
        let error = serde_json::json!({
            "message": self.message, "type": "invalid_request_error", "param": self.param, "code": null,
        });
        Reply::json(&serde_json::json!({ "error": error }))
            .status(self.status)
            .header("x-request-id", "req_refused")
    }
}

impl<'a> Fields<'a> {
    /// The members of the whole body. Panics when it is not an object.
    pub(super) fn of(body: &'a Value) -> Self {
        Self {
            map: body.as_object().expect("the caller has checked"),
            place: String::new(),
        }
    }

    pub(super) fn at(place: String, value: &'a Value) -> Result<Self, Fault> {
        let map = value.as_object().ok_or_else(|| {
            Fault::new(
                &place,
                format!("Invalid type for '{place}': expected an object."),
            )
        })?;
        Ok(Self { map, place })
    }

    pub(super) fn place(&self, name: &str) -> String {
        if self.place.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.place)
        }
    }

    /// The member, unless it is absent or `null`.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn fault(&self, name: &str, why: &str) -> Fault {
        let place = self.place(name);
        Fault::new(&place, format!("Invalid '{place}': {why}."))
    }

    pub(super) fn optional<T>(
        &self,
        name: &str,
        kind: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        read(value)
            .map(Some)
            .ok_or_else(|| self.fault(name, &format!("expected {kind}")))
    }

    pub(super) fn required<T>(
        &self,
        name: &str,
        kind: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<T, Fault> {
        let missing = || {
            Fault::new(
                self.place(name),
                format!("Missing required parameter: '{}'.", self.place(name)),
            )
        };
        self.optional(name, kind, read)?.ok_or_else(missing)
    }

    pub(super) fn text(&self, name: &str) -> Result<&'a str, Fault> {
        self.required(name, "a string", Value::as_str)
    }

    pub(super) fn list(&self, name: &str) -> Result<Option<&'a Vec<Value>>, Fault> {
        self.optional(name, "an array", Value::as_array)
    }

    pub(super) fn object(&self, name: &str) -> Result<Option<Fields<'a>>, Fault> {
        self.get(name)
            .map(|value| Self::at(self.place(name), value))
            .transpose()
    }

    pub(super) fn one_of(&self, name: &str, allowed: &[&str]) -> Checked {
        match self.optional(name, "a string", Value::as_str)? {
            Some(value) if !allowed.contains(&value) => {
                Err(self.fault(name, &format!("expected one of {allowed:?}")))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn number(&self, name: &str, low: f64, high: f64) -> Checked {
        match self.optional(name, "a number", Value::as_f64)? {
            Some(value) if !(low..=high).contains(&value) => {
                Err(self.fault(name, &format!("expected {low} to {high}")))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn count(&self, name: &str) -> Checked {
        match self.optional(name, "an integer", Value::as_u64)? {
            Some(0) => Err(self.fault(name, "expected at least 1")),
            _ => Ok(()),
        }
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, Fault> {
        Ok(self
            .optional(name, "a boolean", Value::as_bool)?
            .unwrap_or(false))
    }
}
