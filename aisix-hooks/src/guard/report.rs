//! Telling what a guard has found: one way for all guards.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aisix_core::{
    Error, ErrorKind,
    call::Trail,
    config::resource::Mode,
    hook::Context,
    observe::{GuardVerdict, Phase, Ruling},
};

use super::Enforcement;

/// Who a guard is in refusals, in the access log and in metrics.
#[derive(Clone, Debug)]
pub struct Identity {
    name: Arc<str>,
    kind: &'static str,
    monitors: bool,
}

/// A guard's look at one request or one answer, to be ended by what it has found.
///
/// That marks the access log, counts in the metrics `aisix_guardrail_*`, and says what to do. A look that is
/// dropped, because the client has left, is not told.
#[derive(Debug)]
#[must_use = "what was found must be told"]
pub struct Report<'a> {
    guard: &'a Identity,
    trail: &'a Trail,
    phase: Phase,
    monitors: bool,
    began: Instant,
    took: Option<Duration>,
}

// === impl Identity ===

impl Identity {
    /// A guard of a kind, such as `keyword`. Its name is what its settings say, or the element's id. It only
    /// watches if its settings or its chain say so.
    pub fn new(
        kind: &'static str,
        name: Option<&str>,
        enforcement: Enforcement,
        context: &Context<'_>,
    ) -> Self {
        Self {
            name: name.unwrap_or_else(|| context.id()).into(),
            kind,
            monitors: enforcement == Enforcement::Monitor || context.mode() == Mode::Observe,
        }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it refuses and changes nothing.
    pub fn monitors(&self) -> bool {
        self.monitors
    }

    /// Begins a look.
    pub fn look<'a>(&'a self, trail: &'a Trail, phase: Phase) -> Report<'a> {
        Report {
            guard: self,
            trail,
            phase,
            monitors: self.monitors,
            began: Instant::now(),
            took: None,
        }
    }

    /// What a request or an answer is refused with: 422 with the type `content_filter`.
    pub fn refusal(&self, phase: Phase) -> Error {
        let what = match phase {
            Phase::Input => "request",
            Phase::Output => "response",
        };
        let name = &self.name;
        let message = format!("{what} blocked by content policy (guardrail '{name}')");
        Error::new(ErrorKind::Blocked, message)
    }
}

// === impl Report ===

impl Report<'_> {
    /// Says how long the look took, if that is not since it began: what lies between the events of a stream is
    /// not the guard's time.
    pub fn took(mut self, time: Duration) -> Self {
        self.took = Some(time);
        self
    }

    /// Watches only, whatever the guard does else.
    pub fn watching(mut self) -> Self {
        self.monitors = true;
        self
    }

    /// There is nothing to say against it.
    pub fn allow(self) {
        self.end(Ruling::Allowed);
    }

    /// It must not go on.
    ///
    /// # Errors
    ///
    /// The refusal, unless the guard only watches.
    pub fn block(self) -> Result<(), Error> {
        let (name, refusal) = (self.guard.name(), self.guard.refusal(self.phase));
        if self.monitors {
            self.trail.mark("guardrail_would_block", name);
            self.end(Ruling::WouldBlock);
            return Ok(());
        }
        self.trail.mark("guardrail_blocked", name);
        self.end(Ruling::Blocked);
        Err(refusal)
    }

    /// Parts of it must not go on; tells whether they are to be replaced.
    pub fn mask(self) -> bool {
        let (name, masks) = (self.guard.name(), !self.monitors);
        let (mark, ruling) = match masks {
            true => ("guardrail_masked", Ruling::Masked),
            false => ("guardrail_would_mask", Ruling::WouldMask),
        };
        self.trail.mark(mark, name);
        self.end(ruling);
        masks
    }

    /// It cannot be told, for a reason that is one of a few words, such as `lakera_timeout`. Then a guard that is
    /// open lets it go on, and one that is not blocks it.
    ///
    /// # Errors
    ///
    /// The refusal, unless the guard is open or only watches.
    pub fn fail(self, reason: &'static str, is_open: bool) -> Result<(), Error> {
        let told = format!("{}: {reason}", self.guard.name);
        if is_open {
            self.trail.mark("guardrail_bypassed", told);
            self.end(Ruling::Bypassed(reason));
            return Ok(());
        }
        self.trail.mark("guardrail_unavailable", told);
        self.block()
    }

    fn end(self, ruling: Ruling) {
        self.trail.note_guard(&GuardVerdict {
            guard: &self.guard.name,
            kind: self.guard.kind,
            phase: self.phase,
            ruling,
            latency: self.took.unwrap_or_else(|| self.began.elapsed()),
        });
    }
}
