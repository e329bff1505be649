//! What the labels of a request say.

use std::sync::Arc;

use aisix_core::{
    call::{Caller, Trail},
    models::{Model, Target},
    observe::reported_status,
    reply::Outcome,
};

/// The values of every label that a request can have. Only values that configuration or our own code
/// names: nothing of what the client wrote.
pub(super) struct Facts<'a> {
    trail: &'a Trail,
    model: Option<&'a Arc<Model>>,
    target: Option<Arc<Target>>,
    status: String,
    outcome: &'static str,
}

// === impl Facts ===

impl<'a> Facts<'a> {
    /// Those of a request, with the target that was tried last.
    pub(super) fn new(trail: &'a Trail, outcome: &Outcome<'_>) -> Self {
        let attempted = trail.last_attempt().map(|attempt| attempt.target);
        let own = || trail.model()?.target().cloned();
        Self::at(trail, outcome, attempted.or_else(own))
    }

    /// Those of a request at one of its targets.
    pub(super) fn at(trail: &'a Trail, outcome: &Outcome<'_>, target: Option<Arc<Target>>) -> Self {
        Self {
            trail,
            model: trail.model(),
            target,
            status: reported_status(outcome).to_string(),
            outcome: outcome.word(),
        }
    }

    pub(super) fn target(&self) -> Option<&Arc<Target>> {
        self.target.as_ref()
    }

    pub(super) fn model(&self) -> &str {
        self.model.map_or("", |model| model.name())
    }

    pub(super) fn provider(&self) -> &str {
        self.target.as_ref().map_or("", |target| target.provider())
    }

    pub(super) fn key_id(&self) -> &str {
        self.target.as_ref().map_or("", |target| target.key().id())
    }

    pub(super) fn key_name(&self) -> &str {
        self.target
            .as_ref()
            .map_or("", |target| target.key().name())
    }

    pub(super) fn caller_id(&self) -> &str {
        self.trail.caller().map_or("", |caller| caller.id())
    }

    pub(super) fn status(&self) -> &str {
        &self.status
    }

    pub(super) fn outcome(&self) -> &'static str {
        self.outcome
    }

    /// `endpoint` to `user_name`.
    pub(super) fn identity(&self) -> [&str; 11] {
        let caller: Option<&Caller> = self.trail.caller().map(AsRef::as_ref);
        let upstream_model = self
            .target
            .as_ref()
            .map_or("", |target| target.model_name());
        [
            endpoint(self.trail),
            protocol(self.trail),
            self.provider(),
            self.model(),
            upstream_model,
            self.key_id(),
            self.key_name(),
            caller.map_or("", |caller| caller.id()),
            caller.and_then(Caller::team_id).unwrap_or_default(),
            caller.and_then(Caller::user_id).unwrap_or_default(),
            caller.and_then(Caller::user_name).unwrap_or_default(),
        ]
    }

    /// [`identity`](Self::identity), and `stream` to `outcome`.
    pub(super) fn request(&self, is_fallback: bool) -> Vec<&str> {
        let ending = [
            word(self.trail.streams()),
            word(is_fallback),
            &self.status,
            self.outcome,
        ];
        [&self.identity()[..], &ending].concat()
    }

    /// [`request`](Self::request) without `is_fallback`.
    pub(super) fn duration(&self) -> Vec<&str> {
        let ending = [word(self.trail.streams()), &self.status, self.outcome];
        [&self.identity()[..], &ending].concat()
    }

    /// `env_id` to `streaming`.
    pub(super) fn latency(&self) -> [&str; 6] {
        let class = match self.status.as_bytes().first() {
            Some(b'1') => "1xx",
            Some(b'2') => "2xx",
            Some(b'3') => "3xx",
            Some(b'4') => "4xx",
            _ => "5xx",
        };
        [
            "",
            endpoint(self.trail),
            self.model(),
            self.provider(),
            class,
            word(self.trail.streams()),
        ]
    }
}

/// The route's template, or `other`.
pub(super) fn endpoint(trail: &Trail) -> &'static str {
    trail.route().unwrap_or("other")
}

/// The dialect in which the client speaks.
pub(super) fn protocol(trail: &Trail) -> &'static str {
    trail
        .operation()
        .map_or("openai", |operation| operation.dialect.as_str())
}

/// Whether the request only asks whether the gateway is alive.
pub(super) fn is_probe(trail: &Trail) -> bool {
    matches!(trail.route(), Some("/livez" | "/readyz"))
}

fn word(flag: bool) -> &'static str {
    if flag { "true" } else { "false" }
}
