//! An editor on a stream.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aisix_core::{
    Error,
    call::Trail,
    observe::Phase,
    reply::{Ending, EventStream},
    wire::sse,
};
use futures_util::{StreamExt, stream};

use super::{
    Editor, Stop,
    hold::{Hold, Tails},
};
use crate::guard::Identity;

/// How the look at a stream ended.
pub(crate) struct Looked {
    /// Why the stream must not go on, if it must not.
    pub(crate) seen: Result<(), Stop>,
    /// Whether anything was edited, or would have been.
    pub(crate) is_edited: bool,
    /// The time for which it was looked at, without what lies between its events.
    pub(crate) spent: Duration,
}

/// Is told how the look ended; a stream that is let go on in spite of a stop ends silently.
type Tell<T> = Box<dyn FnOnce(Looked) -> T + Send>;

/// A stream of which nothing is held back.
struct Watched {
    events: EventStream,
    /// Gone with the first match.
    watch: Option<(Tails, Tell<()>)>,
    spent: Duration,
}

/// A stream of which is held back what is not decided.
struct Guarded {
    /// Gone when it has ended, or must not go on, which hangs up on the upstream.
    events: Option<EventStream>,
    hold: Hold,
    tell: Option<Tell<Result<(), Error>>>,
    ending: Ending,
    trail: Trail,
    spent: Duration,
}

/// Looks at a stream that goes on as it is. `tell` is told once: at the first stop, or at the end.
pub(crate) fn watched(
    events: EventStream,
    tails: Tails,
    tell: impl FnOnce(Looked) + Send + 'static,
) -> EventStream {
    let watch: (Tails, Tell<()>) = (tails, Box::new(tell));
    let watched = Watched {
        events,
        watch: Some(watch),
        spent: Duration::ZERO,
    };
    Box::pin(stream::unfold(watched, |mut watched| async {
        let event = watched.events.next().await;
        watched.look(event.as_ref());
        event.map(|event| (event, watched))
    }))
}

/// Edits a stream. `tell` is told once, when it has ended or must not go on, and answers with the error that ends it in the
/// caller's dialect.
pub(crate) fn guarded(
    events: EventStream,
    hold: Hold,
    ending: Ending,
    trail: Trail,
    tell: impl FnOnce(Looked) -> Result<(), Error> + Send + 'static,
) -> EventStream {
    let guarded = Guarded {
        events: Some(events),
        hold,
        tell: Some(Box::new(tell)),
        ending,
        trail,
        spent: Duration::ZERO,
    };
    Box::pin(stream::unfold(guarded, |mut guarded| async {
        let event = guarded.next().await?;
        Some((event, guarded))
    }))
}

/// Edits a stream, or only watches it if the guard does; tells what was found.
pub(crate) fn told(
    events: EventStream,
    editor: Arc<dyn Editor>,
    max_held: usize,
    ending: Ending,
    identity: Identity,
    trail: Trail,
) -> EventStream {
    let told = trail.clone();
    if identity.monitors() {
        let tails = Tails::new(editor, ending.dialect(), max_held);
        // It is only watched, so that this refuses nothing.
        return watched(events, tails, move |looked| {
            drop(looked.tell(&identity, &told));
        });
    }
    let hold = Hold::new(editor, ending.dialect(), max_held);
    guarded(events, hold, ending, trail, move |looked| {
        looked.tell(&identity, &told)
    })
}

// === impl Looked ===

impl Looked {
    /// Tells what was found.
    pub(crate) fn tell(self, identity: &Identity, trail: &Trail) -> Result<(), Error> {
        let report = identity.look(trail, Phase::Output).took(self.spent);
        match self.seen {
            Ok(()) if self.is_edited => drop(report.mask()),
            Ok(()) => report.allow(),
            Err(stop) => {
                if stop == Stop::Untold {
                    trail.mark("guardrail_untold", identity.name());
                }
                return report.block();
            }
        }
        Ok(())
    }
}

// === impl Watched ===

impl Watched {
    fn look(&mut self, event: Option<&Result<sse::Event, Error>>) {
        let Some((tails, _)) = &mut self.watch else {
            return;
        };
        let began = Instant::now();
        let seen = match event {
            Some(Ok(event)) => tails.look(event),
            Some(Err(_)) => Ok(()),
            None => tails.end(),
        };
        self.spent += began.elapsed();
        if seen.is_ok() && event.is_some() {
            return;
        }
        if let Some((tails, tell)) = self.watch.take() {
            tell(Looked {
                seen,
                is_edited: tails.has_edited(),
                spent: self.spent,
            });
        }
    }
}

// === impl Guarded ===

impl Guarded {
    async fn next(&mut self) -> Option<Result<sse::Event, Error>> {
        loop {
            match self.hold.pop() {
                Ok(Some(event)) => {
                    self.ending.pass(&event);
                    return Some(Ok(event));
                }
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
                let _ = self.told(Ok(()));
            }
        }
        seen
    }

    fn told(&mut self, seen: Result<(), Stop>) -> Result<(), Error> {
        let looked = Looked {
            seen,
            is_edited: self.hold.has_edited(),
            spent: self.spent,
        };
        let tell = self.tell.take();
        tell.map_or(Ok(()), |tell| tell(looked))
    }

    /// Ends the stream with an error event.
    fn stop(&mut self, stop: Stop) -> Option<Result<sse::Event, Error>> {
        self.events = None;
        self.hold.clear();
        let error = self.told(Err(stop)).err()?;
        self.ending.fail(error).map(Ok)
    }
}
