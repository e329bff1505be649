//! What the operating system asks for.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Shutdown;

/// SIGTERM and SIGINT, which stop the process, and SIGHUP, which reloads its resources.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

// === impl Signals ===

impl Signals {
    /// Takes the signals over from here on; until then they end the process.
    ///
    /// # Errors
    ///
    /// When the handlers cannot be installed. Outside a Tokio runtime it panics.
    pub(crate) fn take() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Passes every SIGTERM and SIGINT on as a request to shut down, and every SIGHUP to `reload`.
    /// Never ends; when it is dropped, later signals are ignored.
    pub(crate) async fn watch(mut self, shutdown: Shutdown, mut reload: impl FnMut()) {
        loop {
            tokio::select! {
                Some(()) = self.terminate.recv() => shutdown.request(),
                Some(()) = self.interrupt.recv() => shutdown.request(),
                Some(()) = self.hang_up.recv() => reload(),
                else => std::future::pending().await,
            }
        }
    }
}
