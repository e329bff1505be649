//! The thread that writes.

use std::{
    fmt,
    io::{self, Write},
    mem,
    sync::{Arc, atomic::Ordering},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    line,
    queue::{Buffer, Flushes, Queue},
};

/// How long the first line may wait for others.
const DELAY: Duration = Duration::from_millis(100);
/// The capacity that an empty buffer keeps.
const KEPT: usize = 256 * 1024;

/// Ends the access log: dropping it waits until every line is written.
///
/// Lines of requests that end later are ignored.
pub struct Flush {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

struct Writer<W> {
    queue: Arc<Queue>,
    sink: W,
    spare: Buffer,
}

/// Tells those who wait for a flush that nobody is there any more, also after a panic.
struct Gone(Arc<Queue>);

pub(super) fn start<W>(sink: W, limit: usize) -> io::Result<(Arc<Queue>, Flush)>
where
    W: Write + Send + 'static,
{
    let queue = Arc::new(Queue::new(limit));
    let writer = Writer {
        queue: queue.clone(),
        sink,
        spare: Buffer::default(),
    };
    let thread = thread::Builder::new()
        .name("access-log".into())
        .spawn(move || {
            let _gone = Gone(writer.queue.clone());
            writer.run();
        })?;
    // Lines come only once the caller has the queue, and the writer looks before it first parks.
    queue.writer.get_or_init(|| thread.thread().clone());
    let flush = Flush {
        queue: queue.clone(),
        thread: Some(thread),
    };
    Ok((queue, flush))
}

// === impl Flush ===

impl Flush {
    /// Waits until every line that was there before is written.
    ///
    /// Blocks for as long as the writer does: not for the threads that serve requests.
    pub fn flush(&self) {
        let mut flushes = self.queue.flushes.lock();
        flushes.wanted += 1;
        let mine = flushes.wanted;
        self.queue.wake();
        while flushes.done < mine {
            self.queue.flushed.wait(&mut flushes);
        }
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        self.queue.closed.store(true, Ordering::SeqCst);
        self.queue.wake();
        if let Some(thread) = self.thread.take() {
            // A panic of the writer was reported by its own thread.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Flush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Flush")
    }
}

// === impl Writer ===

impl<W: Write> Writer<W> {
    fn run(mut self) {
        loop {
            self.wait();
            let closed = self.queue.closed.load(Ordering::SeqCst);
            let wanted = self.flushes().wanted;
            self.queue.armed.store(false, Ordering::SeqCst);
            self.queue.hurry.store(false, Ordering::SeqCst);
            self.write_all();
            // Nobody is left to be told of an error; lost lines are counted.
            let _ = self.sink.flush();
            self.queue.flushes.lock().done = wanted;
            self.queue.flushed.notify_all();
            if closed {
                return;
            }
        }
    }

    fn flushes(&self) -> Flushes {
        *self.queue.flushes.lock()
    }

    fn is_urgent(&self) -> bool {
        let flushes = self.flushes();
        flushes.wanted > flushes.done
            || self.queue.hurry.load(Ordering::SeqCst)
            || self.queue.closed.load(Ordering::SeqCst)
    }

    /// Waits for a first line, and then a little for others.
    fn wait(&self) {
        while !self.is_urgent() && !self.queue.armed.load(Ordering::SeqCst) {
            thread::park();
        }
        let until = Instant::now() + DELAY;
        while !self.is_urgent() {
            match until.checked_duration_since(Instant::now()) {
                Some(rest) if !rest.is_zero() => thread::park_timeout(rest),
                _ => return,
            }
        }
    }

    fn write_all(&mut self) {
        let queue = self.queue.clone();
        for buffer in queue.buffers.all() {
            {
                let mut buffer = buffer.lock();
                if buffer.bytes.is_empty() {
                    continue;
                }
                mem::swap(&mut buffer.bytes, &mut self.spare.bytes);
                self.spare.lines = mem::take(&mut buffer.lines);
            }
            self.write_spare();
        }
        let dropped = queue.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            line::write_dropped(&mut self.spare, dropped);
            queue
                .waiting
                .fetch_add(self.spare.bytes.len(), Ordering::Relaxed);
            self.spare.lines = dropped;
            self.write_spare();
        }
    }

    fn write_spare(&mut self) {
        let written = self.spare.bytes.len();
        if self.sink.write_all(&self.spare.bytes).is_err() {
            let lost = self.spare.lines;
            self.queue.dropped.fetch_add(lost, Ordering::Relaxed);
        }
        self.queue.waiting.fetch_sub(written, Ordering::Relaxed);
        self.spare.bytes.clear();
        self.spare.bytes.shrink_to(KEPT);
    }
}

// === impl Gone ===

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::SeqCst);
        self.0.flushes.lock().done = u64::MAX;
        self.0.flushed.notify_all();
    }
}
