//! What observers read about a request.

use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use aisix_wire::{Operation, Usage};
use http::{HeaderValue, Method, StatusCode, Uri};
use parking_lot::Mutex;

use super::{Attempt, Caller};
use crate::{
    config::resource::Variable,
    error::ErrorKind,
    limit::Standing,
    models::{Model, Target},
    observe::{GuardVerdict, HealthTurn, Observers},
    reply::Outcome,
};

/// Attempts that are kept: of more, the first ones and the last.
const MAX_ATTEMPTS: usize = 16;
/// Questions that are kept; later ones are not listed.
const MAX_ASKED: usize = 16;
/// Marks that are kept; later ones are dropped.
const MAX_MARKS: usize = 32;

/// The record of one request: facts set once, attempts, and marks that hooks add.
///
/// A cheap clone. Observers read it; nobody decides by it.
#[derive(Clone)]
pub struct Trail(Arc<Record>);

struct Record {
    started: tokio::time::Instant,
    request_id: HeaderValue,
    method: Method,
    uri: Uri,
    user_agent: Option<HeaderValue>,
    client: Option<IpAddr>,
    observers: Observers,
    route: OnceLock<&'static str>,
    operation: OnceLock<&'static Operation>,
    caller: OnceLock<Arc<Caller>>,
    model: OnceLock<Arc<Model>>,
    streams: OnceLock<bool>,
    standings: OnceLock<Box<[Standing]>>,
    rest: Mutex<Rest>,
}

#[derive(Default)]
struct Rest {
    attempts: Vec<AttemptRecord>,
    attempt_count: u32,
    asked: Vec<Trail>,
    marks: Vec<(&'static str, String)>,
}

/// Why an attempt is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AttemptKind {
    /// It is the first.
    Initial,
    /// The one before failed, at the same target.
    Retry,
    /// The one before failed, at another target.
    Fallback,
}

/// One attempt, as it ended.
#[derive(Clone, Debug)]
pub struct AttemptRecord {
    /// Counts from 1.
    pub number: u32,
    /// Why it was made.
    pub kind: AttemptKind,
    /// The model that was tried: the one that the caller named, or one of those that it stands for.
    pub model: Arc<Model>,
    /// Where it went.
    pub target: Arc<Target>,
    /// The model's name at the upstream.
    pub upstream_model: Arc<str>,
    /// From the attempt's start to its answer: whole, or the beginning of a stream; or to the failure.
    pub latency: Duration,
    /// From the attempt's start to the first content. Streams only.
    pub first_token: Option<Duration>,
    /// Tokens used, as far as they are known.
    pub usage: Option<Usage>,
    /// Whether `usage` is an estimate.
    pub usage_estimated: bool,
    /// The upstream's status, if it gave one.
    pub status: Option<StatusCode>,
    /// The upstream's own request id.
    pub upstream_request_id: Option<HeaderValue>,
    /// Why it failed, at once or later.
    pub error: Option<ErrorKind>,
    /// Whether nobody waited for its answer: the client has left, or a hook gave up.
    pub abandoned: bool,
}

// === impl AttemptKind ===

impl AttemptKind {
    /// The kind in one word: `initial`, `retry` or `fallback`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Retry => "retry",
            Self::Fallback => "fallback",
        }
    }
}

// === impl AttemptRecord ===

impl AttemptRecord {
    /// An attempt of which nothing is known yet.
    pub(crate) fn new(attempt: &Attempt) -> Self {
        Self {
            number: attempt.number,
            kind: attempt.kind,
            model: attempt.model.clone(),
            target: attempt.target.clone(),
            upstream_model: attempt.upstream_model.clone(),
            latency: Duration::ZERO,
            first_token: None,
            usage: None,
            usage_estimated: false,
            status: None,
            upstream_request_id: None,
            error: None,
            abandoned: false,
        }
    }
}

// === impl Trail ===

impl Trail {
    pub(crate) fn new(
        request_id: HeaderValue,
        method: Method,
        uri: Uri,
        client: Option<IpAddr>,
        user_agent: Option<HeaderValue>,
        observers: Observers,
    ) -> Self {
        Self(Arc::new(Record {
            started: tokio::time::Instant::now(),
            request_id,
            method,
            uri,
            user_agent,
            client,
            observers,
            route: OnceLock::new(),
            operation: OnceLock::new(),
            caller: OnceLock::new(),
            model: OnceLock::new(),
            streams: OnceLock::new(),
            standings: OnceLock::new(),
            rest: Mutex::default(),
        }))
    }

    /// When the request came in.
    pub fn started(&self) -> Instant {
        self.0.started.into_std()
    }

    /// How long ago that was.
    pub(crate) fn age(&self) -> Duration {
        self.0.started.elapsed()
    }

    /// The request's id: the client's, if it sent an acceptable one.
    pub fn request_id(&self) -> &HeaderValue {
        &self.0.request_id
    }

    /// The request's method.
    pub fn method(&self) -> &Method {
        &self.0.method
    }

    /// The request's path, without the query, which may hold credentials.
    pub fn path(&self) -> &str {
        self.0.uri.path()
    }

    /// The client's address, by the trusted proxies' word where there are any.
    pub fn client(&self) -> Option<IpAddr> {
        self.0.client
    }

    /// The client's `User-Agent`.
    pub fn user_agent(&self) -> Option<&HeaderValue> {
        self.0.user_agent.as_ref()
    }

    /// The template of the route, such as `/v1/models/{id}`; `None` for an unknown path.
    pub fn route(&self) -> Option<&'static str> {
        self.0.route.get().copied()
    }

    /// The endpoint, once looked up.
    pub fn operation(&self) -> Option<&'static Operation> {
        self.0.operation.get().copied()
    }

    /// The caller, once authenticated.
    pub fn caller(&self) -> Option<&Arc<Caller>> {
        self.0.caller.get()
    }

    /// The model, once resolved; configured names only.
    pub fn model(&self) -> Option<&Arc<Model>> {
        self.0.model.get()
    }

    /// What a variable of a template stands for, as far as it is known by now. The provider key is that of the
    /// model's target, if it has one of its own.
    pub fn variable(&self, variable: Variable) -> Option<&str> {
        let (caller, model) = (self.caller(), self.model());
        match variable {
            Variable::RequestId => self.request_id().to_str().ok(),
            Variable::ApiKeyId => Some(caller?.id()),
            Variable::ApiKeyName => caller?.name(),
            Variable::ApiKeyTeamId => caller?.team_id(),
            Variable::ApiKeyUserId => caller?.user_id(),
            Variable::ModelId => Some(model?.id()),
            Variable::ModelName => Some(model?.name()),
            Variable::ProviderKeyId => Some(model?.target()?.key().id()),
            Variable::ProviderKeyName => Some(model?.target()?.key().name()),
        }
    }

    /// Whether the caller asked for a stream, once the body was read.
    pub fn streams(&self) -> bool {
        self.0.streams.get().copied().unwrap_or_default()
    }

    /// Whether the body was read.
    pub(crate) fn is_ingested(&self) -> bool {
        self.0.streams.get().is_some()
    }

    /// Where the caller's own limits stood when the call was admitted; empty when it has none.
    pub fn standings(&self) -> &[Standing] {
        self.0.standings.get().map_or(&[], AsRef::as_ref)
    }

    /// The last attempt.
    pub fn last_attempt(&self) -> Option<AttemptRecord> {
        self.0.rest.lock().attempts.last().cloned()
    }

    /// The attempts, sixteen at most: of more, the first fifteen and the last.
    pub fn attempts(&self) -> Vec<AttemptRecord> {
        self.0.rest.lock().attempts.clone()
    }

    /// Looks at the same without copying. `look` must not use the
    /// trail itself.
    pub fn with_attempts<R>(&self, look: impl FnOnce(&[AttemptRecord]) -> R) -> R {
        look(&self.0.rest.lock().attempts)
    }

    /// How many attempts were made.
    pub fn attempt_count(&self) -> u32 {
        self.0.rest.lock().attempt_count
    }

    /// The records of what hooks have asked other models, the first sixteen of them: see
    /// [`Call::ask`](super::Call::ask). Their attempts are none of the request's own.
    pub fn asked(&self) -> Vec<Trail> {
        self.0.rest.lock().asked.clone()
    }

    /// Adds a mark, for the access log. Keeps the first 32.
    pub fn mark(&self, name: &'static str, value: impl Into<String>) {
        let mut rest = self.0.rest.lock();
        if rest.marks.len() < MAX_MARKS {
            rest.marks.push((name, value.into()));
        }
    }

    /// Tells the observers what a guard has found. Whoever wants it in the access log marks it, too.
    pub fn note_guard(&self, verdict: &GuardVerdict<'_>) {
        for observer in self.0.observers.iter() {
            observer.guard_ended(self, verdict);
        }
    }

    /// Tells the observers that the health of a target has changed.
    pub(crate) fn note_health(&self, turn: &HealthTurn<'_>) {
        for observer in self.0.observers.iter() {
            observer.health_turned(self, turn);
        }
    }

    /// The marks that hooks added.
    pub fn marks(&self) -> Vec<(&'static str, String)> {
        self.0.rest.lock().marks.clone()
    }

    /// Looks at the marks without copying. `look` must not use the trail itself.
    pub fn with_marks<R>(&self, look: impl FnOnce(&[(&'static str, String)]) -> R) -> R {
        look(&self.0.rest.lock().marks)
    }

    /// Records the route and tells the observers, the first time.
    pub(crate) fn set_route(&self, template: &'static str) {
        if self.0.route.set(template).is_ok() {
            for observer in self.0.observers.iter() {
                observer.routed(self);
            }
        }
    }

    pub(crate) fn set_operation(&self, operation: &'static Operation) {
        let _ = self.0.operation.set(operation);
    }

    pub(crate) fn set_caller(&self, caller: Arc<Caller>) {
        let _ = self.0.caller.set(caller);
    }

    pub(crate) fn set_model(&self, model: Arc<Model>) {
        let _ = self.0.model.set(model);
    }

    pub(crate) fn set_streams(&self, streams: bool) {
        let _ = self.0.streams.set(streams);
    }

    pub(crate) fn set_standings(&self, standings: &[Standing]) {
        let _ = self.0.standings.set(standings.into());
    }

    /// Begins the record of a question that a hook has for another model.
    pub(crate) fn ask(
        &self,
        operation: &'static Operation,
        model: Arc<Model>,
        streams: bool,
    ) -> Self {
        let request = &self.0;
        let asked = Self(Arc::new(Record {
            started: tokio::time::Instant::now(),
            request_id: request.request_id.clone(),
            method: Method::POST,
            uri: operation.path.parse().unwrap_or_default(),
            user_agent: request.user_agent.clone(),
            client: request.client,
            observers: request.observers.clone(),
            route: operation.path.into(),
            operation: operation.into(),
            caller: request.caller.clone(),
            model: model.into(),
            streams: streams.into(),
            standings: OnceLock::new(),
            rest: Mutex::default(),
        }));
        let mut rest = request.rest.lock();
        if rest.asked.len() < MAX_ASKED {
            rest.asked.push(asked.clone());
        }
        drop(rest);
        asked
    }

    /// Tells the observers how a question has ended.
    pub(crate) fn end_asking(&self, outcome: &Outcome<'_>) {
        for observer in self.0.observers.iter() {
            observer.ask_ended(self, outcome);
        }
    }

    /// Records an attempt and tells the observers.
    pub(crate) fn push_attempt(&self, attempt: AttemptRecord) {
        for observer in self.0.observers.iter() {
            observer.attempt_ended(self, &attempt);
        }
        let mut rest = self.0.rest.lock();
        rest.attempt_count += 1;
        rest.attempts.truncate(MAX_ATTEMPTS - 1);
        rest.attempts.push(attempt);
    }
}

impl fmt::Debug for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trail")
            .field("request_id", &self.0.request_id)
            .field("method", &self.0.method)
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}
