//! Rules that several endpoints share, and how their breach is told.

use std::borrow::Cow;
use std::fmt;

use crate::{Envelope, Kind, Member, elements};

/// How many bytes a model's name may have.
const MAX_MODEL: usize = 512;

/// A request that the gateway cannot work with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The member to blame, like `messages[3]`.
    pub param: Cow<'static, str>,
    /// What is wrong with it; quotes nothing of the request.
    pub message: String,
    /// A word for it, where the caller's SDK knows one and goes on by it.
    pub code: Option<&'static str>,
}

// === impl Invalid ===

impl Invalid {
    /// A member to blame, and what is wrong with it.
    pub fn new(param: impl Into<Cow<'static, str>>, message: String) -> Self {
        Self {
            param: param.into(),
            message,
            code: None,
        }
    }

    /// The same with a word that SDKs know.
    pub(crate) fn with_code(self, code: &'static str) -> Self {
        Self {
            code: Some(code),
            ..self
        }
    }

    pub(crate) fn missing(param: &'static str) -> Self {
        Self::new(param, format!("missing required field \"{param}\""))
    }

    pub(crate) fn empty(param: &'static str) -> Self {
        Self::new(param, format!("\"{param}\" must not be empty"))
    }

    pub(crate) fn wrong_type(param: impl Into<Cow<'static, str>>, expected: &str) -> Self {
        let param = param.into();
        let message = format!("\"{param}\" must be {expected}");
        Self::new(param, message)
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Invalid {}

/// A member that is there and not `null`.
pub(super) fn optional<'e>(
    bytes: &[u8],
    e: &'e Envelope,
    name: &'static str,
) -> Option<&'e Member> {
    e.member(bytes, name).filter(|member| !member.is_null())
}

/// As [`optional`], or else an error.
pub(super) fn required<'e>(
    bytes: &[u8],
    e: &'e Envelope,
    name: &'static str,
) -> Result<&'e Member, Invalid> {
    optional(bytes, e, name).ok_or_else(|| Invalid::missing(name))
}

/// `model` is a name.
pub(super) fn model(bytes: &[u8], e: &Envelope) -> Result<(), Invalid> {
    let model = required(bytes, e, "model")?;
    let text = model
        .as_str(bytes)
        .ok_or_else(|| Invalid::wrong_type("model", "a string"))?;
    if text.is_empty() {
        return Err(Invalid::empty("model"));
    }
    if text.len() > MAX_MODEL {
        return Err(Invalid::new(
            "model",
            format!("\"model\" must be at most {MAX_MODEL} bytes long"),
        ));
    }
    Ok(())
}

/// `stream` is a truth value and `stream_options` an object, if they are there.
pub(super) fn stream(bytes: &[u8], e: &Envelope) -> Result<(), Invalid> {
    if optional(bytes, e, "stream").is_some_and(|stream| stream.as_bool().is_none()) {
        return Err(Invalid::wrong_type("stream", "a boolean"));
    }
    if optional(bytes, e, "stream_options").is_some_and(|options| options.kind != Kind::Object) {
        return Err(Invalid::wrong_type("stream_options", "an object"));
    }
    Ok(())
}

/// `messages` is a list of objects, and not empty.
pub(super) fn messages(bytes: &[u8], e: &Envelope) -> Result<(), Invalid> {
    let messages = required(bytes, e, "messages")?;
    if messages.kind != Kind::Array {
        return Err(Invalid::wrong_type("messages", "an array"));
    }
    if messages.len == 0 {
        return Err(Invalid::empty("messages"));
    }
    let wrong = elements(bytes, messages.value.clone()).position(|(_, kind)| kind != Kind::Object);
    match wrong {
        Some(index) => Err(Invalid::wrong_type(
            format!("messages[{index}]"),
            "an object",
        )),
        None => Ok(()),
    }
}
