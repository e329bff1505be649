//! What is seen while a request goes through.

use std::sync::Arc;

use aisix_wire::Envelope;
use bytes::Bytes;
use http::request::Parts;
use parking_lot::Mutex;

use super::explanation::{EmbedFacts, Refusal, Stage};
use crate::{
    call::{Attempt, Caller, Trail},
    config::Snapshot,
    edge::error_body,
    error::Error,
    limit::{Claim, Look},
    observe::Observer,
    reply::{End, Outcome},
    upstream::{Considered, Fidelity, Prepared, Witness},
};

/// What is seen of one request: by an observer, at the borders, and where it would have left.
pub(super) struct Notes {
    /// The model as the request names it.
    pub(super) model: Option<String>,
    /// Whether the body was given, not made up.
    pub(super) has_body: bool,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    trail: Option<Trail>,
    /// The configuration, once somebody is asked who calls.
    config: Option<Arc<Snapshot>>,
    is_key_unknown: bool,
    caller: Option<Arc<Caller>>,
    claims: Vec<(Claim, Option<Look>)>,
    considered: Vec<Considered>,
    embeds: Option<EmbedFacts>,
    refusal: Option<Refusal>,
    upstreams: Vec<Upstream>,
}

/// The request that would have left.
#[derive(Clone)]
pub(super) struct Upstream {
    pub(super) head: Arc<Parts>,
    pub(super) body: Bytes,
    pub(super) fidelity: Fidelity,
    pub(super) dropped: Vec<String>,
    /// The members of the caller's body that were changed, added or left out.
    pub(super) edited: Vec<String>,
    pub(super) has_own_transport: bool,
    /// The id of the model that it would go to.
    pub(super) model_id: Arc<str>,
    /// The replica, where there are several.
    pub(super) replica: Option<String>,
}

// === impl Notes ===

impl Notes {
    pub(super) fn new(model: Option<String>, has_body: bool) -> Self {
        Self {
            model,
            has_body,
            seen: Mutex::default(),
        }
    }

    pub(super) fn auth_reached(&self, config: &Arc<Snapshot>) {
        self.seen.lock().config = Some(config.clone());
    }

    pub(super) fn config(&self) -> Option<Arc<Snapshot>> {
        self.seen.lock().config.clone()
    }

    pub(super) fn key_unknown(&self) {
        self.seen.lock().is_key_unknown = true;
    }

    pub(super) fn caller_found(&self, caller: Arc<Caller>) {
        self.seen.lock().caller = Some(caller);
    }

    pub(super) fn looked_at(&self, claim: Claim, look: Option<Look>) {
        self.seen.lock().claims.push((claim, look));
    }

    pub(super) fn is_key_unknown(&self) -> bool {
        self.seen.lock().is_key_unknown
    }

    /// The record of the request; there is one once the request has ended.
    pub(super) fn trail(&self) -> Option<Trail> {
        self.seen.lock().trail.clone()
    }

    /// The caller, also one that was refused.
    pub(super) fn caller(&self) -> Option<Arc<Caller>> {
        self.seen.lock().caller.clone()
    }

    /// What was asked of the limits, and how they stand: of those of the call, and of those of targets that were tried.
    pub(super) fn claim(&self) -> Option<(Claim, Option<Look>)> {
        let claims = self.seen.lock().claims.clone();
        claims
            .into_iter()
            .reduce(|(mut all, look), (next, next_look)| {
                all.limits.extend(next.limits);
                let look = look.zip(next_look).map(|(mut look, next)| {
                    look.limits.extend(next.limits);
                    look
                });
                (all, look)
            })
    }

    /// The models that a group has chosen among.
    pub(super) fn considered(&self) -> Vec<Considered> {
        self.seen.lock().considered.clone()
    }

    /// What a model would be asked for the vector of.
    pub(super) fn embeds(&self) -> Option<EmbedFacts> {
        self.seen.lock().embeds.clone()
    }

    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.seen.lock().refusal.clone()
    }

    /// The last request that would have left.
    pub(super) fn upstream(&self) -> Option<Upstream> {
        self.seen.lock().upstreams.last().cloned()
    }

    /// All of them.
    pub(super) fn upstreams(&self) -> Vec<Upstream> {
        self.seen.lock().upstreams.clone()
    }

    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn shown(&self) -> Option<crate::testing::Recorded> {
        let upstream = self.upstream()?;
        Some(crate::testing::Recorded {
            head: Parts::clone(&upstream.head),
            body: upstream.body,
        })
    }
}

impl Observer for Notes {
    fn started(&self, trail: &Trail) {
        self.seen.lock().trail = Some(trail.clone());
    }

    fn ended(&self, trail: &Trail, outcome: &Outcome<'_>) {
        if let End::Refused(error) | End::Failed(error) = outcome.end {
            let mut seen = self.seen.lock();
            let stage = stage(trail, seen.config.is_some(), error);
            seen.refusal = Some(refusal(stage, error));
        }
    }
}

impl Witness for Notes {
    fn considered(&self, considered: Vec<Considered>) {
        self.seen.lock().considered = considered;
    }

    fn embeds(&self, model: &Arc<str>, text: &str) {
        self.seen.lock().embeds = Some(EmbedFacts {
            model: model.to_string(),
            text: text.to_owned(),
        });
    }

    fn prepared(&self, attempt: &Attempt, prepared: Prepared) {
        let (head, body) = prepared.request.into_parts();
        let body = Bytes::copy_from_slice(body.as_bytes().unwrap_or_default());
        let edited = match prepared.fidelity {
            Fidelity::Edited => edited(attempt.call.bytes(), &body),
            // Of a translation, everything is written anew.
            Fidelity::Verbatim | Fidelity::Translated => Vec::new(),
        };
        self.seen.lock().upstreams.push(Upstream {
            head: Arc::new(head),
            body,
            fidelity: prepared.fidelity,
            dropped: prepared.dropped,
            edited,
            model_id: attempt.model.id().clone(),
            replica: attempt.target.replica().map(|it| it.name().to_string()),
            has_own_transport: prepared.has_own_transport,
        });
    }
}

/// How far a request came that was refused with this error.
fn stage(trail: &Trail, is_auth_reached: bool, error: &Error) -> Stage {
    if trail.attempt_count() > 0 {
        Stage::Upstream
    } else if error.limit().is_some() {
        Stage::Limit
    } else if trail.is_ingested() {
        Stage::Admit
    } else if trail.caller().is_some() {
        Stage::Ingest
    } else if is_auth_reached {
        Stage::Auth
    } else {
        Stage::Edge
    }
}

fn refusal(stage: Stage, error: &Error) -> Refusal {
    let told = error_body(error);
    Refusal {
        stage,
        status: told.status,
        kind: error.kind(),
        code: told.code.map(str::to_owned),
        param: told.param.map(str::to_owned),
        message: told.message.to_owned(),
        retry_after: error.retry_after(),
        detail: detail(error),
        answer: Bytes::new(),
    }
}

/// What is only for the operator: the causes, one after the other.
fn detail(error: &Error) -> Option<String> {
    let first = std::error::Error::source(error);
    let causes = std::iter::successors(first, |cause| cause.source());
    let causes: Vec<_> = causes.map(ToString::to_string).collect();
    (!causes.is_empty()).then(|| causes.join(": "))
}

/// The names of the top-level members in which two bodies differ, in the order in which they stand.
fn edited(before: &[u8], after: &[u8]) -> Vec<String> {
    let (old, new) = (members(before), members(after));
    let gone = old
        .iter()
        .filter(|(name, _)| !new.iter().any(|(kept, _)| kept == name));
    let changed = new.iter().filter(|member| !old.contains(member));
    let mut names: Vec<String> = Vec::new();
    for (name, _) in changed.chain(gone) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

fn members(body: &[u8]) -> Vec<(String, &[u8])> {
    let Ok(envelope) = Envelope::scan(body, &[]) else {
        return Vec::new();
    };
    let member = |member: &aisix_wire::Member| {
        let name = String::from_utf8_lossy(&body[member.name.clone()]);
        (name.into_owned(), &body[member.value.clone()])
    };
    envelope.members().iter().map(member).collect()
}
