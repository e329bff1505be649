//! The series that a request counts in, looked up once.

use std::sync::{Arc, OnceLock, Weak};

use aisix_core::{
    call::Trail,
    limit::Rate,
    models::Target,
    reply::{End, Outcome},
};

use super::{
    attempts::{Attempts, Spent},
    cell::{Counter, Gauge, Spend},
    facts::{Facts, is_probe},
    families::Families,
    histogram::Histogram,
    summary::Summary,
};

/// The series of all requests that have the same [`Key`](super::key::Key).
pub(super) struct Bundle {
    proxy_requests: Arc<Counter>,
    proxy_duration: Arc<Summary>,
    /// `None` for probes.
    request: Option<Request>,
    /// `None` unless the model was resolved.
    llm: Option<Llm>,
    failed: Option<Arc<Counter>>,
    cancelled: Option<Arc<Counter>>,
    authenticated: Option<Arc<Counter>>,
    /// Keeps the address of the key's target from being used again.
    _target: Option<Weak<Target>>,
}

struct Request {
    count: Arc<Counter>,
    duration: Arc<Summary>,
    e2e: Arc<Histogram>,
}

struct Llm {
    count: Arc<Counter>,
    duration: Arc<Summary>,
    latency: OnceLock<Arc<Summary>>,
    first_token: OnceLock<FirstToken>,
    spending: Spending,
    remaining_requests: OnceLock<Arc<Gauge>>,
    remaining_tokens: OnceLock<Arc<Gauge>>,
}

struct FirstToken {
    summary: Arc<Summary>,
    histogram: Arc<Histogram>,
}

/// The series of what attempts at one target used, once one has used anything.
#[derive(Default)]
struct Spending(OnceLock<Tokens>);

/// The series of the tokens of requests and questions.
struct Tokens {
    consumed: Arc<Counter>,
    input: Arc<Counter>,
    output: Arc<Counter>,
    total: Arc<Counter>,
    client_input: Arc<Counter>,
    client_output: Arc<Counter>,
    spend: Option<Arc<Spend>>,
}

/// The series of all questions to other models that have the same [`Key`](super::key::Key).
pub(super) struct Asked {
    spending: Spending,
    /// Keeps the address of the key's target from being used again.
    _target: Option<Weak<Target>>,
}

/// What a bundle is filled in from when something is counted for the first time.
pub(super) struct Scope<'a> {
    pub(super) families: &'a Families,
    pub(super) trail: &'a Trail,
    pub(super) outcome: &'a Outcome<'a>,
    pub(super) client: &'a str,
    pub(super) minute: u64,
    pub(super) attempts: &'a Attempts,
}

// === impl Bundle ===

impl Bundle {
    pub(super) fn new(scope: &Scope<'_>) -> Self {
        let families = scope.families;
        let facts = scope.facts();
        let request = facts.request(scope.is_fallback());
        let duration = facts.duration();
        let end = scope.outcome.end;
        Self {
            proxy_requests: families.proxy_requests.get(&request),
            proxy_duration: families.proxy_duration.get(&duration),
            request: (!is_probe(scope.trail)).then(|| Request::new(families, &facts)),
            llm: scope.trail.model().map(|_| Llm {
                count: families.llm_requests.get(&request),
                duration: families.llm_duration.get(&duration),
                latency: OnceLock::new(),
                first_token: OnceLock::new(),
                spending: Spending::default(),
                remaining_requests: OnceLock::new(),
                remaining_tokens: OnceLock::new(),
            }),
            failed: matches!(end, End::Refused(_) | End::Failed(_))
                .then(|| families.proxy_failed.get(&request)),
            cancelled: matches!(end, End::Cancelled).then(|| {
                let endpoint = facts.identity()[0];
                let labels = [endpoint, facts.model(), facts.key_id(), facts.key_name()];
                families.cancelled.get(&labels)
            }),
            authenticated: scope
                .trail
                .caller()
                .map(|_| families.auth.get(&["api_key", "allowed", "ok"])),
            _target: facts.target().map(Arc::downgrade),
        }
    }

    /// Counts one request.
    pub(super) fn record(&self, scope: &Scope<'_>) {
        let (elapsed, minute) = (scope.outcome.elapsed, scope.minute);
        self.proxy_requests.add(1);
        self.proxy_duration.record(elapsed, minute);
        if let Some(request) = &self.request {
            request.count.add(1);
            request.duration.record(elapsed, minute);
            request.e2e.record(elapsed);
        }
        let endings = [&self.failed, &self.cancelled, &self.authenticated];
        for counter in endings.into_iter().flatten() {
            counter.add(1);
        }
        if let Some(llm) = &self.llm {
            llm.record(scope);
        }
    }
}

// === impl Request ===

impl Request {
    fn new(families: &Families, facts: &Facts<'_>) -> Self {
        let (provider, model, status) = (facts.provider(), facts.model(), facts.status());
        Self {
            count: families
                .requests
                .get(&[provider, model, status, facts.outcome()]),
            duration: families.request_duration.get(&[provider, model, status]),
            e2e: families.e2e.get(&facts.latency()),
        }
    }
}

// === impl Llm ===

impl Llm {
    fn record(&self, scope: &Scope<'_>) {
        self.count.add(1);
        self.duration.record(scope.outcome.elapsed, scope.minute);
        if let Some(latency) = scope.attempts.latency {
            self.latency
                .get_or_init(|| scope.families.api_latency.get(&scope.facts().duration()))
                .record(latency, scope.minute);
        }
        if let Some(time) = scope.outcome.first_token {
            let first = self.first_token.get_or_init(|| FirstToken::new(scope));
            first.summary.record(time, scope.minute);
            first.histogram.record(time);
        }
        self.spending.record(scope);
        for standing in scope.trail.standings() {
            let (gauge, family) = match standing.rate {
                Rate::Rpm => (&self.remaining_requests, &scope.families.remaining_requests),
                Rate::Tpm => (&self.remaining_tokens, &scope.families.remaining_tokens),
                _ => continue,
            };
            let gauge = gauge.get_or_init(|| {
                let facts = scope.facts();
                family.get(&[facts.caller_id(), facts.model()])
            });
            gauge.set(standing.remaining.try_into().unwrap_or(i64::MAX));
        }
    }
}

// === impl FirstToken ===

impl FirstToken {
    fn new(scope: &Scope<'_>) -> Self {
        let facts = scope.facts();
        Self {
            summary: scope.families.llm_ttft.get(&facts.identity()),
            histogram: scope.families.ttft.get(&facts.latency()),
        }
    }
}

// === impl Spending ===

impl Spending {
    /// Counts what the attempts used.
    fn record(&self, scope: &Scope<'_>) {
        if let Some(spent) = &scope.attempts.spent {
            let new = || Tokens::new(scope, &scope.facts(), spent);
            self.0.get_or_init(new).record(spent);
        }
        for (target, spent) in &scope.attempts.spent_before {
            let facts = Facts::at(scope.trail, scope.outcome, Some(target.clone()));
            Tokens::new(scope, &facts, spent).record(spent);
        }
    }
}

// === impl Tokens ===

impl Tokens {
    fn new(scope: &Scope<'_>, facts: &Facts<'_>, spent: &Spent) -> Self {
        let families = scope.families;
        let (identity, model) = (facts.identity(), facts.model());
        let client = |kind| families.by_client.get(&[scope.client, model, kind]);
        Self {
            consumed: families.tokens.get(&[facts.provider(), model]),
            input: families.llm_input.get(&identity),
            output: families.llm_output.get(&identity),
            total: families.llm_total.get(&identity),
            client_input: client("input"),
            client_output: client("output"),
            spend: spent.price.map(|_| families.llm_spend.get(&identity)),
        }
    }

    fn record(&self, spent: &Spent) {
        let usage = spent.usage;
        let (input, output) = (usage.input_total(), usage.output_total());
        self.consumed.add(usage.total());
        self.input.add(input);
        self.output.add(output);
        self.total.add(usage.total());
        self.client_input.add(input);
        self.client_output.add(output);
        if let (Some(spend), Some(dollars)) = (&self.spend, spent.cost()) {
            spend.add(dollars);
        }
    }
}

// === impl Asked ===

impl Asked {
    pub(super) fn new(scope: &Scope<'_>) -> Self {
        Self {
            spending: Spending::default(),
            _target: scope.facts().target().map(Arc::downgrade),
        }
    }

    /// Counts the tokens of one question.
    pub(super) fn record(&self, scope: &Scope<'_>) {
        self.spending.record(scope);
    }
}

// === impl Scope ===

impl Scope<'_> {
    pub(super) fn is_fallback(&self) -> bool {
        !self.attempts.fallbacks.is_empty()
    }

    fn facts(&self) -> Facts<'_> {
        Facts::new(self.trail, self.outcome)
    }
}
