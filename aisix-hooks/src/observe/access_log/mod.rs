//! The access log: one line of JSON for each request.
//!
//! ```json
//! {"timestamp":"2026-11-21T02:10:53.000123Z","level":"INFO","target":"aisix::access_log",
//!  "message":"proxy request completed","request_id":"…","method":"POST","path":"/v1/chat/completions",
//!  "status":200,"outcome":"success","latency_ms":12,"stream":false,…}
//! ```
//!
//! A worker appends its line to a buffer of its own; a thread gathers the buffers and writes them, at
//! the latest 100 ms after the first line. What a slow writer cannot take is dropped beyond 8 MiB, and
//! a line says how many lines are missing.

mod clock;
mod json;
mod line;
mod queue;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    fmt,
    io::{self, Write},
    sync::Arc,
};

use aisix_core::{call::Trail, observe::Observer, reply::Outcome};

use self::queue::Queue;
pub use self::writer::Flush;

/// The bytes that may wait for the writer.
const MAX_WAITING: usize = 8 * 1024 * 1024;

/// Writes one line of JSON for each request, whatever its ending.
///
/// A cheap clone. Never blocks a worker: lines are handed to a thread that does the writing.
#[derive(Clone)]
pub struct AccessLog(Arc<Queue>);

// === impl AccessLog ===

impl AccessLog {
    /// Starts the thread that writes to `writer`. Keep the [`Flush`]: dropping it writes what is left
    /// and ends the log.
    ///
    /// Lines that `writer` fails to take are lost; they are counted in the next line that succeeds.
    ///
    /// # Errors
    ///
    /// When the thread cannot be started.
    pub fn new(writer: impl Write + Send + 'static) -> io::Result<(Self, Flush)> {
        Self::bounded(writer, MAX_WAITING)
    }

    fn bounded(writer: impl Write + Send + 'static, limit: usize) -> io::Result<(Self, Flush)> {
        let (queue, flush) = writer::start(writer, limit)?;
        Ok((Self(queue), flush))
    }
}

impl Observer for AccessLog {
    fn ended(&self, trail: &Trail, outcome: &Outcome<'_>) {
        self.0.push(|buffer| line::write(buffer, trail, outcome));
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessLog")
    }
}
