//! The lines that wait for the writer.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread::Thread,
};

use parking_lot::{Condvar, Mutex};

use super::clock::Clock;
use crate::observe::worker::PerWorker;

/// A worker's lines are taken early once there are this many bytes of them.
const BATCH: usize = 64 * 1024;

/// The lines of one worker.
#[derive(Default)]
pub(super) struct Buffer {
    pub(super) bytes: Vec<u8>,
    pub(super) lines: u64,
    pub(super) clock: Clock,
}

/// What workers and the writer share.
pub(super) struct Queue {
    pub(super) buffers: PerWorker<Buffer>,
    /// Bytes that were pushed and not yet written.
    pub(super) waiting: AtomicUsize,
    limit: usize,
    /// Lines that were dropped and not yet reported.
    pub(super) dropped: AtomicU64,
    /// Set by the first line after the writer looked; it has been told to look again.
    pub(super) armed: AtomicBool,
    /// The writer has been told not to wait for more.
    pub(super) hurry: AtomicBool,
    pub(super) closed: AtomicBool,
    pub(super) flushes: Mutex<Flushes>,
    pub(super) flushed: Condvar,
    pub(super) writer: OnceLock<Thread>,
}

/// How often a flush was asked for, and which of those have been done.
#[derive(Clone, Copy, Default)]
pub(super) struct Flushes {
    pub(super) wanted: u64,
    pub(super) done: u64,
}

// === impl Queue ===

impl Queue {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            buffers: PerWorker::new(),
            waiting: AtomicUsize::new(0),
            limit,
            dropped: AtomicU64::new(0),
            armed: AtomicBool::new(false),
            hurry: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            flushes: Mutex::default(),
            flushed: Condvar::new(),
            writer: OnceLock::new(),
        }
    }

    /// Lets `write` append to this worker's lines, if there is room.
    pub(super) fn push(&self, write: impl FnOnce(&mut Buffer)) {
        if self.closed.load(Ordering::Relaxed) {
            return;
        }
        let mut full = false;
        if self.waiting.load(Ordering::Relaxed) >= self.limit {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        } else {
            let mut buffer = self.buffers.mine();
            let before = buffer.bytes.len();
            write(&mut buffer);
            let after = buffer.bytes.len();
            // Counted before the writer can take it, so that the count never falls below zero.
            self.waiting.fetch_add(after - before, Ordering::Relaxed);
            full = after >= BATCH;
        }
        // The writer disarms before it looks, so a line that it did not see finds it disarmed.
        let first = !self.armed.load(Ordering::SeqCst) && !self.armed.swap(true, Ordering::SeqCst);
        let hurry =
            full && !self.hurry.load(Ordering::SeqCst) && !self.hurry.swap(true, Ordering::SeqCst);
        if first || hurry {
            self.wake();
        }
    }

    pub(super) fn wake(&self) {
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
    }
}
