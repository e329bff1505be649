//! An editor on a stream.

use aisix_core::{
    Error,
    call::Trail,
    reply::EventStream,
    wire::{Dialect, ErrorBody, sse, write_error_event},
};
use futures_util::{StreamExt, stream};

use super::{
    Stop,
    hold::{Hold, Tails},
};

/// What is told when a stream must not go on.
type Tell = Box<dyn FnOnce(Stop) + Send>;
/// What a stream that must not go on is refused with.
type Refuse = Box<dyn FnOnce(Stop) -> Error + Send>;

/// A stream of which nothing is held back.
struct Watched {
    events: EventStream,
    /// Gone with the first match.
    watch: Option<(Tails, Tell)>,
}

/// A stream of which is held back what is not decided.
struct Guarded {
    /// Gone when it has ended, or must not go on, which hangs up on the upstream.
    events: Option<EventStream>,
    hold: Hold,
    refuse: Option<Refuse>,
    dialect: Dialect,
    trail: Trail,
}

/// Looks at a stream that goes on as it is. What stops the editor is told, once.
pub(crate) fn watched(
    events: EventStream,
    tails: Tails,
    tell: impl FnOnce(Stop) + Send + 'static,
) -> EventStream {
    let watch: (Tails, Tell) = (tails, Box::new(tell));
    let watched = Watched {
        events,
        watch: Some(watch),
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
    trail: Trail,
    refuse: impl FnOnce(Stop) -> Error + Send + 'static,
) -> EventStream {
    let guarded = Guarded {
        events: Some(events),
        hold,
        refuse: Some(Box::new(refuse)),
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
        let Some((tails, _)) = &mut self.watch else {
            return;
        };
        let seen = match event {
            Some(Ok(event)) => tails.look(event),
            Some(Err(_)) => Ok(()),
            None => tails.end(),
        };
        if let (Err(stop), Some((_, tell))) = (seen, self.watch.take_if(|_| seen.is_err())) {
            tell(stop);
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

    /// Ends the stream with an error event.
    fn stop(&mut self, stop: Stop) -> Option<Result<sse::Event, Error>> {
        self.events = None;
        self.hold.clear();
        let error = self.refuse.take()?(stop);
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
