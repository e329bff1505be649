//! What came of applying changes.

use std::fmt;

use super::{Key, RowName, resource::Invalid};

/// How many of many rejections are logged.
const LOGGED: usize = 256;

/// A row that was not applied. What it stood for before goes on serving.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// The row.
    pub name: RowName,
    /// What kind of trouble it is.
    pub reason: Reason,
    /// Everything that is wrong with it. Never repeats a value.
    pub errors: Vec<Invalid>,
}

/// Why a row was not applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Its name at the source is not that of a row.
    BadKey,
    /// It is not JSON.
    NonJson,
    /// It is not as its kind must be.
    SchemaFailed,
    /// It cannot be read, although it is as its kind must be, or is too large to be looked at.
    ParseFailed,
    /// It is of a kind that is not known here.
    UnknownKind,
}

/// What came of applying changes.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Entries that were not applied.
    pub rejected: Vec<Rejection>,
    /// Entries that were applied without fields that are unknown here.
    pub unknown: Vec<(Key, Vec<String>)>,
}

// === impl Reason ===

impl Reason {
    /// The name in the status: `bad_key`, `non_json`, `schema_failed`, `parse_failed`, `unknown_kind`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadKey => "bad_key",
            Self::NonJson => "non_json",
            Self::SchemaFailed => "schema_failed",
            Self::ParseFailed => "parse_failed",
            Self::UnknownKind => "unknown_kind",
        }
    }
}

// === impl Rejection ===

impl Rejection {
    /// A row with one thing that is wrong with it, as the rest of a sentence about it.
    pub fn new(name: RowName, reason: Reason, message: impl Into<String>) -> Self {
        Self {
            name,
            reason,
            errors: vec![Invalid::new("", message)],
        }
    }

    /// A resource that did not decode.
    pub(super) fn undecoded(key: &Key, errors: Vec<Invalid>) -> Self {
        let is_unreadable = errors.iter().any(Invalid::is_unreadable);
        Self {
            name: key.into(),
            reason: match is_unreadable {
                true => Reason::ParseFailed,
                false => Reason::SchemaFailed,
            },
            errors,
        }
    }
}

// === impl Report ===

impl Report {
    /// This report as an error, unless everything was applied as it was written.
    ///
    /// # Errors
    ///
    /// When an entry was rejected, or has fields that are unknown here.
    pub fn into_result(self) -> Result<(), Self> {
        match self.rejected.is_empty() && self.unknown.is_empty() {
            true => Ok(()),
            false => Err(self),
        }
    }

    /// Writes a warning for each entry that was not, or not wholly, applied; of very many only how many
    /// more there are.
    pub fn log(&self) {
        for rejection in self.rejected.iter().take(LOGGED) {
            let (key, reason) = (&rejection.name, rejection.reason.as_str());
            for error in &rejection.errors {
                tracing::warn!(%key, reason, %error, "resource rejected; its last good version is kept");
            }
        }
        let more = self.rejected.len().saturating_sub(LOGGED);
        if more > 0 {
            tracing::warn!(more, "more resources rejected");
        }
        for (key, fields) in &self.unknown {
            tracing::warn!(%key, ?fields, "resource has unknown fields, which are ignored");
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for Rejection { name, errors, .. } in &self.rejected {
            for error in errors {
                write!(f, "{separator}{name}: {error}")?;
                separator = "; ";
            }
        }
        for (key, fields) in &self.unknown {
            for field in fields {
                write!(f, "{separator}{key}: `{field}` is not known")?;
                separator = "; ";
            }
        }
        match separator {
            "" => f.write_str("all resources were applied"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Report {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::config::{Config, Entry, KeyHash, Kind};

    fn fixed(document: serde_json::Value) -> Result<Config, String> {
        let entry = Entry::new(Kind::ApiKey, "me", document);
        let config = Config::builder().fixed([entry]);
        config.map_err(|report| report.to_string())
    }

    #[test]
    fn a_fixed_configuration_holds_what_it_was_given() {
        let hash = KeyHash::of("sk-me");
        let document = json!({"key_hash": hash.to_hex(), "allowed_models": ["*"]});
        let config = fixed(document).unwrap();
        assert!(config.current().is_loaded());
        assert_eq!(config.current().caller(&hash).unwrap().id().as_ref(), "me");
    }

    #[test]
    fn a_fixed_configuration_names_everything_that_is_wrong() {
        let said = fixed(json!({"allowed_models": "*"})).unwrap_err();
        let wrong: Vec<_> = said.split("; ").collect();
        assert_eq!(wrong.len(), 2, "{said}");
        assert!(
            wrong.contains(&"api_keys/me: `key_hash` is required"),
            "{said}"
        );
        assert!(
            wrong.iter().any(|it| it.contains("`allowed_models`")),
            "{said}"
        );
    }

    #[test]
    fn a_misspelt_field_is_not_passed_over() {
        let hash = KeyHash::of("sk-me").to_hex();
        let said = fixed(json!({"key_hash": hash, "allowed_models": [], "disabld": true}));
        assert_eq!(said.unwrap_err(), "api_keys/me: `disabld` is not known");
    }
}
