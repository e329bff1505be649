//! How an answer comes to be kept.

use std::{sync::Arc, time::Duration};

use aisix_core::{
    reply::{End, Reply},
    wire::{Dialect, Envelope, Usage},
};
use bytes::Bytes;
use http::HeaderMap;

use super::{
    entry::Entry,
    flight::Flight,
    key::Key,
    semantic::{Place, Semantic},
    store::Store,
    tape::{self, Tape},
};

/// An answer that has come.
pub(super) enum Answer {
    Whole(Bytes),
    Stream(Vec<Bytes>),
}

/// Keeps an answer.
pub(super) struct Keeper {
    pub(super) key: Key,
    pub(super) dialect: Dialect,
    pub(super) headers: HeaderMap,
    pub(super) store: Store,
    /// Where the call stands among others, if it is to be found by those that are like it.
    pub(super) place: Option<(Arc<Semantic>, Place)>,
    pub(super) ttl: Duration,
    /// How long an answer may be that is kept, in bytes.
    pub(super) max_length: usize,
}

// === impl Keeper ===

impl Keeper {
    /// Keeps the answer when all of it has reached its caller.
    pub(super) fn watch(self, mut reply: Reply) -> Reply {
        let meter = reply.meter();
        if !reply.is_event_stream() {
            if let Some(body) = reply.shared_bytes() {
                reply.on_end(move |outcome| {
                    if matches!(outcome.end, End::Complete) {
                        self.keep(Answer::Whole(body), meter.usage());
                    }
                });
            }
            return reply;
        }
        let mut tape = None;
        reply = reply.map_body(|body| {
            let (recorded, body) = Tape::record(body, self.max_length);
            tape = Some(recorded);
            body
        });
        reply.on_end(move |outcome| {
            let tape = tape.filter(|_| matches!(outcome.end, End::Complete));
            if let Some(pieces) = tape.and_then(|tape| tape.take()) {
                self.keep(Answer::Stream(pieces), meter.usage());
            }
        });
        reply
    }

    /// Keeps a shared answer when all of it has reached one of its callers.
    pub(super) fn watch_shared(self, reply: &mut Reply, flight: Arc<Flight>) {
        reply.on_end(move |outcome| {
            if !matches!(outcome.end, End::Complete) {
                return;
            }
            // Whoever closes it is the only one that does.
            if let Some((answer, usage)) = flight.answer().filter(|_| flight.is_open()) {
                self.keep(answer, usage);
                flight.close();
            }
        });
    }

    /// Keeps an answer, unless it is too long, not complete, or becomes another later.
    fn keep(self, answer: Answer, usage: Option<Usage>) {
        let (body, told) = match answer {
            Answer::Whole(body) if is_final(self.dialect, &body) => (body, None),
            Answer::Whole(_) => return,
            Answer::Stream(pieces) => match tape::complete(self.dialect, pieces) {
                Some(complete) => complete,
                None => return,
            },
        };
        if body.len() <= self.max_length {
            let entry = Entry::new(self.headers, body, usage.or(told));
            self.store.put(self.key, Arc::new(entry), self.ttl);
            if let Some((semantic, place)) = self.place {
                semantic.keep(&place, self.key.fingerprint);
            }
        }
    }
}

/// Whether a whole answer stays as it is. Only Responses can be answered before they are there.
fn is_final(dialect: Dialect, body: &[u8]) -> bool {
    if dialect != Dialect::Responses {
        return true;
    }
    let status = Envelope::scan(body, &[]).ok().and_then(|answer| {
        let status = answer.member(body, "status")?;
        Some(status.as_str(body)?.into_owned())
    });
    matches!(status.as_deref(), Some("completed" | "incomplete"))
}
