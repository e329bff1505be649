//! What is wrong with settings, or has no effect.

use std::fmt;

/// Something wrong with the settings, shown as a sentence. Repeats no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SettingsError {
    /// The key, such as `proxy.addr`; empty for the file as a whole.
    pub(crate) key: String,
    /// The variable that set the key, if one did.
    pub(crate) variable: Option<String>,
    /// The rest of the sentence.
    pub(crate) message: String,
}

/// Something that has no effect, shown as a sentence. Repeats no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Warning(pub(super) String);

// === impl SettingsError ===

impl SettingsError {
    /// Something wrong with all of the settings.
    pub(super) fn whole(message: impl Into<String>) -> Self {
        Self {
            key: String::new(),
            variable: None,
            message: message.into(),
        }
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.key.as_str(), &self.variable) {
            ("", _) => f.write_str(&self.message),
            (key, None) => write!(f, "`{key}` {}", self.message),
            (key, Some(variable)) => write!(f, "`{key}` (set by {variable}) {}", self.message),
        }
    }
}

impl std::error::Error for SettingsError {}

// === impl Warning ===

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
