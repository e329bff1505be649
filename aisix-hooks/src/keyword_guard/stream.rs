//! The guard on a stream.

use std::sync::Arc;

use aisix_core::{
    Error,
    call::Trail,
    reply::EventStream,
    wire::{Dialect, ErrorBody, sse, write_error_event},
};
use futures_util::{StreamExt, stream};

use super::{
    guard::Guard,
    hold::{Hold, Stop, Tails},
};

/// A stream of which nothing is held back.
struct Watched {
    events: EventStream,
    /// Gone with the first match.
    tails: Option<Tails>,
    guard: Arc<Guard>,
    trail: Trail,
}

/// A stream of which is held back what could become a match.
struct Guarded {
    /// Gone when it has ended, or with the first match, which hangs up on the upstream.
    events: Option<EventStream>,
    hold: Hold,
    guard: Arc<Guard>,
    dialect: Dialect,
    trail: Trail,
}

/// Watches a stream.
pub(super) fn watched(
    events: EventStream,
    guard: Arc<Guard>,
    dialect: Dialect,
    trail: Trail,
) -> EventStream {
    let tails = Some(Tails::new(guard.patterns.clone(), dialect));
    let watched = Watched {
        events,
        tails,
        guard,
        trail,
    };
    Box::pin(stream::unfold(watched, |mut watched| async {
        let event = watched.events.next().await;
        watched.look(event.as_ref());
        event.map(|event| (event, watched))
    }))
}

/// Guards a stream.
pub(super) fn guarded(
    events: EventStream,
    guard: Arc<Guard>,
    dialect: Dialect,
    trail: Trail,
) -> EventStream {
    let guarded = Guarded {
        events: Some(events),
        hold: Hold::new(guard.patterns.clone(), dialect),
        guard,
        dialect,
        trail,
    };
    Box::pin(stream::unfold(guarded, |mut guarded| async {
        let event = guarded.next().await?;
        Some((event, guarded))
    }))
}

// === impl Watched ===

impl Watched {
    fn look(&mut self, event: Option<&Result<sse::Event, Error>>) {
        let Some(tails) = &mut self.tails else {
            return;
        };
        let seen = match event {
            Some(Ok(event)) => tails.look(event).map(drop),
            Some(Err(_)) => Ok(()),
            None => tails.end(),
        };
        if seen.is_err() {
            self.tails = None;
            // It is only watched, so that this refuses nothing.
            let _ = self.guard.found("response", &self.trail, true);
        }
    }
}

// === impl Guarded ===

impl Guarded {
    async fn next(&mut self) -> Option<Result<sse::Event, Error>> {
        loop {
            match self.hold.pop() {
                Ok(Some(event)) => return Some(Ok(event)),
                Ok(None) => {}
                Err(stop) => return self.stop(stop),
            }
            let pushed = match self.events.as_mut()?.next().await {
                Some(Ok(event)) => self.hold.push(event),
                Some(Err(error)) => return Some(Err(error)),
                None => {
                    self.events = None;
                    let most = self.hold.most.to_string();
                    self.trail.mark("guardrail_held_bytes", most);
                    self.hold.end()
                }
            };
            if let Err(stop) = pushed {
                return self.stop(stop);
            }
        }
    }

    /// Ends the stream with an error event in the caller's dialect.
    fn stop(&mut self, stop: Stop) -> Option<Result<sse::Event, Error>> {
        self.events = None;
        self.hold = Hold::new(self.guard.patterns.clone(), self.dialect);
        let error = self.guard.found("response", &self.trail, false).err()?;
        if stop == Stop::Untold {
            self.trail
                .mark("guardrail_untold", self.guard.name.as_str());
        }
        let said = ErrorBody {
            status: 422,
            message: error.message(),
            kind: "content_filter",
            code: None,
            param: None,
        };
        let mut decoder = sse::Decoder::new(usize::MAX);
        decoder.push(write_error_event(self.dialect, &said));
        decoder.next().ok().flatten().map(Ok)
    }
}
