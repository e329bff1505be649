//! What happens to a call.

use std::sync::Arc;

use aisix_core::{
    Error, ErrorKind,
    call::{Call, Trail},
    hook::Next,
    reply::Reply,
    wire::{Dialect, ScanError},
};

use super::{
    pattern::Patterns,
    settings::{HookPoint, OnStream},
    stream,
};
use crate::text::{self, Text};

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
                true => stream::watched(events, self, dialect, trail),
                false => stream::guarded(events, self, dialect, trail),
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

    /// Whether a text has a match, or it cannot be told.
    fn finds(&self, texts: Result<Vec<Text<'_>>, ScanError>) -> bool {
        let matches = |text: &Text<'_>| self.patterns.is_match(&text.text);
        texts.map_or(true, |texts| texts.iter().any(matches))
    }

    /// Notes a match, and refuses unless it is only watched for.
    pub(super) fn found(
        &self,
        what: &'static str,
        trail: &Trail,
        watches_only: bool,
    ) -> Result<(), Error> {
        if watches_only {
            trail.mark("guardrail_would_block", self.name.as_str());
            return Ok(());
        }
        trail.mark("guardrail_blocked", self.name.as_str());
        let message = format!(
            "{what} blocked by content policy (guardrail '{}')",
            self.name
        );
        Err(Error::new(ErrorKind::Blocked, message))
    }
}
