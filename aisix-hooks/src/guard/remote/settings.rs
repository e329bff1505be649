//! Settings that all remote guards have.

use std::time::Duration;

use aisix_core::config::{Secret, resource::Invalid};
use http::{HeaderValue, Uri};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::guard::{Enforcement, HookPoint, OnStream};

/// What all remote guards have among their settings.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct RemoteGuardSettings {
    /// What it is called in refusals and in the access log. Default: the element's id.
    #[serde(default)]
    #[schemars(length(min = 1, max = 128))]
    pub name: Option<String>,
    /// Whose texts are judged. Default: `both`.
    #[serde(default)]
    pub hook_point: HookPoint,
    /// What becomes of texts that must not pass. Default: `block`.
    #[serde(default)]
    pub enforcement_mode: Enforcement,
    /// Whether a request passes when the service fails. Default: true.
    #[serde(default = "yes")]
    pub fail_open: bool,
    /// Whether an answer passes when the service fails. Default: false.
    #[serde(default)]
    pub output_fail_open: bool,
    /// Whether nothing passes when the service fails, whatever the two above say. Default: false.
    #[serde(default)]
    pub mandatory: bool,
    /// What becomes of answers that are streams. Default: `hold`.
    #[serde(default)]
    pub on_stream: OnStream,
    /// How much of a stream is held back, in bytes of texts; sixteen times as many bytes of events may be.
    /// Default: 262144.
    #[serde(default = "max_buffer_bytes")]
    #[schemars(range(min = 1, max = 16_777_216))]
    pub max_buffer_bytes: usize,
    /// What becomes of a stream of which more would have to be held back. Default: `fail_closed`.
    #[serde(default)]
    pub on_buffer_exceeded: OnBufferExceeded,
}

/// What becomes of a stream of which too much would have to be held back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnBufferExceeded {
    /// It is refused.
    #[default]
    FailClosed,
}

fn yes() -> bool {
    true
}

fn max_buffer_bytes() -> usize {
    262_144
}

/// The default deadline of a question, in milliseconds.
pub(super) fn timeout_ms() -> u32 {
    5_000
}

/// A deadline from milliseconds.
pub(super) fn millis(millis: u32) -> Duration {
    Duration::from_millis(millis.into())
}

/// The address of a service: a base, and what is added to its path.
///
/// # Errors
///
/// When the base is no HTTP URL. It is not repeated: it may hold a password.
pub(super) fn address(field: &str, base: &str, path: &str) -> Result<Uri, Vec<Invalid>> {
    let wrong = |message: &str| vec![Invalid::new(field, message.to_owned())];
    let is_plain = !base.contains(['?', '#', '@']);
    let uri = format!("{}{path}", base.trim_end_matches('/')).parse::<Uri>();
    match uri {
        Ok(uri) if is_plain && uri.host().is_some_and(|host| !host.is_empty()) => {
            match uri.scheme_str() {
                Some("http" | "https") => Ok(uri),
                _ => Err(wrong("must begin with http:// or https://")),
            }
        }
        _ => Err(wrong(
            "must be a URL with a host, without a query and credentials",
        )),
    }
}

/// A credential as a header.
///
/// # Errors
///
/// When it has characters that a header cannot have.
pub(super) fn bearer(field: &str, secret: &Secret) -> Result<HeaderValue, Vec<Invalid>> {
    credential(field, &format!("Bearer {}", secret.expose()))
}

/// A header that is not logged.
///
/// # Errors
///
/// When it has characters that a header cannot have.
pub(super) fn credential(field: &str, value: &str) -> Result<HeaderValue, Vec<Invalid>> {
    let header = HeaderValue::from_str(value);
    let message = "has characters that a header cannot have";
    let mut header = header.map_err(|_| vec![Invalid::new(field, message)])?;
    header.set_sensitive(true);
    Ok(header)
}
