//! A stream on its way from the upstream to the client.
//!
//! Events are relayed as the bytes they came in, while a meter looks on. Until the first content,
//! nothing is handed over, so that a failure can still become a clean refusal; see
//! [`Relay::commit`]. After a long silence the answer begins all the same, but only heartbeats are handed over then, so
//! that somebody else can still take over. A stream that breaks later ends with an error event and without `[DONE]`.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use aisix_wire::{Dialect, Usage, sse};
use bytes::{Bytes, BytesMut};
use http_body::{Body as _, Frame};
use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    Settings,
    send::timed_out,
    tape::{Tape, Through, cut_short},
};
use crate::{
    BoxError,
    body::Body,
    call::Attempt,
    error::{Error, ErrorKind},
    reply::{Behind, SharedProgress},
};

/// The largest event, in bytes.
const MAX_EVENT: usize = 16 * 1024 * 1024;
/// What is held back before the first content, in bytes.
const MAX_HELD: usize = 64 * 1024;
/// How much is handed over at once when it is ready together, in bytes.
const BATCH: usize = 16 * 1024;
/// How long the end of the connection is waited for after `[DONE]`, so that it can be used again.
const LINGER: Duration = Duration::from_secs(1);

/// What a relay goes by.
pub(super) struct RelaySettings {
    /// When the attempt began.
    started: Instant,
    dialect: Dialect,
    gap: Option<Duration>,
    first_token: Option<Duration>,
    heartbeat: Option<Duration>,
    prompt_tokens: u64,
}

/// The body of a streamed reply.
pub(super) struct Relay {
    source: Body,
    decoder: sse::Decoder,
    tape: Tape,
    /// What is to be handed over, or held back.
    out: VecDeque<Bytes>,
    /// The bytes in `out`.
    queued: usize,
    phase: Phase,
    settings: RelaySettings,
    progress: SharedProgress,
    started: Instant,
    /// When the upstream was last heard.
    heard: Instant,
    /// When something was last handed over, or the stream began.
    spoke: Instant,
    content: bool,
    /// The failure that is handed over after what is in `out`.
    failure: Option<Error>,
    timer: Option<Pin<Box<Sleep>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing has been handed over.
    Held,
    /// Nothing but heartbeats.
    Silent,
    /// Under way.
    Open,
    /// The last event has come; the connection is about to end.
    Lingering(Instant),
    Ended,
}

enum Step {
    /// There is something in `out`.
    More,
    /// Nothing came for the heartbeat's interval.
    Silence,
    End,
    Fail(Error),
}

// === impl RelaySettings ===

impl RelaySettings {
    pub(super) fn new(settings: &Settings, attempt: &Attempt) -> Self {
        let payload = &attempt.call.inbound.payload;
        let deadlines = attempt.target.deadlines;
        let prompt: usize = attempt
            .call
            .inbound
            .operation
            .prompt
            .iter()
            .filter_map(|name| payload.member(name))
            .map(|member| member.value.len())
            .sum();
        Self {
            started: attempt.started,
            dialect: attempt.call.inbound.operation.dialect,
            gap: deadlines.gap,
            first_token: deadlines.first_token,
            heartbeat: settings.heartbeat,
            prompt_tokens: (prompt as u64).div_ceil(4),
        }
    }
}

// === impl Relay ===

impl Relay {
    pub(super) fn new(
        source: Body,
        tape: Tape,
        progress: SharedProgress,
        settings: RelaySettings,
    ) -> Self {
        let now = Instant::now();
        Self {
            source,
            tape,
            decoder: sse::Decoder::new(MAX_EVENT),
            out: VecDeque::new(),
            queued: 0,
            phase: Phase::Held,
            started: settings.started,
            settings,
            progress,
            heard: now,
            spoke: now,
            content: false,
            failure: None,
            timer: None,
        }
    }

    /// Waits until the answer may begin: at the first content, at the end, when too much is held, or
    /// after the heartbeat's interval, whichever is first.
    ///
    /// # Errors
    ///
    /// When the stream fails before that. Nothing has reached the client then.
    pub(super) async fn commit(mut self) -> Result<Self, Error> {
        loop {
            match std::future::poll_fn(|cx| self.poll_step(cx)).await {
                Step::Fail(error) => return Err(error),
                Step::End => break,
                // The first heartbeat is due then.
                Step::Silence => {
                    self.phase = Phase::Silent;
                    self.progress.update(|state| state.is_silent = true);
                    return Ok(self);
                }
                Step::More if self.may_speak() => break,
                Step::More => {}
            }
        }
        self.open();
        Ok(self)
    }

    /// Whether what was held back may be handed over.
    fn may_speak(&self) -> bool {
        self.content || self.ended() || self.queued > MAX_HELD
    }

    fn open(&mut self) {
        if self.is_holding() {
            self.phase = Phase::Open;
        }
        self.spoke = Instant::now();
    }

    fn is_holding(&self) -> bool {
        matches!(self.phase, Phase::Held | Phase::Silent)
    }

    fn push(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        self.queued += bytes.len();
        self.out.push_back(bytes);
    }

    /// Takes the next piece for the client. Small ones that are ready together are joined, because a
    /// copy of them costs less than a piece of its own on the way out.
    fn batch(&mut self) -> Option<Bytes> {
        let first = self.out.pop_front()?;
        let mut length = first.len();
        let fitting = self.out.iter().take_while(|next| {
            length += next.len();
            length <= BATCH
        });
        let more = fitting.count();
        self.queued -= first.len();
        if more == 0 {
            return Some(first);
        }
        let mut joined = BytesMut::with_capacity(BATCH.min(first.len() + self.queued));
        joined.extend_from_slice(&first);
        for next in self.out.drain(..more) {
            self.queued -= next.len();
            joined.extend_from_slice(&next);
        }
        Some(joined.freeze())
    }

    fn ended(&self) -> bool {
        matches!(self.phase, Phase::Lingering(_) | Phase::Ended)
    }

    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        loop {
            if self.phase == Phase::Ended {
                return Poll::Ready(Step::End);
            }
            match Pin::new(&mut self.source).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let Ok(chunk) = frame.into_data() else {
                        continue;
                    };
                    if matches!(self.phase, Phase::Lingering(_)) {
                        continue;
                    }
                    self.heard = Instant::now();
                    if let Err(error) = self.absorb(chunk) {
                        return Poll::Ready(Step::Fail(error));
                    }
                    if !self.out.is_empty() {
                        if !self.is_holding() {
                            self.spoke = self.heard;
                        }
                        return Poll::Ready(Step::More);
                    }
                }
                Poll::Ready(end) => {
                    return Poll::Ready(self.source_ended(end.and_then(Result::err)));
                }
                Poll::Pending => return self.poll_timer(cx),
            }
        }
    }

    /// Takes a chunk apart. What may be relayed goes to `out`: the chunk itself if it holds whole
    /// events and all of them are relayed, else event by event.
    fn absorb(&mut self, chunk: Bytes) -> Result<(), Error> {
        let whole = (self.decoder.pending() == 0).then(|| chunk.clone());
        let (before, queued) = (self.out.len(), self.queued);
        let mut untouched = true;
        self.decoder.push(chunk);
        while let Some(event) = self.decoder.next().map_err(too_long)? {
            let (bytes, last) = match event.data() {
                Some(data) => {
                    let passage = self.tape.take(&event, &data)?;
                    if passage.content {
                        self.mark_content();
                    }
                    (passage.bytes, passage.last)
                }
                None => (self.tape.aside(&event), false),
            };
            match bytes {
                Through::AsItCame => self.push(event.raw),
                Through::Nothing => untouched = false,
                Through::Instead(bytes) => {
                    untouched = false;
                    self.push(bytes);
                }
            }
            if last {
                self.phase = Phase::Lingering(self.heard + LINGER);
                return Ok(());
            }
        }
        if let (Some(whole), true, 0) = (whole, untouched, self.decoder.pending()) {
            self.out.truncate(before);
            self.queued = queued;
            self.push(whole);
        }
        Ok(())
    }

    fn mark_content(&mut self) {
        if !self.content {
            self.content = true;
            let at = self.heard.into_std();
            self.progress.update(|state| state.first_token = Some(at));
        }
    }

    fn source_ended(&mut self, error: Option<BoxError>) -> Step {
        if matches!(self.phase, Phase::Lingering(_)) {
            self.finish();
            return Step::End;
        }
        if let Some(error) = error {
            let broken = Error::new(ErrorKind::Aborted, "the upstream's stream broke off");
            return Step::Fail(broken.with_source(error));
        }
        // A last event without its blank line is an event all the same, if it is whole.
        if self.decoder.pending() > 0 {
            match self.absorb(Bytes::from_static(b"\n\n")) {
                Err(error) if error.kind() == ErrorKind::Decode => return Step::Fail(cut_short()),
                Err(error) => return Step::Fail(error),
                Ok(()) if self.ended() => {
                    self.finish();
                    return Step::More;
                }
                Ok(()) => {}
            }
        }
        match self.tape.end(self.content) {
            Err(error) => return Step::Fail(error),
            Ok(rest) => self.push(rest),
        }
        self.finish();
        Step::More
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        loop {
            let Some(next) = self.next_deadline() else {
                return Poll::Pending;
            };
            // Activity moves deadlines back. The timer is left as it is and looked at when it fires,
            // so that a chunk costs nothing here.
            let timer = self
                .timer
                .get_or_insert_with(|| Box::pin(sleep_until(next)));
            if timer.deadline() > next {
                timer.as_mut().reset(next);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let now = Instant::now();
            if let Some(step) = self.due(now) {
                return Poll::Ready(step);
            }
            match (self.next_deadline(), &mut self.timer) {
                (Some(next), Some(timer)) => timer.as_mut().reset(next),
                _ => self.timer = None,
            }
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        if let Phase::Lingering(until) = self.phase {
            return Some(until);
        }
        let gap = self.settings.gap.map(|gap| self.heard + gap);
        let first = self.settings.first_token.filter(|_| !self.content);
        let first = first.map(|limit| self.started + limit);
        let heartbeat = self.settings.heartbeat.map(|every| self.spoke + every);
        [gap, first, heartbeat].into_iter().flatten().min()
    }

    fn due(&mut self, now: Instant) -> Option<Step> {
        if let Phase::Lingering(until) = self.phase {
            return (now >= until).then(|| {
                self.finish();
                Step::End
            });
        }
        let over =
            |since: Instant, limit: Option<Duration>| limit.filter(|limit| now >= since + *limit);
        if let Some(limit) = over(self.heard, self.settings.gap) {
            return Some(Step::Fail(timed_out(limit)));
        }
        if !self.content
            && let Some(limit) = over(self.started, self.settings.first_token)
        {
            return Some(Step::Fail(timed_out(limit)));
        }
        over(self.spoke, self.settings.heartbeat).map(|_| Step::Silence)
    }

    /// Ends the stream, or leaves that to who stands behind it.
    fn fail(&mut self, error: Error) {
        let is_silent = self.phase == Phase::Silent;
        let noted = match self.progress.behind() {
            Behind::UntilContent if is_silent => {
                self.out.clear();
                self.queued = 0;
                let noted = error.duplicate();
                self.failure = Some(error);
                noted
            }
            _ => {
                let told = self.tape.fail(self.settings.dialect, &error);
                self.push(told);
                error
            }
        };
        self.finish();
        self.progress.update(|state| state.failure = Some(noted));
    }

    /// Nothing more is wanted from the upstream.
    fn finish(&mut self) {
        self.phase = Phase::Ended;
        self.source = Body::empty();
        self.settle();
    }

    /// Hands the usage over, an estimate if the upstream never told.
    fn settle(&mut self) {
        let told = self.tape.usage();
        let estimate = self.content.then(|| Usage {
            input: self.settings.prompt_tokens,
            output: self.tape.text_bytes().div_ceil(4),
            ..Usage::default()
        });
        self.progress.update(|state| {
            state.usage = told.or(estimate);
            state.usage_estimated = told.is_none() && estimate.is_some();
        });
    }
}

fn too_long(error: sse::TooLong) -> Error {
    Error::new(ErrorKind::Decode, "an event of the upstream is too long").with_source(error)
}

impl http_body::Body for Relay {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        while this.queued < BATCH || this.is_holding() {
            match this.poll_step(cx) {
                Poll::Pending if this.is_holding() || this.out.is_empty() => return Poll::Pending,
                Poll::Pending | Poll::Ready(Step::End) => break,
                Poll::Ready(Step::More) if this.is_holding() && this.may_speak() => this.open(),
                Poll::Ready(Step::More) => {}
                Poll::Ready(Step::Silence) => {
                    let heartbeat = Bytes::from_static(sse::HEARTBEAT);
                    this.spoke = Instant::now();
                    if this.is_holding() {
                        return Poll::Ready(Some(Ok(Frame::data(heartbeat))));
                    }
                    this.push(heartbeat);
                }
                Poll::Ready(Step::Fail(error)) => this.fail(error),
            }
        }
        let next = this.batch().map(|bytes| Ok(Frame::data(bytes)));
        Poll::Ready(next.or_else(|| this.failure.take().map(|error| Err(error.into()))))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // Some clients hang up as soon as they have read the last event.
        if self.ended() && self.out.is_empty() {
            self.progress.update(|state| state.complete = true);
        }
        if self.phase != Phase::Ended {
            self.settle();
        }
    }
}
