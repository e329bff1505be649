//! What happens to a call.

use std::sync::Arc;

use aisix_core::{
    Error,
    call::{Call, Trail},
    hook::Next,
    observe::Phase,
    reply::{EventStream, Reply},
    wire::{Dialect, ScanError},
};

use super::{
    pattern::Patterns,
    settings::KeywordOnStream,
    window::{Window, Windowed},
};
use crate::{
    edit::{
        hold::{Hold, MAX_HELD, Tails},
        stream,
    },
    guard::{HookPoint, Identity, Report},
    text::{self, Text},
};

/// The guard, compiled.
pub(super) struct Guard {
    pub(super) identity: Identity,
    pub(super) patterns: Arc<Patterns>,
    pub(super) point: HookPoint,
    pub(super) on_stream: KeywordOnStream,
    /// How much of a stream is held back, unless all that could become a match.
    pub(super) window: Option<Window>,
}

// === impl Guard ===

impl Guard {
    pub(super) async fn run(self: Arc<Self>, call: Call, next: Next) -> Result<Reply, Error> {
        let dialect = call.inbound.operation.dialect;
        if self.point.is_input() {
            let report = self.identity.look(call.trail(), Phase::Input);
            self.judge(report, text::of_request(dialect, call.bytes()))?;
        }
        let trail = call.trail().clone();
        let reply = next.run(call).await?;
        match self.point.is_output() && reply.status().is_success() {
            true => self.answer(reply, dialect, trail),
            false => Ok(reply),
        }
    }

    fn answer(
        self: Arc<Self>,
        reply: Reply,
        dialect: Dialect,
        trail: Trail,
    ) -> Result<Reply, Error> {
        if reply.is_event_stream() {
            let watches_only =
                self.identity.monitors() || self.on_stream == KeywordOnStream::Observe;
            return Ok(reply.map_events(|events| match watches_only {
                true => self.watched(events, dialect, trail),
                false => self.guarded(events, dialect, trail),
            }));
        }
        if let Some(answer) = reply.body_bytes() {
            let report = self.identity.look(&trail, Phase::Output);
            self.judge(report, text::of_answer(dialect, answer))?;
        }
        Ok(reply)
    }

    fn watched(
        self: Arc<Self>,
        events: EventStream,
        dialect: Dialect,
        trail: Trail,
    ) -> EventStream {
        let tails = Tails::new(self.patterns.clone(), dialect, MAX_HELD);
        stream::watched(events, tails, move |looked| {
            let report = self.identity.look(&trail, Phase::Output);
            let report = report.took(looked.spent);
            match looked.seen {
                Ok(()) => report.allow(),
                // It is only watched, so that this refuses nothing.
                Err(_) => drop(report.watching().block()),
            }
        })
    }

    fn guarded(
        self: Arc<Self>,
        events: EventStream,
        dialect: Dialect,
        trail: Trail,
    ) -> EventStream {
        let patterns = self.patterns.clone();
        let hold = match self.window {
            None => Hold::new(patterns, dialect, MAX_HELD),
            Some(window) => {
                let windowed = Windowed { patterns, window };
                Hold::new(Arc::new(windowed), dialect, window.max_held())
            }
        };
        let told = trail.clone();
        stream::guarded(events, hold, dialect, trail, move |looked| {
            looked.tell(&self.identity, &told)
        })
    }

    /// Refuses when a text has a match, or it cannot be told.
    fn judge(
        &self,
        report: Report<'_>,
        texts: Result<Vec<Text<'_>>, ScanError>,
    ) -> Result<(), Error> {
        let matches = |text: &Text<'_>| self.patterns.is_match(&text.text);
        match texts.map_or(true, |texts| texts.iter().any(matches)) {
            true => report.block(),
            false => {
                report.allow();
                Ok(())
            }
        }
    }
}
