//! An editor on a stream.

use std::time::{Duration, Instant};

use aisix_core::{
    Error,
    call::Trail,
    observe::Phase,
    reply::EventStream,
    wire::{Dialect, ErrorBody, sse, write_error_event},
};
use futures_util::{StreamExt, stream};

use super::{
    Stop,
    hold::{Hold, Tails},
};
use crate::guard::{Identity, Report};

/// A stream of which nothing is held back.
struct Watched {
    events: EventStream,
    /// Gone with what would have stopped it.
    tails: Option<Tails>,
    teller: Teller,
}

/// A stream of which is held back what is not decided.
struct Guarded {
    /// Gone when it has ended, or must not go on, which hangs up on the upstream.
    events: Option<EventStream>,
    hold: Hold,
    dialect: Dialect,
    teller: Teller,
}

/// Who tells what was found.
struct Teller {
    identity: Identity,
    trail: Trail,
    /// Whether it also tells what does not stop a stream.
    tells_all: bool,
    /// The time for which it was looked at.
    spent: Duration,
}

/// Looks at a stream that goes on as it is.
pub(crate) fn watched(
    events: EventStream,
    tails: Tails,
    identity: Identity,
    trail: Trail,
) -> EventStream {
    let watched = Watched {
        events,
        tails: Some(tails),
        teller: Teller::new(identity, trail),
    };
    Box::pin(stream::unfold(watched, |mut watched| async {
        let event = watched.events.next().await;
        watched.look(event.as_ref());
        event.map(|event| (event, watched))
    }))
}

/// Edits a stream. What stops the editor ends it with an error event in the caller's dialect.
pub(crate) fn guarded(
    events: EventStream,
    hold: Hold,
    dialect: Dialect,
    identity: Identity,
    trail: Trail,
) -> EventStream {
    edited(events, hold, dialect, Teller::new(identity, trail))
}

/// The same, without a word unless something stops it.
pub(crate) fn edited_quietly(
    events: EventStream,
    hold: Hold,
    dialect: Dialect,
    identity: Identity,
    trail: Trail,
) -> EventStream {
    let mut teller = Teller::new(identity, trail);
    teller.tells_all = false;
    edited(events, hold, dialect, teller)
}

fn edited(events: EventStream, hold: Hold, dialect: Dialect, teller: Teller) -> EventStream {
    let guarded = Guarded {
        events: Some(events),
        hold,
        dialect,
        teller,
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
            Some(Ok(event)) => tails.look(event),
            Some(Err(_)) => Ok(()),
            None => tails.end(),
        };
        self.teller.spent += began.elapsed();
        if seen.is_ok() && event.is_some() {
            return;
        }
        let is_edited = tails.has_edited();
        self.tails = None;
        let report = self.teller.report().watching();
        match seen {
            Ok(()) if is_edited => drop(report.mask()),
            Ok(()) => report.allow(),
            // It is only watched, so that this refuses nothing.
            Err(_) => drop(report.block()),
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
        self.teller.spent += began.elapsed();
        if is_end {
            self.events = None;
            let most = self.hold.most.to_string();
            self.teller.trail.mark("guardrail_held_bytes", most);
            if seen.is_ok() && self.teller.tells_all {
                let report = self.teller.report();
                match self.hold.has_edited() {
                    true => drop(report.mask()),
                    false => report.allow(),
                }
            }
        }
        seen
    }

    /// Ends the stream with an error event.
    fn stop(&mut self, stop: Stop) -> Option<Result<sse::Event, Error>> {
        self.events = None;
        self.hold.clear();
        let error = self.teller.report().block().err()?;
        if stop == Stop::Untold {
            let name = self.teller.identity.name();
            self.teller.trail.mark("guardrail_untold", name);
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

// === impl Teller ===

impl Teller {
    fn new(identity: Identity, trail: Trail) -> Self {
        Self {
            identity,
            trail,
            tells_all: true,
            spent: Duration::ZERO,
        }
    }

    fn report(&self) -> Report<'_> {
        let look = self.identity.look(&self.trail, Phase::Output);
        look.took(self.spent)
    }
}
