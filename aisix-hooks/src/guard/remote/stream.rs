//! The guard on a stream.

use std::{collections::VecDeque, future::Future, pin::Pin, time::Duration};

use aisix_core::{
    Error,
    observe::Phase,
    reply::{Ending, EventStream},
    wire::sse,
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, timeout_at};

use super::{
    driver::{Changes, Guarding},
    hold::{Hold, Untold, read_event},
};
use crate::guard::OnStream;

/// After how much silence a heartbeat is sent while something is held back.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A stream that is held back until it has been judged, or watched.
struct Guarded {
    /// Gone when it has ended, or when it must not go on, which hangs up on the upstream.
    events: Option<EventStream>,
    hold: Hold,
    /// Whether the texts are still looked at. A watched stream that is too long is not.
    looks: bool,
    asking: Option<Asking>,
    /// What may pass.
    out: VecDeque<sse::Event>,
    /// When something last passed.
    spoke: Instant,
    ending: Ending,
    /// What ends the stream when what may pass has passed.
    refusal: Option<Error>,
    guarding: Guarding,
}

/// A question under way.
type Asking = Pin<Box<dyn Future<Output = Result<Changes, Error>> + Send>>;

/// What happens next in a stream.
enum Step {
    /// An event has come, or the stream has ended.
    Came(Option<Result<sse::Event, Error>>),
    /// What was asked about has been judged.
    Judged(Result<Changes, Error>),
}

/// Guards a stream.
pub(super) fn guarded(events: EventStream, mut guarding: Guarding, ending: Ending) -> EventStream {
    guarding.watches |= guarding.driver.on_stream == OnStream::Observe;
    let guarded = Guarded {
        events: Some(events),
        hold: Hold::new(guarding.dialect, guarding.driver.max_held),
        looks: true,
        asking: None,
        out: VecDeque::new(),
        spoke: Instant::now(),
        ending,
        refusal: None,
        guarding,
    };
    Box::pin(stream::unfold(guarded, |mut guarded| async {
        let event = guarded.next().await?;
        guarded.spoke = Instant::now();
        Some((event, guarded))
    }))
}

// === impl Guarded ===

impl Guarded {
    async fn next(&mut self) -> Option<Result<sse::Event, Error>> {
        loop {
            if let Some(event) = self.out.pop_front() {
                self.ending.pass(&event);
                return Some(Ok(event));
            }
            if let Some(refusal) = self.refusal.take() {
                return self.ending.fail(refusal).map(Ok);
            }
            let is_silent = self.asking.is_some() || !self.hold.is_empty();
            let until = self.spoke + HEARTBEAT;
            let step = match is_silent {
                false => self.step().await,
                true => match timeout_at(until, self.step()).await {
                    Ok(step) => step,
                    Err(_) => return read_event(Bytes::from_static(sse::HEARTBEAT)).map(Ok),
                },
            };
            match step? {
                Step::Came(Some(Ok(event))) => self.came(event),
                Step::Came(Some(Err(error))) => {
                    self.events = None;
                    return Some(Err(error));
                }
                Step::Came(None) => {
                    self.events = None;
                    self.ask();
                }
                Step::Judged(judged) => self.judged(judged),
            }
        }
    }

    /// Waits for what happens next. It can be dropped and called again.
    async fn step(&mut self) -> Option<Step> {
        if let Some(asking) = &mut self.asking {
            let judged = asking.await;
            self.asking = None;
            return Some(Step::Judged(judged));
        }
        let came = self.events.as_mut()?.next().await;
        Some(Step::Came(came))
    }

    fn came(&mut self, event: sse::Event) {
        if self.guarding.watches {
            if self.looks && (self.hold.look(&event).is_err() || self.hold.is_over()) {
                self.untold();
            }
            return self.out.push_back(event);
        }
        match self.hold.push(event) {
            Ok(passes) => self.out.extend(passes),
            Err(Untold) => return self.untold(),
        }
        let is_over = self.hold.is_over();
        match self.guarding.driver.window {
            // What is held back goes on once it has been judged, be it less than a window.
            Some(window) if is_over || self.hold.has_grown_by(window.size) => self.ask(),
            None if is_over => self.untold(),
            _ => {}
        }
    }

    fn ask(&mut self) {
        if !self.looks {
            return;
        }
        let said = self.hold.asked(self.overlap());
        let guarding = self.guarding.clone();
        self.asking = Some(Box::pin(async move {
            guarding.judge(&said, Phase::Output).await
        }));
    }

    fn judged(&mut self, judged: Result<Changes, Error>) {
        match judged {
            Err(error) => self.stop(error),
            Ok(changes) => match self.hold.release(&changes, self.overlap()) {
                Ok(released) => {
                    self.out.extend(released);
                    // The overlaps of all texts are kept.
                    if self.hold.is_over() {
                        self.untold();
                    }
                }
                Err(Untold) => self.untold(),
            },
        }
    }

    fn overlap(&self) -> usize {
        let window = self.guarding.driver.window;
        window.map_or(0, |window| window.overlap)
    }

    fn untold(&mut self) {
        self.looks = false;
        if let Err(error) = self.guarding.untold(Phase::Output) {
            self.stop(error);
        }
    }

    /// Ends the stream with an error event in the caller's dialect.
    fn stop(&mut self, error: Error) {
        self.events = None;
        self.looks = false;
        self.hold = Hold::new(self.guarding.dialect, 0);
        self.refusal = Some(error);
    }
}
