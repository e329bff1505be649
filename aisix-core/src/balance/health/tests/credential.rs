use super::*;
use crate::config::{Secret, States};

/// Two targets that use one credential.
struct Pair {
    a: Bench,
    b: Bench,
    credential: Arc<Credential>,
}

impl Pair {
    fn new() -> Self {
        let a = Bench::new(HealthSettings::default());
        let mut b = Bench::new(HealthSettings::default());
        b.start = a.start;
        Self {
            a,
            b,
            credential: Arc::new(Credential::new()),
        }
    }

    fn flight(&self, bench: &Bench, seconds: f64) -> InFlight {
        bench.state.begin(bench.at(seconds)).using(&self.credential)
    }

    fn call(&self, bench: &Bench, seconds: f64, verdict: Verdict) {
        bench.ended(self.flight(bench, seconds), seconds, verdict);
    }

    /// How a target and the credential fare, together.
    fn tell(&self, bench: &Bench, seconds: f64) -> String {
        let credential = self.credential.fitness(bench.at(seconds));
        bench.word(bench.fitness(seconds).and(credential))
    }
}

#[test]
fn a_refused_credential_benches_all_that_use_it_and_nobody_else() {
    let pair = Pair::new();
    pair.call(&pair.a, 0.0, status(401));
    assert_eq!(pair.a.tell(1.0), "fit", "the target is not to blame");
    let benched = "cooling(upstream_auth_failure 0..30)";
    assert_eq!(pair.tell(&pair.a, 1.0), benched);
    assert_eq!(pair.tell(&pair.b, 1.0), benched);
    assert_eq!(pair.tell(&pair.b, 30.0), "fit");
}

#[test]
fn a_second_refusal_can_only_make_the_bench_longer() {
    let pair = Pair::new();
    pair.call(&pair.a, 0.0, after(401, Some(100)));
    pair.call(&pair.b, 10.0, status(401));
    let benched = "cooling(upstream_auth_failure 0..100)";
    assert_eq!(pair.tell(&pair.a, 11.0), benched);
}

#[test]
fn other_failures_are_not_the_fault_of_the_credential() {
    let pair = Pair::new();
    pair.call(&pair.a, 0.0, status(429));
    assert_eq!(pair.a.tell(1.0), "cooling(upstream_rate_limited 0..30)");
    assert_eq!(pair.tell(&pair.b, 1.0), "fit");
    pair.call(&pair.b, 2.0, status(403));
    assert_eq!(pair.tell(&pair.b, 2.0), "fit", "403 is not a trigger");
}

#[test]
fn a_403_benches_where_it_is_a_trigger() {
    let mut pair = Pair::new();
    pair.a.settings.cooldown.trigger_statuses.push(403);
    pair.call(&pair.a, 0.0, status(403));
    assert_eq!(pair.a.tell(1.0), "fit");
    assert_eq!(
        pair.tell(&pair.b, 1.0),
        "cooling(upstream_auth_failure 0..30)"
    );
}

#[test]
fn the_bench_is_lifted_as_soon_as_the_upstream_accepts_the_credential() {
    let pair = Pair::new();
    pair.call(&pair.a, 0.0, status(401));
    let mut flight = pair.flight(&pair.b, 1.0);
    assert_ne!(pair.tell(&pair.a, 2.0), "fit");
    flight.head_received(pair.b.at(2.0));
    assert_eq!(pair.tell(&pair.a, 2.0), "fit");

    pair.call(&pair.a, 3.0, status(401));
    pair.b.ended(flight, 4.0, Verdict::Success);
    assert_eq!(
        pair.tell(&pair.a, 4.0),
        "cooling(upstream_auth_failure 3..33)",
        "what was accepted before the refusal is no news"
    );
    pair.call(&pair.b, 5.0, status(500));
    assert_ne!(pair.tell(&pair.a, 5.0), "fit", "a failure is no success");
    pair.call(&pair.b, 6.0, Verdict::Success);
    assert_eq!(pair.tell(&pair.a, 6.0), "fit");
}

#[test]
fn without_a_credential_the_target_takes_the_blame() {
    let bench = Bench::new(HealthSettings::default());
    bench.call(0.0, status(401));
    assert_eq!(bench.tell(0.0), "cooling(upstream_auth_failure 0..30)");
}

#[test]
fn where_nothing_cools_down_the_breaker_counts_refused_credentials() {
    let pair = Pair::new();
    let bench = Bench::with_breaker(CircuitBreaker {
        consecutive_failures: 1,
        ..CircuitBreaker::default()
    });
    let flight = bench.admit(0.0).unwrap().using(&pair.credential);
    bench.ended(flight, 0.0, status(401));
    assert_eq!(bench.tell(0.0), "unfit(circuit_open 0..30)");
    assert_eq!(pair.tell(&pair.a, 0.0), "fit");
}

#[test]
fn a_trial_whose_credential_was_refused_is_given_back() {
    let pair = Pair::new();
    let mut bench = Bench::with_breaker(CircuitBreaker {
        consecutive_failures: 1,
        ..CircuitBreaker::default()
    });
    bench.settings.cooldown.enabled = true;
    bench.call(0.0, broken());
    let trial = bench.admit(31.0).unwrap().using(&pair.credential);
    assert!(bench.admit(31.0).is_none());
    bench.ended(trial, 32.0, status(401));
    assert!(bench.admit(32.0).is_some());
}

#[test]
fn another_secret_is_another_credential() {
    let states = States::default();
    let of = |id, secret| Credential::of(&states, id, &Secret::new(secret));
    let first = of("key", "sk-1");
    assert!(Arc::ptr_eq(&first, &of("key", "sk-1")));
    assert!(!Arc::ptr_eq(&first, &of("key", "sk-2")));
    assert!(!Arc::ptr_eq(&first, &of("other", "sk-1")));
}
