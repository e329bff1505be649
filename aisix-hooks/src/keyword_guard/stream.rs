//! The guard on a stream.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aisix_core::{
    Error,
    call::Trail,
    observe::Phase,
    reply::EventStream,
    wire::{Dialect, ErrorBody, sse, write_error_event},
};
use futures_util::{StreamExt, stream};

use super::{
    guard::Guard,
    hold::{Hold, Stop, Tails},
};
use crate::guard::Report;

/// A stream of which nothing is held back.
struct Watched {
    events: EventStream,
    /// Gone with the first match.
    tails: Option<Tails>,
    guard: Arc<Guard>,
    trail: Trail,
    /// The time for which it was looked at.
    spent: Duration,
}

/// A stream of which is held back what could become a match.
struct Guarded {
    /// Gone when it has ended, or with the first match, which hangs up on the upstream.
    events: Option<EventStream>,
    hold: Hold,
    guard: Arc<Guard>,
    dialect: Dialect,
    trail: Trail,
    /// The time for which it was looked at.
    spent: Duration,
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
        spent: Duration::ZERO,
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
        spent: Duration::ZERO,
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
        let began = Instant::now();
        let seen = match event {
            Some(Ok(event)) => tails.look(event).map(drop),
            Some(Err(_)) => Ok(()),
            None => tails.end(),
        };
        self.spent += began.elapsed();
        if seen.is_ok() && event.is_some() {
            return;
        }
        self.tails = None;
        let identity = &self.guard.identity;
        let report = identity.look(&self.trail, Phase::Output).took(self.spent);
        match seen {
            Ok(()) => report.allow(),
            // It is only watched, so that this refuses nothing.
            Err(_) => drop(report.watching().block()),
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
            let event = match self.events.as_mut()?.next().await {
                Some(Err(error)) => return Some(Err(error)),
                event => event.and_then(Result::ok),
            };
            if let Err(stop) = self.look(event) {
                return self.stop(stop);
            }
        }
    }

    /// Looks at the next event, or at the end.
    fn look(&mut self, event: Option<sse::Event>) -> Result<(), Stop> {
        let began = Instant::now();
        let is_end = event.is_none();
        let seen = match event {
            Some(event) => self.hold.push(event),
            None => self.hold.end(),
        };
        self.spent += began.elapsed();
        if is_end {
            self.events = None;
            let most = self.hold.most.to_string();
            self.trail.mark("guardrail_held_bytes", most);
            if seen.is_ok() {
                self.report().allow();
            }
        }
        seen
    }

    fn report(&self) -> Report<'_> {
        let look = self.guard.identity.look(&self.trail, Phase::Output);
        look.took(self.spent)
    }

    /// Ends the stream with an error event in the caller's dialect.
    fn stop(&mut self, stop: Stop) -> Option<Result<sse::Event, Error>> {
        self.events = None;
        self.hold = Hold::new(self.guard.patterns.clone(), self.dialect);
        let error = self.report().block().err()?;
        if stop == Stop::Untold {
            let name = self.guard.identity.name();
            self.trail.mark("guardrail_untold", name);
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
