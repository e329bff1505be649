//! Logs and metrics.

use super::{block::Block, later, metrics::Metrics};

/// `observability`: logs and metrics.
#[derive(Clone, Debug)]
pub(crate) struct Observability {
    /// `observability.service_name`: what the process calls itself. Default: `aisix`.
    pub(crate) service_name: String,
    /// `observability.log_level`: what is logged, as `RUST_LOG` says it; `RUST_LOG` wins. Default:
    /// `info`.
    pub(crate) log_level: String,
    /// `observability.access_log`: whether each request is logged. Default: true.
    pub(crate) access_log: bool,
    /// `observability.metrics`: numbers for Prometheus.
    pub(crate) metrics: Metrics,
}

// === impl Observability ===

impl Observability {
    pub(super) fn read(mut block: Block<'_>) -> Self {
        let observability = Self {
            service_name: block.get("service_name", "aisix".to_owned()),
            log_level: block.get("log_level", "info".to_owned()),
            access_log: block.get("access_log", true),
            metrics: Metrics::read(block.block("metrics")),
        };
        let mut tracing = block.block("tracing");
        later::otlp(tracing.block("otlp"), &["endpoint", "sample_ratio"]);
        tracing.finish();
        block.later("debug");
        block.later("heap_profiling");
        block.finish();
        observability
    }
}
