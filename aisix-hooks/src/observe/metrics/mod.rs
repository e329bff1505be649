//! Metrics in the text format of Prometheus.
//!
//! Names, types and labels are those of AISIX's dashboards. Counted are: by `aisix_proxy_*` every
//! request; by `aisix_requests_total`, `aisix_request_*` every request except probes; by `aisix_llm_*`
//! every request whose model was resolved. Failed is what was refused or broke; a client that left is
//! counted as cancelled, with status 499 when it had no status yet.
//!
//! A deployment is a model that is served itself, whatever model the caller named: `aisix_deployment_*` count each attempt at it. Tokens
//! and what they cost are those of the attempts, each at the price of the model that was tried, under the model that
//! the caller named.
//!
//! Labels hold what configuration names and never what a client wrote: an unknown path is `other`, an
//! unknown model `unknown`. Each metric keeps at most [`max_series`](MetricsSettings::max_series)
//! series, and one more, all of whose labels are `other`, for the rest.
//!
//! The series of a request are looked up once for each combination of its labels and remembered by
//! each worker; from then on, a request costs one look-up and its additions. Everything has a fixed
//! size: quantiles are kept in buckets and not as samples, which is why this is not built on
//! `prometheus-client` (no summaries, another format) or `metrics-exporter-prometheus` (keeps samples
//! until somebody asks).

mod attempts;
mod bundle;
mod cache;
mod cell;
mod client;
mod config;
mod facts;
mod families;
mod family;
mod histogram;
mod key;
mod memory;
mod settings;
mod summary;
mod text;

use std::{fmt, sync::Arc, time::Instant};

use aisix_core::{
    Error, ErrorKind,
    auth::NoCredential,
    balance::health::Turn,
    call::{AttemptRecord, Trail},
    limit::{PolicyName, Rate},
    observe::{GuardVerdict, HealthTurn, Observer, ReplicaTurn, Ruling},
    reply::{End, Outcome},
};

use self::{
    attempts::Attempts,
    bundle::{Asked, Bundle, Scope},
    client::ClientTypes,
    families::Families,
    key::Key,
    memory::{Memory, deployment},
};
pub use self::{
    config::{ConfigMetrics, ReloadFailure},
    settings::{Buckets, ClientTypeRule, MetricsSettings, RuleError},
};
use super::worker::PerWorker;

/// The content type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4";

/// Counts requests. A cheap clone; one is shared by all workers.
#[derive(Clone)]
pub struct Metrics(Arc<State>);

struct State {
    families: Families,
    clients: ClientTypes,
    started: Instant,
    memory: PerWorker<Memory>,
}

// === impl Metrics ===

impl Metrics {
    /// Starts with everything at zero.
    pub fn new(settings: MetricsSettings) -> Self {
        Self(Arc::new(State {
            families: Families::new(&settings),
            clients: ClientTypes::new(settings.client_type_rules),
            started: Instant::now(),
            memory: PerWorker::new(),
        }))
    }

    /// Writes all metrics in the text format of Prometheus, see [`CONTENT_TYPE`].
    ///
    /// Takes a while when there are many series: not for a thread that serves requests.
    pub fn render(&self) -> String {
        let minute = self.minute(Instant::now());
        let mut out = String::with_capacity(64 * 1024);
        for family in self.0.families.all() {
            family.render(&mut out, minute);
        }
        out
    }

    /// The metrics of the configuration, to be set by whoever applies it.
    pub fn config(&self) -> ConfigMetrics {
        ConfigMetrics(self.0.clone())
    }

    /// Counts something that Redis was asked for in vain. `operation` is one of a few words.
    pub fn redis_failed(&self, operation: &str) {
        self.0.families.redis_failures.get(&[operation]).add(1);
    }

    fn minute(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.0.started).as_secs() / 60
    }

    /// Counts what only refusals have.
    fn refused(&self, trail: &Trail, outcome: &Outcome<'_>, error: &Error) {
        let families = &self.0.families;
        match error.kind() {
            ErrorKind::Unauthenticated if trail.caller().is_none() => {
                let (method, reason) = denial(error);
                families.auth.get(&[method, "denied", reason]).add(1);
            }
            ErrorKind::RateLimited => {
                if let (Some(limit), Some(rate)) = (error.limit(), error.rate()) {
                    let policy = limit.policy().map_or("", PolicyName::id);
                    let labels = [counted(rate), limit.scope().name(), policy];
                    families.ratelimit.get(&labels).add(1);
                }
            }
            ErrorKind::TooLarge => {
                let labels = [
                    facts::endpoint(trail),
                    facts::protocol(trail),
                    outcome.word(),
                ];
                families.too_large.get(&labels).add(1);
            }
            _ => {}
        }
    }
}

impl Observer for Metrics {
    fn routed(&self, trail: &Trail) {
        let state = &self.0;
        state.memory.mine().in_flight(&state.families, trail).add(1);
    }

    fn attempt_ended(&self, _: &Trail, attempt: &AttemptRecord) {
        let state = &self.0;
        let mut memory = state.memory.mine();
        let deployment = memory.deployment(&state.families, &attempt.model, &attempt.target);
        deployment.attempts.add(1);
        match attempt.error {
            // What an abandoned attempt would have come to, nobody knows.
            _ if attempt.abandoned => {}
            None => deployment.successes.add(1),
            Some(_) => deployment.failures.add(1),
        }
    }

    fn health_turned(&self, _: &Trail, told: &HealthTurn<'_>) {
        if let Turn::Cooling { .. } | Turn::CredentialRefused { .. } = told.turn {
            let labels = deployment(told.model, told.target);
            let families = &self.0.families;
            families.deployment_cooled_down.get(&labels).add(1);
        }
    }

    fn replica_turned(&self, told: &ReplicaTurn<'_>) {
        let (upstream, replica) = (told.replica.upstream(), told.replica.name());
        let labels = [&**upstream, &**replica, told.turn.as_str()];
        self.0.families.replica_turns.get(&labels).add(1);
    }

    fn guard_ended(&self, _: &Trail, verdict: &GuardVerdict<'_>) {
        let state = &self.0;
        let mut memory = state.memory.mine();
        let latency = memory.guard(&state.families, verdict);
        latency.record(verdict.latency);
        match verdict.ruling {
            Ruling::Blocked => state.families.guard_blocks.get(&[]).add(1),
            Ruling::Bypassed(reason) => state.families.guard_bypasses.get(&[reason]).add(1),
            _ => {}
        }
    }

    /// A question is no request: its tokens are counted, under the model that was asked.
    fn ask_ended(&self, trail: &Trail, outcome: &Outcome<'_>) {
        let attempts = trail.with_attempts(Attempts::of);
        let state = &self.0;
        count_fallbacks(&state.families, trail, &attempts);
        let mut memory = state.memory.mine();
        let client = memory.client(&state.clients, trail);
        let scope = Scope {
            families: &state.families,
            trail,
            outcome,
            client: state.clients.name(client),
            minute: self.minute(trail.started() + outcome.elapsed),
            attempts: &attempts,
        };
        let key = Key::new(&scope, client);
        memory.asked(key, || Asked::new(&scope)).record(&scope);
    }

    fn ended(&self, trail: &Trail, outcome: &Outcome<'_>) {
        if let End::Refused(error) = outcome.end {
            self.refused(trail, outcome, error);
        }
        let minute = self.minute(trail.started() + outcome.elapsed);
        trail.with_marks(|marks| cache::count(&self.0.families, marks, minute));
        let attempts = trail.with_attempts(Attempts::of);
        let state = &self.0;
        count_fallbacks(&state.families, trail, &attempts);
        let mut memory = state.memory.mine();
        if trail.route().is_some() {
            memory.in_flight(&state.families, trail).add(-1);
        }
        let client = memory.client(&state.clients, trail);
        let scope = Scope {
            families: &state.families,
            trail,
            outcome,
            client: state.clients.name(client),
            minute,
            attempts: &attempts,
        };
        let key = Key::new(&scope, client);
        memory.bundle(key, || Bundle::new(&scope)).record(&scope);
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// Counts who took over from others, and who was asked beside them.
fn count_fallbacks(families: &Families, trail: &Trail, attempts: &Attempts) {
    let model = trail.model().map_or("", |model| model.name());
    for fallback in &attempts.fallbacks {
        let family = match fallback.has_served {
            Some(true) => &families.fallbacks,
            Some(false) => &families.failed_fallbacks,
            None => continue,
        };
        family.get(&[model, fallback.model.name()]).add(1);
    }
    for (hedge, outcome) in &attempts.hedges {
        families.hedges.get(&[model, hedge.name(), outcome]).add(1);
    }
}

/// How a caller tried to authenticate, and why that failed.
fn denial(error: &Error) -> (&'static str, &str) {
    match std::error::Error::source(error) {
        Some(source) if source.is::<NoCredential>() => ("none", "missing_credential"),
        _ => ("api_key", error.code().unwrap_or("invalid_api_key")),
    }
}

/// What a rate counts.
fn counted(rate: Rate) -> &'static str {
    match rate {
        Rate::Rps | Rate::Rpm | Rate::Rph | Rate::Rpd => "requests",
        Rate::Tpm | Rate::Tpd => "tokens",
        Rate::Concurrency => "concurrency",
    }
}
