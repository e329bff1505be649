use std::{
    io::{self, Write},
    sync::{Arc, mpsc},
    thread,
};

use parking_lot::Mutex;
use serde_json::Value;

use super::{queue::Queue, writer};

/// Keeps what is written, and can be told to wait or fail first.
struct Sink {
    written: Arc<Mutex<Vec<u8>>>,
    before: Box<dyn FnMut() -> io::Result<()> + Send>,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (self.before)()?;
        self.written.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn sink(before: impl FnMut() -> io::Result<()> + Send + 'static) -> (Sink, Arc<Mutex<Vec<u8>>>) {
    let written = Arc::default();
    let sink = Sink {
        written: Arc::clone(&written),
        before: Box::new(before),
    };
    (sink, written)
}

fn push(queue: &Queue, text: &str) {
    queue.push(|buffer| {
        buffer.bytes.extend_from_slice(text.as_bytes());
        buffer.lines += 1;
    });
}

/// The numbers of all lines that say how many are missing.
fn reported(written: &[u8]) -> u64 {
    let text = str::from_utf8(written).unwrap();
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter_map(|line| line["dropped"].as_u64()).sum()
}

#[test]
fn lines_beyond_the_bound_are_dropped_and_a_line_says_how_many() {
    let (release, gate) = mpsc::channel::<()>();
    let (entered, waiting) = mpsc::channel();
    let (sink, written) = sink(move || {
        let _ = entered.send(());
        let _ = gate.recv();
        Ok(())
    });
    let (queue, flush) = writer::start(sink, 1_000).unwrap();

    push(&queue, "first\n");
    waiting.recv().unwrap();
    // The writer is stuck with the first line. What it has taken counts as waiting, too.
    for _ in 0..500 {
        push(&queue, "0123456789\n");
    }
    drop(release);
    drop(flush);

    let written = written.lock();
    let kept = written
        .split(|byte| *byte == b'\n')
        .filter(|line| *line == b"0123456789");
    let kept = kept.count() as u64;
    assert!((85..=95).contains(&kept), "{kept}");
    assert_eq!(reported(&written), 500 - kept);
}

#[test]
fn lines_that_the_writer_refused_are_counted_in_the_next_that_succeeds() {
    let mut broken = true;
    let (sink, written) = sink(move || {
        if std::mem::take(&mut broken) {
            return Err(io::Error::other("full"));
        }
        Ok(())
    });
    let (queue, flush) = writer::start(sink, 1_000).unwrap();
    push(&queue, "a\n");
    push(&queue, "b\n");
    flush.flush();
    flush.flush();
    assert_eq!(reported(&written.lock()), 2);
}

#[test]
fn a_writer_that_panics_blocks_nobody() {
    let (sink, _) = sink(|| panic!("this panic is part of the test"));
    let (queue, flush) = writer::start(sink, 1_000).unwrap();
    push(&queue, "a\n");
    flush.flush();
    push(&queue, "b\n");
    flush.flush();
}

#[test]
fn a_line_is_written_without_being_asked_for() {
    let (entered, waiting) = mpsc::channel();
    let (sink, _) = sink(move || {
        let _ = entered.send(());
        Ok(())
    });
    let (queue, _flush) = writer::start(sink, 1_000).unwrap();
    for _ in 0..3 {
        push(&queue, "a\n");
        waiting.recv().unwrap();
    }
}

#[test]
fn lines_of_many_workers_stay_whole_and_in_their_order() {
    let (sink, written) = sink(|| Ok(()));
    let (queue, flush) = writer::start(sink, usize::MAX).unwrap();
    thread::scope(|scope| {
        for worker in 0..4 {
            let queue = &queue;
            scope.spawn(move || {
                for number in 0..20_000 {
                    push(queue, &format!("{worker} {number}\n"));
                }
            });
        }
    });
    drop(flush);

    let written = written.lock();
    let mut next = [0; 4];
    for line in str::from_utf8(&written).unwrap().lines() {
        let (worker, number) = line.split_once(' ').unwrap();
        let next = &mut next[worker.parse::<usize>().unwrap()];
        assert_eq!(number.parse::<u32>().unwrap(), *next);
        *next += 1;
    }
    assert_eq!(next, [20_000; 4]);
}
