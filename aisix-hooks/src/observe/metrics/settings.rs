//! What metrics are made from.

use std::fmt;

use regex::Regex;

/// Settings of [`Metrics`](super::Metrics).
#[derive(Clone, Debug)]
pub struct MetricsSettings {
    /// The bounds of the histograms.
    pub buckets: Buckets,
    /// What a `User-Agent` says about the client, before the built-in list; the first match counts.
    /// Default: none.
    pub client_type_rules: Vec<ClientTypeRule>,
    /// The series that each metric keeps; whatever comes later is counted in one series whose labels
    /// are all `other`. Default: 10 000.
    pub max_series: usize,
}

/// The bounds of the histograms in seconds. They are sorted; what is no positive number is left out.
#[derive(Clone, Debug)]
pub struct Buckets {
    /// `aisix_request_e2e_latency_seconds`. Default: 5 ms to 10 minutes.
    pub request_e2e_latency: Vec<f64>,
    /// `aisix_request_ttft_seconds`. Default: 50 ms to 5 minutes.
    pub request_ttft: Vec<f64>,
    /// `aisix_guardrail_latency_seconds`. Default: 1 ms to 30 seconds.
    pub guardrail_latency: Vec<f64>,
}

/// Names the clients whose `User-Agent` matches.
#[derive(Clone, Debug)]
pub struct ClientTypeRule {
    pattern: Regex,
    client: String,
}

/// Why a [`ClientTypeRule`] is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RuleError {
    /// The pattern is longer than 512 bytes.
    TooLong,
    /// The pattern is no regular expression, or a too large one.
    Pattern(String),
    /// The client is not `[a-z0-9][a-z0-9._-]*` of at most 64 characters.
    Client,
}

// === impl MetricsSettings ===

impl Default for MetricsSettings {
    fn default() -> Self {
        Self {
            buckets: Buckets::default(),
            client_type_rules: Vec::new(),
            max_series: 10_000,
        }
    }
}

// === impl Buckets ===

impl Default for Buckets {
    fn default() -> Self {
        let (short, rest) = (
            [0.005, 0.01, 0.025],
            [
                0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0,
            ],
        );
        Self {
            request_e2e_latency: [&short[..], &rest, &[420.0, 600.0]].concat(),
            request_ttft: rest.to_vec(),
            guardrail_latency: vec![
                0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
            ],
        }
    }
}

// === impl ClientTypeRule ===

impl ClientTypeRule {
    /// Names the clients whose `User-Agent` matches the regular expression `pattern`, anywhere.
    ///
    /// # Errors
    ///
    /// See [`RuleError`].
    pub fn new(pattern: &str, client: &str) -> Result<Self, RuleError> {
        if pattern.len() > 512 {
            return Err(RuleError::TooLong);
        }
        let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fits = (1..=64).contains(&client.len())
            && client
                .bytes()
                .all(|byte| word(byte) || b"._-".contains(&byte))
            && client.bytes().next().is_some_and(word);
        if !fits {
            return Err(RuleError::Client);
        }
        let pattern = Regex::new(pattern).map_err(|error| RuleError::Pattern(error.to_string()))?;
        Ok(Self {
            pattern,
            client: client.to_owned(),
        })
    }

    pub(super) fn matches(&self, user_agent: &str) -> bool {
        self.pattern.is_match(user_agent)
    }

    pub(super) fn client(&self) -> &str {
        &self.client
    }
}

// === impl RuleError ===

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("the pattern is longer than 512 bytes"),
            Self::Pattern(error) => write!(f, "the pattern is no regular expression: {error}"),
            Self::Client => f.write_str(
                "the client must be lower-case letters, digits, \".\", \"_\" and \"-\", at most 64",
            ),
        }
    }
}

impl std::error::Error for RuleError {}
