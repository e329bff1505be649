//! What happens to a call.

use std::{collections::HashMap, sync::Arc, time::Duration};

use aisix_core::{
    Error,
    call::{Call, Trail},
    hook::{Built, Context, Next, from_fn},
    observe::Phase,
    reply::Reply,
    wire::{Dialect, Edits, Form, ScanError, Span, json_string},
};
use bytes::Bytes;
use futures_util::future::join;
use serde::de::IgnoredAny;

use super::{
    ask::Asker,
    service::{Failure, Judgement, Piece, Service},
    settings::RemoteGuardSettings,
    stream,
};
use crate::{
    guard::{HookPoint, Identity, OnStream, Report},
    text::{self, Speaker, Text},
};

/// A guard, compiled.
pub(super) struct Driver {
    identity: Identity,
    service: Box<dyn Service>,
    timeout: Duration,
    point: HookPoint,
    fail_open: bool,
    output_fail_open: bool,
    pub(super) on_stream: OnStream,
    /// How much of a stream may be held back, in bytes of texts.
    pub(super) max_held: usize,
    /// After how many characters of a stream the service is asked, and how many are asked about again with
    /// the next ones. Without it, the service is asked at the end.
    pub(super) window: Option<Window>,
}

/// How long a character may be, in bytes.
const MAX_CHARACTER: usize = 4;

/// A window that moves over a stream, in characters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) size: usize,
    pub(super) overlap: usize,
}

/// What becomes of texts, by their index. Those that stay are left out.
pub(super) type Changes = HashMap<usize, String>;

/// What one call is guarded with.
#[derive(Clone)]
pub(super) struct Guarding {
    pub(super) driver: Arc<Driver>,
    pub(super) asker: Arc<Asker>,
    pub(super) dialect: Dialect,
    pub(super) trail: Trail,
    /// Whether nothing is refused or changed.
    pub(super) watches: bool,
}

/// A text that is judged.
pub(super) struct Said {
    pub(super) text: String,
    pub(super) speaker: Speaker,
    /// Whether it is a JSON document, and must stay one.
    pub(super) is_arguments: bool,
}

// === impl Driver ===

impl Driver {
    pub(super) fn new(
        kind: &'static str,
        service: impl Service,
        settings: RemoteGuardSettings,
        timeout: Duration,
        context: &Context<'_>,
    ) -> Self {
        let (name, enforcement) = (settings.name.as_deref(), settings.enforcement_mode);
        Self {
            identity: Identity::new(kind, name, enforcement, context),
            service: Box::new(service),
            timeout,
            point: settings.hook_point,
            fail_open: settings.fail_open && !settings.mandatory,
            output_fail_open: settings.output_fail_open && !settings.mandatory,
            on_stream: settings.on_stream,
            max_held: settings.max_buffer_bytes,
            window: None,
        }
    }

    /// Judges streams window by window. A whole window may be held back, whatever else may.
    pub(super) fn with_window(mut self, window: Option<Window>) -> Self {
        if let Some(window) = &window {
            self.max_held = self.max_held.max(window.size * MAX_CHARACTER);
        }
        self.window = window;
        self
    }

    /// The hook.
    pub(super) fn built(self) -> Built {
        let driver = Arc::new(self);
        Built::hook(from_fn(move |call: Call, next: Next| {
            driver.clone().run(call, next)
        }))
    }

    async fn run(self: Arc<Self>, mut call: Call, next: Next) -> Result<Reply, Error> {
        let operation = call.inbound.operation;
        let transport = call.transport().cloned();
        let (Some(transport), true) = (transport, operation.form != Form::CountTokens) else {
            return next.run(call).await;
        };
        let timeout = self.timeout;
        let guarding = Guarding {
            asker: Arc::new(Asker { transport, timeout }),
            dialect: operation.dialect,
            trail: call.trail().clone(),
            watches: self.identity.monitors(),
            driver: self,
        };
        let point = guarding.driver.point;
        let reply = match (point.is_input(), guarding.watches) {
            (false, _) => next.run(call).await?,
            (true, false) => {
                guarding.request(&mut call).await?;
                next.run(call).await?
            }
            // Nobody waits for what is only watched, as far as the upstream takes longer.
            (true, true) => {
                let mut watched = call.clone();
                let (reply, _) = join(next.run(call), guarding.request(&mut watched)).await;
                reply?
            }
        };
        match point.is_output() && reply.status().is_success() {
            true => guarding.answer(reply).await,
            false => Ok(reply),
        }
    }
}

// === impl Guarding ===

impl Guarding {
    async fn request(&self, call: &mut Call) -> Result<(), Error> {
        let bytes = call.bytes().clone();
        let Ok((places, said)) = self.asked(&bytes) else {
            return self.untold(Phase::Input);
        };
        let changes = self.judge(&said, Phase::Input).await?;
        if changes.is_empty() {
            return Ok(());
        }
        let mut edits = Edits::new();
        for (index, text) in changes {
            edits.replace(places[index].clone(), json_string(&text));
        }
        let edited = call.inbound.payload.edit(&edits);
        edited.or_else(|_| self.untold(Phase::Input))
    }

    fn asked(&self, request: &[u8]) -> Result<(Vec<Span>, Vec<Said>), ScanError> {
        let texts = text::of_request(self.dialect, request)?;
        let speakers = text::speakers(self.dialect, request, &texts)?;
        let texts = texts.into_iter().zip(speakers);
        Ok(texts
            .map(|(text, speaker)| (text.place.clone(), Said::new(text, speaker)))
            .unzip())
    }

    async fn answer(self, reply: Reply) -> Result<Reply, Error> {
        if reply.is_event_stream() {
            let ending = reply.ending(self.dialect);
            return Ok(reply.map_events(|events| stream::guarded(events, self, ending)));
        }
        let Some(answer) = reply.body_bytes().map(Bytes::copy_from_slice) else {
            return Ok(reply);
        };
        let Ok(texts) = text::of_answer(self.dialect, &answer) else {
            return self.untold(Phase::Output).map(|()| reply);
        };
        let texts = texts.into_iter();
        let (places, said): (Vec<_>, Vec<_>) = texts
            .map(|text| (text.place.clone(), Said::new(text, Speaker::Assistant)))
            .unzip();
        let changes = self.judge(&said, Phase::Output).await?;
        if changes.is_empty() {
            return Ok(reply);
        }
        let changes = changes.into_iter();
        let changes = changes.map(|(index, text)| (places[index].clone(), text));
        match text::replace(&answer, changes) {
            Ok(answer) => Ok(reply.map_body(|_| answer.into())),
            Err(_) => self.untold(Phase::Output).map(|()| reply),
        }
    }

    /// Has texts judged; equal ones are asked about once. Gives those that change.
    ///
    /// # Errors
    ///
    /// When they must not pass.
    pub(super) async fn judge(&self, said: &[Said], phase: Phase) -> Result<Changes, Error> {
        let mut pieces = Vec::new();
        let mut known = HashMap::new();
        let mut asked = Vec::new();
        for (index, said) in said.iter().enumerate() {
            if said.text.trim().is_empty() {
                continue;
            }
            let (text, speaker) = (said.text.as_str(), said.speaker);
            let piece = *known.entry((text, speaker)).or_insert_with(|| {
                pieces.push(Piece { text, speaker });
                pieces.len() - 1
            });
            asked.push((index, piece));
        }
        let report = self.look(phase);
        if pieces.is_empty() {
            report.allow();
            return Ok(Changes::new());
        }
        let judging = self.driver.service.judge(&self.asker, &pieces, phase);
        let masks = match judging.await {
            Ok(Judgement::Mask(masks)) => masks,
            other => {
                self.told(report, phase, other)?;
                return Ok(Changes::new());
            }
        };
        let change = |(index, piece): (usize, usize)| Some((index, masks.get(piece)?.clone()?));
        let changes: Changes = asked.into_iter().filter_map(change).collect();
        if changes.iter().any(|(index, new)| said[*index].breaks(new)) {
            report.block()?;
            return Ok(Changes::new());
        }
        Ok(match report.mask() {
            true => changes,
            false => Changes::new(),
        })
    }

    fn look(&self, phase: Phase) -> Report<'_> {
        let report = self.driver.identity.look(&self.trail, phase);
        match self.watches {
            true => report.watching(),
            false => report,
        }
    }

    fn told(
        &self,
        report: Report<'_>,
        phase: Phase,
        judged: Result<Judgement, Failure>,
    ) -> Result<(), Error> {
        let driver = &self.driver;
        match judged {
            Ok(Judgement::Block(reason)) => {
                let told = format!("{}: {reason}", driver.identity.name());
                self.trail.mark("guardrail_reason", told);
                report.block()
            }
            Ok(Judgement::Allow | Judgement::Mask(_)) => {
                report.allow();
                Ok(())
            }
            Err(failure) => report.fail(
                failure.reason(),
                match phase {
                    Phase::Input => driver.fail_open,
                    Phase::Output => driver.output_fail_open,
                },
            ),
        }
    }

    /// What cannot be looked at does not pass, whatever becomes of failures of the service.
    pub(super) fn untold(&self, phase: Phase) -> Result<(), Error> {
        let name = self.driver.identity.name();
        self.trail.mark("guardrail_untold", name);
        self.look(phase).block()
    }
}

// === impl Said ===

impl Said {
    fn new(text: Text<'_>, speaker: Speaker) -> Self {
        Self {
            text: text.text.into_owned(),
            speaker,
            is_arguments: text.is_arguments,
        }
    }

    /// Whether a JSON document would be one no more.
    fn breaks(&self, changed: &str) -> bool {
        let is_json = |text: &str| serde_json::from_str::<IgnoredAny>(text).is_ok();
        self.is_arguments && is_json(&self.text) && !is_json(changed)
    }
}
