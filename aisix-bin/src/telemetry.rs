//! The log: JSON lines on standard output.

use tracing_subscriber::EnvFilter;

/// Starts the log. `RUST_LOG` wins over `level`.
pub(crate) fn init(level: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let started = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_env_filter(filter)
        .try_init();
    debug_assert!(started.is_ok(), "the log is started once");
}
