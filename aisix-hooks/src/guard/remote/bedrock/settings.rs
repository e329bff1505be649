//! Settings of the guard.

use std::time::Duration;

use aisix_core::config::{Secret, resource::Invalid};
use http::Uri;
use schemars::JsonSchema;
use serde::Deserialize;

use super::sign::escaped;
use crate::guard::remote::settings::{RemoteGuardSettings, address, millis};

/// How long a guard waits that waits for the service.
const SERIAL: Duration = Duration::from_secs(60);

/// Settings of [`BedrockGuardrail`](super::BedrockGuardrail).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BedrockGuardrailSettings {
    /// What all remote guards have.
    #[serde(flatten)]
    pub common: RemoteGuardSettings,
    /// The guardrail: its id, or its ARN.
    #[schemars(length(min = 1, max = 64))]
    pub guardrail_id: String,
    /// Its version: `DRAFT`, or a number.
    #[schemars(length(min = 1, max = 16))]
    pub guardrail_version: String,
    /// The region, such as `us-east-1`.
    #[schemars(length(min = 1, max = 64))]
    pub region: String,
    /// Who asks.
    pub aws_credentials: AwsCredentials,
    /// How long the service is waited for.
    pub latency_mode: LatencyMode,
}

/// Who asks a service of AWS.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum AwsCredentials {
    /// An access key.
    Static {
        /// Its id.
        access_key_id: Secret,
        /// The key itself.
        secret_access_key: Secret,
    },
}

/// How long the service is waited for.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum LatencyMode {
    /// As long as it takes, and 60 s at most.
    Serial,
    /// As long as is said.
    Timed {
        /// The deadline of a question, in milliseconds.
        #[schemars(range(min = 100, max = 5_000))]
        timeout_ms: u32,
    },
}

// === impl BedrockGuardrailSettings ===

impl BedrockGuardrailSettings {
    /// Where the guardrail is asked.
    pub(super) fn address(&self) -> Result<Uri, Vec<Invalid>> {
        let is_plain = |char: char| char.is_ascii_alphanumeric() || char == '-';
        let is_of_arn = |char: char| is_plain(char) || matches!(char, ':' | '/');
        if !self.guardrail_id.chars().all(is_of_arn) {
            let message = "may have letters, digits, hyphens, colons and slashes only";
            return Err(vec![Invalid::new("guardrail_id", message)]);
        }
        for (field, value) in [
            ("guardrail_version", &self.guardrail_version),
            ("region", &self.region),
        ] {
            if !value.chars().all(is_plain) {
                let message = "may have letters, digits and hyphens only";
                return Err(vec![Invalid::new(field, message)]);
            }
        }
        let base = format!("https://bedrock-runtime.{}.amazonaws.com", self.region);
        let (id, version) = (escaped(&self.guardrail_id), &self.guardrail_version);
        address(
            "region",
            &base,
            &format!("/guardrail/{id}/version/{version}/apply"),
        )
    }
}

// === impl LatencyMode ===

impl LatencyMode {
    pub(super) fn timeout(self) -> Duration {
        match self {
            Self::Serial => SERIAL,
            Self::Timed { timeout_ms } => millis(timeout_ms),
        }
    }
}
