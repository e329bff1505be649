//! `pii_guard`: masks or refuses what tells about people, and secrets.

mod editor;
mod settings;

use std::sync::Arc;

use aisix_core::{
    Error,
    call::{Call, Trail},
    config::resource::{Invalid, Stage},
    hook::{Built, Context, Next, PluginFactory, Stages, from_fn},
    observe::Phase,
    reply::Reply,
    wire::Dialect,
};

use self::editor::PiiEditor;
pub use self::settings::{
    CustomPattern, Detector, DetectorKind, OnBufferExceeded, PiiAction, PiiGuardSettings,
};
use crate::{
    edit::{self, stream},
    guard::{HookPoint, Identity},
};

/// The kind of guardrails that it serves.
const KIND: &str = "pii";

/// Writes `[<NAME>_REDACTED]` in the place of what its detectors and expressions find in requests and answers, or refuses
/// them with 422 and the type `content_filter`.
///
/// It looks at what is said, what tools are called with and what they answer, in every dialect; every other byte stays as
/// it came. What tools are called with stays JSON. Of a stream it holds back no more than what could still be a part of
/// something that it looks for, as far as `max_buffer_bytes` of events; what is more, or cannot be read, is refused. It asks
/// nobody, and should stand before hooks that do.
#[derive(Clone, Copy, Debug)]
pub struct PiiGuard;

/// The guard, compiled.
struct Guard {
    identity: Identity,
    editor: Arc<PiiEditor>,
    point: HookPoint,
    max_held: usize,
}

// === impl PiiGuard ===

impl PluginFactory for PiiGuard {
    type Settings = PiiGuardSettings;

    fn name(&self) -> &'static str {
        "pii_guard"
    }

    fn stages(&self) -> Stages {
        Stages::Fixed(&[Stage::PreRequest, Stage::PreResponse])
    }

    fn guardrail(&self) -> Option<&'static str> {
        Some(KIND)
    }

    fn masks(&self) -> bool {
        true
    }

    fn observes(&self) -> bool {
        true
    }

    fn build(
        &self,
        settings: PiiGuardSettings,
        context: &Context<'_>,
    ) -> Result<Built, Vec<Invalid>> {
        let editor = Arc::new(settings.compile()?);
        let name = settings.name.as_deref();
        let guard = Arc::new(Guard {
            identity: Identity::new(KIND, name, settings.enforcement_mode, context),
            editor,
            point: settings.hook_point,
            max_held: settings.max_buffer_bytes.get(),
        });
        Ok(Built::hook(from_fn(move |call: Call, next: Next| {
            guard.clone().run(call, next)
        })))
    }
}

// === impl Guard ===

impl Guard {
    async fn run(self: Arc<Self>, mut call: Call, next: Next) -> Result<Reply, Error> {
        if self.editor.is_empty() {
            return next.run(call).await;
        }
        let dialect = call.inbound.operation.dialect;
        let trail = call.trail().clone();
        if self.point.is_input() {
            let report = self.identity.look(&trail, Phase::Input);
            edit::request(&*self.editor, report, &mut call)?;
        }
        let reply = next.run(call).await?;
        match self.point.is_output() && reply.status().is_success() {
            true => self.answer(reply, dialect, trail),
            false => Ok(reply),
        }
    }

    fn answer(&self, reply: Reply, dialect: Dialect, trail: Trail) -> Result<Reply, Error> {
        if !reply.is_event_stream() {
            let report = self.identity.look(&trail, Phase::Output);
            return edit::answer(&*self.editor, report, reply, dialect);
        }
        let (editor, identity) = (self.editor.clone(), self.identity.clone());
        let ending = reply.ending(dialect);
        Ok(reply.map_events(|events| {
            stream::told(events, editor, self.max_held, ending, identity, trail)
        }))
    }
}
