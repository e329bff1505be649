//! What happens to a call.

use std::sync::Arc;

use aisix_core::{
    Error, ErrorKind,
    call::{Call, Trail},
    hook::Next,
    reply::{EventStream, Reply},
    wire::{Dialect, ScanError},
};

use super::{
    pattern::Patterns,
    settings::{HookPoint, OnStream},
};
use crate::{
    edit::{
        Stop,
        hold::{Hold, MAX_HELD, Tails},
        stream,
    },
    text::{self, Text},
};

/// The guard, compiled.
pub(super) struct Guard {
    pub(super) name: String,
    pub(super) patterns: Arc<Patterns>,
    pub(super) point: HookPoint,
    pub(super) monitors: bool,
    pub(super) on_stream: OnStream,
}

// === impl Guard ===

impl Guard {
    pub(super) async fn run(self: Arc<Self>, call: Call, next: Next) -> Result<Reply, Error> {
        let dialect = call.inbound.operation.dialect;
        if self.point.is_input() && self.finds(text::of_request(dialect, call.bytes())) {
            self.found("request", call.trail(), self.monitors)?;
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
            let watches_only = self.monitors || self.on_stream == OnStream::Observe;
            return Ok(reply.map_events(|events| match watches_only {
                true => self.watched(events, dialect, trail),
                false => self.guarded(events, dialect, trail),
            }));
        }
        let found = reply
            .body_bytes()
            .is_some_and(|answer| self.finds(text::of_answer(dialect, answer)));
        if found {
            self.found("response", &trail, self.monitors)?;
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
        stream::watched(events, tails, move |_| {
            trail.mark("guardrail_would_block", self.name.as_str());
        })
    }

    fn guarded(
        self: Arc<Self>,
        events: EventStream,
        dialect: Dialect,
        trail: Trail,
    ) -> EventStream {
        let hold = Hold::new(self.patterns.clone(), dialect, MAX_HELD);
        let told = trail.clone();
        stream::guarded(events, hold, dialect, trail, move |stop| {
            let error = self.blocked("response", &told);
            if stop == Stop::Untold {
                told.mark("guardrail_untold", self.name.as_str());
            }
            error
        })
    }

    /// Whether a text has a match, or it cannot be told.
    fn finds(&self, texts: Result<Vec<Text<'_>>, ScanError>) -> bool {
        let matches = |text: &Text<'_>| self.patterns.is_match(&text.text);
        texts.map_or(true, |texts| texts.iter().any(matches))
    }

    /// Notes a match, and refuses unless it is only watched for.
    fn found(&self, what: &'static str, trail: &Trail, watches_only: bool) -> Result<(), Error> {
        if watches_only {
            trail.mark("guardrail_would_block", self.name.as_str());
            return Ok(());
        }
        Err(self.blocked(what, trail))
    }

    fn blocked(&self, what: &'static str, trail: &Trail) -> Error {
        trail.mark("guardrail_blocked", self.name.as_str());
        let message = format!(
            "{what} blocked by content policy (guardrail '{}')",
            self.name
        );
        Error::new(ErrorKind::Blocked, message)
    }
}
