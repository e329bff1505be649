//! What is told when health changes.

use serde_json::json;

use super::*;

/// What the end of a call at this second has brought about.
fn turns(bench: &Bench, seconds: f64, verdict: Verdict) -> Vec<Turn> {
    let now = bench.at(seconds);
    let turns = bench.state.begin(now).ended(now, verdict, &bench.settings);
    turns.into_iter().collect()
}

fn with_breaker(document: serde_json::Value) -> HealthSettings {
    HealthSettings {
        breaker: Some(serde_json::from_value(document).unwrap()),
        ..HealthSettings::default()
    }
}

#[test]
fn a_cooldown_is_told_when_it_begins_and_not_when_it_is_extended() {
    let bench = Bench::new(HealthSettings::default());
    let cooling = |seconds| Turn::Cooling {
        reason: Reason::UpstreamServerError,
        time: Duration::from_secs(seconds),
    };
    assert_eq!(turns(&bench, 0.0, Verdict::Success), []);
    assert_eq!(turns(&bench, 0.0, after(503, Some(10))), [cooling(10)]);
    assert_eq!(turns(&bench, 9.0, status(500)), [], "until 39");
    assert_eq!(turns(&bench, 38.0, status(400)), []);
    assert_eq!(turns(&bench, 39.0, status(500)), [cooling(30)]);
    assert_eq!(turns(&bench, 40.0, Verdict::Nothing), []);
}

#[test]
fn a_breaker_is_told_when_it_opens_and_when_it_closes() {
    let document = json!({"consecutive_failures": 2, "open_seconds": 10, "half_open_trials": 2});
    let bench = Bench::new(with_breaker(document));
    let cooling = Turn::Cooling {
        reason: Reason::TransportError,
        time: Duration::from_secs(30),
    };
    let opened = |seconds| Turn::BreakerOpened {
        time: Duration::from_secs(seconds),
    };
    assert_eq!(turns(&bench, 0.0, broken()), [cooling]);
    assert_eq!(turns(&bench, 1.0, broken()), [opened(10)]);
    assert_eq!(turns(&bench, 2.0, broken()), [], "it is open");

    let trial = bench.admit(11.0).unwrap();
    let turns = trial.ended(bench.at(40.0), broken(), &bench.settings);
    let both: Vec<_> = turns.into_iter().collect();
    assert_eq!(both, [cooling, opened(20)]);

    let (mut one, mut two) = (bench.admit(60.0).unwrap(), bench.admit(60.0).unwrap());
    assert_eq!(one.head_received(bench.at(61.0)), None);
    let closed = two.head_received(bench.at(61.0));
    assert_eq!(closed, Some(Turn::BreakerClosed));
    for call in [one, two] {
        let turns = call.ended(bench.at(62.0), Verdict::Success, &bench.settings);
        assert_eq!(turns, Turns::default(), "told with the head");
    }
}

#[test]
fn a_trial_that_ends_with_its_head_closes_the_breaker_too() {
    for verdict in [Verdict::Success, status(400)] {
        let bench = Bench::new(with_breaker(json!({"consecutive_failures": 1})));
        bench.call(0.0, broken());
        let trial = bench.admit(30.0).unwrap();
        let turns = trial.ended(bench.at(31.0), verdict, &bench.settings);
        assert_eq!(turns.into_iter().next(), Some(Turn::BreakerClosed));
    }
}

#[test]
fn a_credential_is_told_once_to_whoever_has_it_refused() {
    let bench = Bench::new(HealthSettings::default());
    let credential = Arc::new(Credential::new());
    let refused = |seconds| {
        let now = bench.at(seconds);
        let call = bench.state.begin(now).using(&credential);
        let turns = call.ended(now, status(401), &bench.settings);
        turns.into_iter().collect::<Vec<_>>()
    };
    let turn = Turn::CredentialRefused {
        time: Duration::from_secs(30),
    };
    assert_eq!(refused(0.0), [turn]);
    assert_eq!(refused(10.0), []);
    assert_eq!(refused(40.0), [turn]);
    let works = bench.state.begin(bench.at(41.0)).using(&credential);
    works.ended(bench.at(41.0), Verdict::Success, &bench.settings);
    assert_eq!(refused(42.0), [turn]);
}

#[test]
fn checks_are_told_when_they_find_something_else() {
    let bench = Bench::new(HealthSettings::default());
    let check = |check| bench.state.background(bench.at(0.0), check);
    let well = Check::Healthy { status: None };
    let reason = Reason::RequestTimeout;
    let unwell = Check::Unhealthy {
        status: None,
        reason,
    };
    assert_eq!(check(well), None);
    assert_eq!(check(unwell), Some(Turn::CheckFailed { reason }));
    assert_eq!(check(unwell), None);
    assert_eq!(check(Check::Ignored { status: None }), None);
    assert_eq!(check(well), Some(Turn::CheckSucceeded));
}

#[test]
fn failures_in_a_row_are_counted_whatever_the_settings() {
    let bench = Bench::with_breaker(CircuitBreaker::default());
    let credential = Arc::new(Credential::new());
    let now = bench.at(0.0);
    for _ in 0..3 {
        bench.call(0.0, broken());
        bench.call(0.0, Verdict::Nothing);
        let call = bench.state.begin(now).using(&credential);
        call.ended(now, status(401), &bench.settings);
    }
    assert_eq!(bench.state.failures_in_a_row(), 6);
    bench.call(0.0, status(400));
    assert_eq!(bench.state.failures_in_a_row(), 0, "it works");
}
