//! Limits of policies through the front door, on a clock that stands still.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use aisix_core::{
    Gateway,
    body::Body,
    config::{Change, Config, Entry, Key, KeyHash, resource::Kind},
    limit::{Claim, Exceeded, Limit, LimitStore, Memory, Permit, Scope},
    testing::{self, Answer, Setup, Upstream},
};
use http::{HeaderMap, Request};
use serde_json::{Value, json};

use crate::ask::send;

/// A quarter past the minute.
const NOON: u64 = 1_800_000_015;

const GEMINI: &str = "/v1beta/models/mini:generateContent";

/// Counts in memory, and remembers what was claimed.
#[derive(Clone)]
struct Store {
    memory: Memory,
    clock: Arc<AtomicU64>,
    claims: Arc<Mutex<Vec<Claim>>>,
}

/// A gateway with callers `sk-ann` (team `blue`, user `ann`), `sk-bob` (`blue`, `bob`), `sk-red` (team `red`,
/// nobody's) and `sk-lone` (no team), and the models `mini`, `maxi` and `wild-*`.
struct Town {
    upstream: Upstream,
    config: Config,
    gateway: Gateway,
    store: Store,
}

impl LimitStore for Store {
    fn acquire<'a>(
        &'a self,
        claim: &'a Claim,
    ) -> Pin<Box<dyn Future<Output = Result<Permit, Exceeded>> + Send + 'a>> {
        self.claims.lock().unwrap().push(claim.clone());
        self.memory.acquire(claim)
    }
}

fn caller(key: &str, more: Value) -> Value {
    let mut caller = json!({"key_hash": KeyHash::of(key).to_hex(), "allowed_models": ["*"]});
    let members = caller.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    caller
}

fn model(name: &str, provider: &str) -> Value {
    json!({"display_name": name, "provider": provider, "model_name": "up", "provider_key_id": "key"})
}

fn put(kind: Kind, id: &str, document: Value) -> Change {
    Change::Put(Entry::new(kind, id, document))
}

impl Town {
    /// With policies, by their ids.
    fn new(policies: &[(&str, Value)]) -> Self {
        let upstream = Upstream::new();
        let plain = json!({"display_name": "plain", "provider": "plain", "api_key": "x"});
        let mut setup = Setup::new()
            .add(Kind::ProviderKey, "plain", plain)
            .add(Kind::Model, "m-mini", model("mini", "plain"))
            .add(Kind::Model, "m-maxi", {
                let mut maxi = model("maxi", "other");
                maxi["provider_key_id"] = "plain".into();
                maxi["rate_limit"] = json!({"rpd": 1_000});
                maxi
            })
            .add(Kind::Model, "m-wild", model("wild-*", "plain"));
        for (id, key, more) in [
            (
                "ann",
                "sk-ann",
                json!({"team_id": "blue", "user_id": "ann", "rate_limit": {"rpm": 1_000}}),
            ),
            (
                "bob",
                "sk-bob",
                json!({"team_id": "blue", "user_id": "bob"}),
            ),
            ("red", "sk-red", json!({"team_id": "red"})),
            ("lone", "sk-lone", json!({})),
        ] {
            setup = setup.add(Kind::ApiKey, id, caller(key, more));
        }
        for (id, policy) in policies {
            setup = setup.add(Kind::RateLimitPolicy, id, policy.clone());
        }
        let clock = Arc::new(AtomicU64::new(NOON));
        let now = clock.clone();
        let store = Store {
            memory: Memory::with_clock(move || now.load(Ordering::Relaxed)),
            clock,
            claims: Arc::default(),
        };
        let config = setup.config();
        let builder = Gateway::builder(config.clone()).transport(upstream.clone());
        let gateway = builder.limits(store.clone()).build().unwrap();
        Self {
            upstream,
            config,
            gateway,
            store,
        }
    }

    fn change(&self, change: Change) {
        let report = self.config.apply([change]);
        assert!(report.into_result().is_ok());
    }

    /// Asks and reads the answer: its status, its headers and the JSON.
    async fn answer(&self, key: &str, path: &str, model: &str) -> (u16, HeaderMap, Value) {
        let turn = json!([{"role": "user", "content": "hi"}]);
        let body = match path {
            "/v1/responses" => json!({"model": model, "input": "hi"}),
            GEMINI => json!({"contents": [{"parts": [{"text": "hi"}]}]}),
            _ => json!({"model": model, "messages": turn, "max_tokens": 5}),
        };
        self.upstream.answer(Answer::chat("hello"));
        let request = Request::post(path)
            .header("authorization", format!("Bearer {key}"))
            .body(Body::full(body.to_string()))
            .unwrap();
        let response = send(&self.gateway, request).await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        (status, headers, testing::json(response).await)
    }

    async fn ask(&self, key: &str, model: &str) -> u16 {
        self.answer(key, "/v1/chat/completions", model).await.0
    }

    /// The statuses of these calls, one after the other.
    async fn all(&self, calls: &[(&str, &str)]) -> Vec<u16> {
        let mut statuses = Vec::new();
        for (key, model) in calls {
            statuses.push(self.ask(key, model).await);
        }
        statuses
    }

    /// The limits of policies in the last claim.
    fn rules(&self) -> Vec<Arc<Limit>> {
        let claims = self.store.claims.lock().unwrap();
        let limits = claims
            .last()
            .into_iter()
            .flat_map(|claim| claim.limits.iter());
        let rules = limits.filter(|limit| limit.scope() == Scope::Policy);
        rules.cloned().collect()
    }

    /// The keys under which a call is counted for policies.
    async fn keys(&self, key: &str, model: &str) -> Vec<String> {
        self.store.claims.lock().unwrap().clear();
        assert_eq!(self.ask(key, model).await, 200);
        let rules = self.rules();
        rules.iter().map(|limit| limit.key().to_string()).collect()
    }

    fn advance(&self, seconds: u64) {
        self.store.clock.fetch_add(seconds, Ordering::Relaxed);
    }
}

fn classic(scope: &str, of: &str, window: &str, max: u64) -> Value {
    json!({"name": "classic", "scope": scope, "scope_ref": of, "window": window, "max_requests": max})
}

fn conditional(limits: Value, more: Value) -> Value {
    let mut policy = json!({"name": "conditional", "limits": limits});
    let members = policy.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    policy
}

const CALLS: [(&str, &str); 5] = [
    ("sk-ann", "mini"),
    ("sk-bob", "maxi"),
    ("sk-red", "mini"),
    ("sk-lone", "maxi"),
    ("sk-lone", "wild-1"),
];

#[tokio::test]
async fn who_is_under_a_policy_is_counted_under_its_key() {
    let none: [&str; 5] = [""; 5];
    let leaf = |dimension: &str, operator: &str, value: Value| json!({"conditions": [{"dimension": dimension, "operator": operator, "value": value}]});
    let of = |more: Value| conditional(json!({"rpd": 100}), more);
    for (policy, expected) in [
        (
            classic("api_key", "ann", "day", 100),
            ["policy:api_key:ann:p", "", "", "", ""],
        ),
        (
            classic("model", "m-mini", "day", 100),
            ["policy:model:m-mini:p", "", "policy:model:m-mini:p", "", ""],
        ),
        (
            classic("team", "blue", "day", 100),
            ["policy:team:blue:p", "policy:team:blue:p", "", "", ""],
        ),
        (
            classic("member", "bob", "day", 100),
            ["", "policy:member:bob:p", "", "", ""],
        ),
        (
            classic("team_member", "blue", "day", 100),
            [
                "policy:team_member:blue:p:ann",
                "policy:team_member:blue:p:bob",
                "",
                "",
                "",
            ],
        ),
        // Its key has no user.
        (classic("team_member", "red", "day", 100), none),
        (classic("api_key", "mini", "day", 100), none),
        (of(json!({})), ["policy:v2:p"; 5]),
        (
            of(leaf("team", "in", json!(["blue", "green"]))),
            ["policy:v2:p", "policy:v2:p", "", "", ""],
        ),
        (
            of(leaf("team", "~=", "blue".into())),
            ["", "", "policy:v2:p", "", ""],
        ),
        (
            of(leaf("model", "==", "m-wild".into())),
            ["", "", "", "", "policy:v2:p"],
        ),
        (
            of(leaf("model_name", "~~", "^w.*[*]$".into())),
            ["", "", "", "", "policy:v2:p"],
        ),
        (
            of(leaf("provider", "==", "other".into())),
            ["", "policy:v2:p", "", "policy:v2:p", ""],
        ),
        (
            of(leaf("member", "~=", "ann".into())),
            ["", "policy:v2:p", "", "", ""],
        ),
        (
            of(json!({"group_by": ["team"]})),
            [
                "policy:v2:p:team=blue",
                "policy:v2:p:team=blue",
                "policy:v2:p:team=red",
                "",
                "",
            ],
        ),
        (
            of(json!({"group_by": ["provider", "model", "api_key", "member", "team"]})),
            [
                "policy:v2:p:team=blue:member=ann:api_key=ann:model=m-mini:provider=plain",
                "policy:v2:p:team=blue:member=bob:api_key=bob:model=m-maxi:provider=other",
                "",
                "",
                "",
            ],
        ),
    ] {
        let town = Town::new(&[("p", policy.clone())]);
        for (call, expected) in CALLS.iter().zip(expected) {
            let keys = town.keys(call.0, call.1).await;
            let expected: Vec<_> = Some(expected)
                .into_iter()
                .filter(|it| !it.is_empty())
                .collect();
            assert_eq!(keys, expected, "{call:?} under {policy}");
        }
    }
}

#[tokio::test]
async fn what_separates_values_in_a_key_is_escaped_in_them() {
    let policy = conditional(json!({"rpd": 100}), json!({"group_by": ["team", "member"]}));
    let town = Town::new(&[("p", policy)]);
    let odd = json!({"team_id": "a:member=b%", "user_id": "c"});
    town.change(put(Kind::ApiKey, "odd", caller("sk-odd", odd)));
    let expected = ["policy:v2:p:team=a%3Amember%3Db%25:member=c"];
    assert_eq!(town.keys("sk-odd", "mini").await, expected);
}

#[tokio::test]
async fn each_group_has_counts_of_its_own() {
    let by_team = conditional(json!({"rpd": 2}), json!({"group_by": ["team"]}));
    let town = Town::new(&[("p", by_team)]);
    let calls = [
        ("sk-ann", "mini"),
        ("sk-bob", "maxi"),
        ("sk-ann", "maxi"),
        ("sk-red", "mini"),
        ("sk-lone", "mini"),
        ("sk-lone", "mini"),
        ("sk-lone", "mini"),
    ];
    assert_eq!(town.all(&calls).await, [200, 200, 429, 200, 200, 200, 200]);
    let of_members = Town::new(&[("p", classic("team_member", "blue", "day", 1))]);
    let calls = [
        ("sk-ann", "mini"),
        ("sk-bob", "mini"),
        ("sk-ann", "maxi"),
        ("sk-bob", "maxi"),
    ];
    assert_eq!(of_members.all(&calls).await, [200, 200, 429, 429]);
}

#[tokio::test]
async fn limits_are_checked_key_model_policies_and_taken_together_or_not_at_all() {
    let town = Town::new(&[
        ("p2", classic("team", "blue", "day", 100)),
        ("p1", classic("model", "m-maxi", "day", 1)),
    ]);
    assert_eq!(town.ask("sk-ann", "maxi").await, 200);
    let claimed: Vec<_> = {
        let claims = town.store.claims.lock().unwrap();
        claims[0]
            .limits
            .iter()
            .map(|it| (it.scope(), it.key().to_string()))
            .collect()
    };
    let expected = [
        (Scope::ApiKey, "ann"),
        (Scope::Model, "model:maxi"),
        (Scope::Policy, "policy:model:m-maxi:p1"),
        (Scope::Policy, "policy:team:blue:p2"),
    ];
    assert_eq!(
        claimed,
        expected.map(|(scope, key)| (scope, key.to_owned()))
    );
    for _ in 0..9 {
        assert_eq!(town.ask("sk-ann", "maxi").await, 429);
    }
    let (status, headers, _) = town.answer("sk-ann", "/v1/chat/completions", "mini").await;
    assert_eq!(status, 200);
    assert_eq!(
        headers["x-ratelimit-remaining-requests"], "998",
        "refusals took nothing"
    );
}

#[tokio::test]
async fn windows_of_the_classic_form_are_as_long_as_they_say() {
    for (window, seconds) in [
        ("second", 1),
        ("minute", 60),
        ("hour", 3_600),
        ("day", 86_400),
    ] {
        let town = Town::new(&[("p", classic("team", "blue", window, 1))]);
        assert_eq!(town.ask("sk-ann", "mini").await, 200);
        let (status, headers, body) = town.answer("sk-bob", "/v1/chat/completions", "mini").await;
        let left = seconds - NOON % seconds;
        assert_eq!(
            (status, &headers["retry-after"]),
            (429, &left.to_string().parse().unwrap())
        );
        let rate = ["rps", "rpm", "rph", "rpd"]
            .into_iter()
            .find(|rate| rate.ends_with(&window[..1]));
        let message = format!("request limit exceeded ({})", rate.unwrap());
        assert_eq!(body["error"]["message"], message);
        town.advance(left - 1);
        assert_eq!(town.ask("sk-bob", "mini").await, 429);
        town.advance(1);
        assert_eq!(town.ask("sk-bob", "mini").await, 200, "{window}");
    }
}

#[tokio::test]
async fn tokens_of_the_classic_form_count_in_minutes_and_days_only() {
    for (window, expected) in [
        ("second", 200),
        ("minute", 429),
        ("hour", 200),
        ("day", 429),
    ] {
        let mut policy = classic("team", "blue", window, 1);
        policy.as_object_mut().unwrap().remove("max_requests");
        policy["max_tokens"] = 1.into();
        let town = Town::new(&[]);
        let report = town.config.apply([put(Kind::RateLimitPolicy, "p", policy)]);
        let told = report.unknown.iter().flat_map(|(_, fields)| fields.iter());
        let told: Vec<_> = told.map(String::as_str).collect();
        let ignored = (expected == 200).then_some("inapplicable:max_tokens");
        assert_eq!(told, ignored.into_iter().collect::<Vec<_>>(), "{window}");
        assert_eq!(town.ask("sk-ann", "mini").await, 200, "a fresh window");
        assert_eq!(town.ask("sk-ann", "mini").await, expected, "{window}");
    }
}

#[tokio::test]
async fn a_refusal_names_the_policy_in_the_dialects_that_can() {
    let town = Town::new(&[("p", classic("team", "blue", "minute", 1))]);
    assert_eq!(town.ask("sk-ann", "mini").await, 200);
    let message = "request limit exceeded (rpm)";
    let openai = json!({"error": {"message": message, "type": "rate_limit_exceeded",
        "policy": {"id": "p", "name": "classic"}}});
    for (path, expected) in [
        ("/v1/chat/completions", openai.clone()),
        ("/v1/responses", openai),
        (
            "/v1/messages",
            json!({"type": "error", "error": {"type": "rate_limit_error", "message": message}}),
        ),
        (
            GEMINI,
            json!({"error": {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED"}}),
        ),
    ] {
        let (status, headers, body) = town.answer("sk-bob", path, "mini").await;
        assert_eq!((status, body), (429, expected), "{path}");
        assert_eq!(headers["retry-after"], "45");
    }
}

#[tokio::test]
async fn only_what_is_the_callers_own_is_told_in_headers() {
    let town = Town::new(&[(
        "p",
        conditional(json!({"rpm": 5, "tpm": 9_000, "concurrency": 3}), json!({})),
    )]);
    let names = async |key: &str| {
        let (status, headers, _) = town.answer(key, "/v1/chat/completions", "mini").await;
        assert_eq!(status, 200);
        let names = headers.keys().map(ToString::to_string);
        let mut names: Vec<_> = names
            .filter(|name| name.starts_with("x-ratelimit"))
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("sk-bob").await, [""; 0]);
    let of_requests =
        ["limit", "remaining", "reset"].map(|it| format!("x-ratelimit-{it}-requests"));
    assert_eq!(names("sk-ann").await, of_requests);
}

#[tokio::test]
async fn a_suspended_policy_neither_refuses_nor_counts() {
    let span = |start: &str, end: &str| {
        let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        json!({"schedules": [{"timezone": "Asia/Kolkata", "days_of_week": days, "start_time": start, "end_time": end}]})
    };
    let always = conditional(json!({"rpd": 1}), span("00:00", "24:00"));
    let never = conditional(json!({"rpd": 1}), span("12:00", "12:00"));
    let town = Town::new(&[("p", always)]);
    let twice = [("sk-bob", "mini"), ("sk-bob", "mini")];
    assert_eq!(town.all(&twice).await, [200, 200]);
    assert!(
        town.store.claims.lock().unwrap().is_empty(),
        "nothing was asked"
    );
    town.change(put(Kind::RateLimitPolicy, "p", never));
    assert_eq!(town.all(&twice).await, [200, 429]);
}

#[tokio::test]
async fn changes_are_heeded_at_once_and_keep_what_was_counted() {
    let town = Town::new(&[("p", classic("team", "blue", "day", 2))]);
    let policy = |document| put(Kind::RateLimitPolicy, "p", document);
    assert_eq!(
        town.all(&[("sk-ann", "mini"), ("sk-bob", "mini"), ("sk-bob", "mini")])
            .await,
        [200, 200, 429]
    );
    // Something else is changed, and a key and a model are new.
    let other = conditional(
        json!({"rpd": 1}),
        json!({"group_by": ["api_key"], "conditions": [
        {"dimension": "team", "operator": "==", "value": "red"}]}),
    );
    town.change(put(Kind::RateLimitPolicy, "q", other));
    let ann = json!({"team_id": "blue", "user_id": "ann"});
    town.change(put(Kind::ApiKey, "ann", caller("sk-ann", ann)));
    let mut mini = model("mini", "plain");
    mini["timeout"] = 9_000.into();
    town.change(put(Kind::Model, "m-mini", mini));
    assert_eq!(
        town.all(&[("sk-ann", "mini"), ("sk-bob", "maxi")]).await,
        [429, 429]
    );
    assert_eq!(
        town.all(&[("sk-red", "mini"), ("sk-red", "mini")]).await,
        [200, 429]
    );
    // More room, of which two are used; then less.
    town.change(policy(classic("team", "blue", "day", 3)));
    assert_eq!(
        town.all(&[("sk-ann", "mini"), ("sk-bob", "mini")]).await,
        [200, 429]
    );
    town.change(policy(classic("team", "blue", "day", 1)));
    assert_eq!(town.ask("sk-ann", "mini").await, 429);
    // A caller who changes the team is out of it, and whoever comes is in.
    town.change(put(Kind::ApiKey, "ann", caller("sk-ann", json!({}))));
    town.change(put(
        Kind::ApiKey,
        "lone",
        caller("sk-lone", json!({"team_id": "blue"})),
    ));
    assert_eq!(
        town.all(&[("sk-ann", "mini"), ("sk-lone", "mini")]).await,
        [200, 429]
    );
    let (kind, id) = (Kind::RateLimitPolicy, "p".into());
    town.change(Change::Delete(Key { kind, id }));
    assert_eq!(
        town.all(&[("sk-lone", "mini"), ("sk-red", "mini")]).await,
        [200, 429]
    );
}

#[tokio::test]
async fn a_limit_is_made_once_and_nobody_asks_without_one() {
    let by_key = conditional(
        json!({"rpd": 100}),
        json!({"group_by": ["api_key"], "conditions": [
        {"dimension": "team", "operator": "==", "value": "blue"}]}),
    );
    let town = Town::new(&[("p", by_key), ("q", classic("team", "blue", "day", 100))]);
    let mut seen: Option<Vec<Arc<Limit>>> = None;
    for round in 0..3 {
        assert_eq!(town.ask("sk-bob", "mini").await, 200);
        let rules = town.rules();
        assert_eq!(rules.len(), 2);
        let seen = seen.get_or_insert_with(|| rules.clone());
        let same = seen
            .iter()
            .zip(&rules)
            .all(|(one, other)| Arc::ptr_eq(one, other));
        assert!(same, "round {round}");
        // What is not about policies lets them be.
        let document = caller("sk-new", json!({"display_name": format!("round {round}")}));
        town.change(put(Kind::ApiKey, "new", document));
    }
    town.store.claims.lock().unwrap().clear();
    assert_eq!(town.ask("sk-lone", "mini").await, 200);
    assert!(town.store.claims.lock().unwrap().is_empty());
}
