//! Replies for which other calls were made besides.

use std::time::Instant;

use aisix_wire::{Dialect, Usage, add_usage, sse};
use futures_util::StreamExt;

use super::{End, Progress, Reply};

// === impl Reply ===

impl Reply {
    /// This reply, which tells and counts what other calls have used that were made for it, in an answer of `dialect`. Who
    /// waits for the end of this one is told of its own usage; who waits for that of the new one, of the sum. `began` is
    /// when the request came in.
    pub(crate) fn beside(mut self, others: Usage, dialect: Dialect, began: Instant) -> Self {
        let whole = Progress::shared();
        whole.update(|state| state.usage = Some(others));
        if let Some(bytes) = self.shared_bytes() {
            let own = self.meter().usage().unwrap_or_default();
            whole.update(|state| state.usage = Some(own + others));
            self.complete_if_whole();
            let mut head = self.head.clone();
            head.headers.remove(http::header::CONTENT_LENGTH);
            let bytes = add_usage(dialect, &bytes, &others).unwrap_or(bytes);
            return Self::with_progress(head, bytes.into(), whole);
        }
        let told = whole.clone();
        self.on_end(move |outcome| {
            // The client may leave as soon as it has read why.
            let has_failed = matches!(outcome.end, End::Failed(_));
            told.update(|state| state.complete = has_failed);
        });
        let reply = self.map_events(|events| {
            Box::pin(events.map(move |event| event.map(|event| added(event, dialect, &others))))
        });
        let (head, body) = reply.into_part(&whole, began);
        Self::with_progress(head, body, whole)
    }
}

/// An event with the sums in it, if it tells what was used.
fn added(event: sse::Event, dialect: Dialect, others: &Usage) -> sse::Event {
    let data = event.data();
    let Some(data) = data.and_then(|data| add_usage(dialect, &data, others)) else {
        return event;
    };
    let name = event.name().map(<[u8]>::to_vec);
    let name = name.and_then(|name| String::from_utf8(name).ok());
    let mut decoder = sse::Decoder::new(usize::MAX);
    decoder.push(sse::encode(name.as_deref(), &data));
    decoder.next().ok().flatten().unwrap_or(event)
}
