//! Replies for which other calls were made besides.

use std::time::Instant;

use aisix_wire::{Dialect, Usage, add_usage, sse};
use futures_util::StreamExt;

use super::{End, Progress, Reply};
use crate::error::Error;

// === impl Reply ===

impl Reply {
    /// This reply, which tells and counts what other calls have used that were made for it, in an answer of `dialect`. Who
    /// waits for the end of this one is told of its own usage; who waits for that of the new one, of the sum. `started` is
    /// when the request came in.
    pub(crate) fn beside(mut self, others: Usage, dialect: Dialect, started: Instant) -> Self {
        if self.shared_bytes().is_some() {
            self = self.map_body(|body| match body.to_bytes() {
                Some(bytes) => add_usage(dialect, &bytes, &others).unwrap_or(bytes).into(),
                None => body,
            });
        }
        let mut reply = self.map_events(|events| {
            let events = events.map(move |event| event.map(|event| told(event, dialect, &others)));
            Box::pin(events)
        });
        let progress = Progress::shared();
        let sum = progress.clone();
        reply.on_end(move |outcome| {
            sum.update(|state| {
                state.usage = Some(outcome.usage.unwrap_or_default() + others);
                state.usage_estimated = outcome.usage_estimated;
                state.first_token = outcome.first_token.map(|after| started + after);
                match outcome.end {
                    End::Complete => state.complete = true,
                    End::Failed(error) | End::Refused(error) => {
                        state.failure = Some(Error::duplicate(error));
                        // The client may leave as soon as it has read why.
                        state.complete = true;
                    }
                    End::Cancelled => {}
                }
            });
        });
        let (head, body) = reply.into_ended(started).into_parts();
        Self::with_progress(head, body, progress)
    }
}

/// An event with the sums in it, if it tells what was used.
fn told(event: sse::Event, dialect: Dialect, others: &Usage) -> sse::Event {
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
