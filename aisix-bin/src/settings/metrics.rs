//! Numbers for Prometheus.

use std::net::{Ipv4Addr, SocketAddr};

use regex::Regex;

use super::{block::Block, later};

/// The longest pattern of a rule, in bytes.
const MAX_PATTERN: usize = 512;

/// The longest name of a client, in bytes.
const MAX_CLIENT: usize = 64;

/// The most rules.
const MAX_RULES: usize = 64;

/// The most edges of a histogram.
const MAX_EDGES: usize = 64;

/// `observability.metrics`: numbers for Prometheus.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    /// `observability.metrics.prometheus`: the listener.
    pub(crate) prometheus: Prometheus,
    /// `observability.metrics.client_type_rules`: what clients are called; the first rule that
    /// matches counts. At most 64. Default: none.
    pub(crate) client_type_rules: Vec<ClientTypeRule>,
    /// `observability.metrics.buckets`: the edges of histograms.
    pub(crate) buckets: Buckets,
}

/// `observability.metrics.prometheus`: the listener for metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prometheus {
    /// `enabled`: whether there is one. Default: true.
    pub(crate) enabled: bool,
    /// `path`: where the metrics are; begins with `/`. Default: `/metrics`.
    pub(crate) path: String,
    /// `addr`: where to listen. Default: `0.0.0.0:9090`.
    pub(crate) addr: SocketAddr,
}

/// A rule of `observability.metrics.client_type_rules`.
#[derive(Clone, Debug)]
pub(crate) struct ClientTypeRule {
    /// `pattern`: what the `User-Agent` must match, at any place. At most 512 bytes.
    pub(crate) pattern: Regex,
    /// `client`: the label. At most 64 lower-case letters, digits, `.`, `_` and `-`.
    pub(crate) client: String,
}

/// `observability.metrics.buckets`: the upper edges of histograms in seconds, ascending; at most 64.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Buckets {
    /// `request_e2e_latency`: of whole requests. Default: 0.005 to 600.
    pub(crate) request_e2e_latency: Vec<f64>,
    /// `request_ttft`: of the time to the first token. Default: 0.05 to 300.
    pub(crate) request_ttft: Vec<f64>,
    /// `guardrail_latency`: of a guard's look at a request or an answer. Default: 0.001 to 30.
    pub(crate) guardrail_latency: Vec<f64>,
}

// === impl Metrics ===

impl Metrics {
    pub(super) fn read(mut block: Block<'_>) -> Self {
        let rules = block.blocks("client_type_rules");
        if rules.len() > MAX_RULES {
            let message = format!("must have at most {MAX_RULES} rules");
            block.error("client_type_rules", message);
        }
        let metrics = Self {
            prometheus: Prometheus::read(block.block("prometheus")),
            client_type_rules: rules.into_iter().filter_map(ClientTypeRule::read).collect(),
            buckets: Buckets::read(block.block("buckets")),
        };
        later::otlp(block.block("otlp"), &["endpoint"]);
        block.later("labels");
        block.finish();
        metrics
    }
}

// === impl Prometheus ===

impl Prometheus {
    fn read(mut block: Block<'_>) -> Self {
        let default = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 9090));
        let prometheus = Self {
            enabled: block.get("enabled", true),
            path: block.get("path", "/metrics".to_owned()),
            addr: block.get("addr", default),
        };
        if !prometheus.path.starts_with('/') {
            block.error("path", "must begin with `/`");
        }
        block.finish();
        prometheus
    }
}

// === impl ClientTypeRule ===

impl ClientTypeRule {
    fn read(mut block: Block<'_>) -> Option<Self> {
        let pattern = block.require::<String>("pattern").and_then(|pattern| {
            if pattern.len() > MAX_PATTERN {
                block.error("pattern", format!("must have at most {MAX_PATTERN} bytes"));
                return None;
            }
            Regex::new(&pattern)
                .map_err(|_| block.error("pattern", "must be a regular expression"))
                .ok()
        });
        let client = block.require::<String>("client");
        if client.as_deref().is_some_and(|name| !is_client(name)) {
            let message = format!(
                "must be at most {MAX_CLIENT} lower-case letters, digits, `.`, `_` or `-`, and begin \
                 with a letter or digit"
            );
            block.error("client", message);
        }
        block.finish();
        Some(Self {
            pattern: pattern?,
            client: client?,
        })
    }
}

fn is_client(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() <= MAX_CLIENT
        && name.bytes().next().is_some_and(plain)
        && name
            .bytes()
            .all(|byte| plain(byte) || b"._-".contains(&byte))
}

// === impl Buckets ===

impl Buckets {
    fn read(mut block: Block<'_>) -> Self {
        let request_e2e_latency = edges(&mut block, "request_e2e_latency");
        let request_ttft = edges(&mut block, "request_ttft");
        let guardrail_latency = edges(&mut block, "guardrail_latency");
        if edges(&mut block, "a2a_ttfb").is_some() {
            block.no_effect_yet("a2a_ttfb");
        }
        block.finish();
        Self {
            request_e2e_latency: request_e2e_latency.unwrap_or_else(|| E2E.to_vec()),
            request_ttft: request_ttft.unwrap_or_else(|| FIRST.to_vec()),
            guardrail_latency: guardrail_latency.unwrap_or_else(|| GUARD.to_vec()),
        }
    }
}

/// Reads the edges of a histogram.
fn edges(block: &mut Block<'_>, name: &'static str) -> Option<Vec<f64>> {
    let edges = block.list::<f64>(name)?;
    if let Some(message) = complaint(&edges) {
        block.error(name, message);
    }
    Some(edges)
}

fn complaint(edges: &[f64]) -> Option<String> {
    if edges.is_empty() {
        return Some("must not be empty".to_owned());
    }
    if edges.len() > MAX_EDGES {
        return Some(format!("must have at most {MAX_EDGES} edges"));
    }
    if edges.iter().any(|edge| *edge <= 0.0) {
        return Some("must hold positive numbers".to_owned());
    }
    let ascends = edges.windows(2).all(|pair| pair[0] < pair[1]);
    (!ascends).then(|| "must be ascending".to_owned())
}

const E2E: [f64; 17] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 420.0,
    600.0,
];

const GUARD: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

const FIRST: [f64; 12] = [
    0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0,
];
