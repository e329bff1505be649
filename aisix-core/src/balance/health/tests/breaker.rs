use serde_json::json;

use super::*;

fn breaker(document: serde_json::Value) -> Bench {
    Bench::with_breaker(serde_json::from_value(document).unwrap())
}

/// A bench whose breaker opened at 0, and is half-open at 30.
fn opened(mut document: serde_json::Value) -> Bench {
    document["consecutive_failures"] = 1.into();
    let bench = breaker(document);
    bench.call(0.0, broken());
    assert_eq!(bench.tell(29.9), "unfit(circuit_open 0..30)");
    bench
}

#[test]
fn five_failures_in_a_row_open_it_by_default() {
    let bench = breaker(json!({}));
    for second in 0..4 {
        bench.call(f64::from(second), broken());
    }
    bench.call(4.0, Verdict::Success);
    for second in 5..9 {
        bench.call(f64::from(second), broken());
        assert_eq!(bench.tell(f64::from(second)), "fit");
    }
    drop(bench.admit(9.0));
    bench.call(9.0, Verdict::Nothing);
    bench.call(10.0, broken());
    assert_eq!(bench.tell(10.0), "unfit(circuit_open 10..40)");
    assert!(bench.admit(39.9).is_none());
}

#[test]
fn what_counts_as_a_failure() {
    let not_named = Cooldown {
        enabled: false,
        trigger_on_timeout: false,
        trigger_on_transport: false,
        ..Cooldown::default()
    };
    for (verdict, opens) in [
        (status(500), true),
        (status(501), true),
        (status(529), true),
        (status(302), true),
        (status(429), true),
        (status(408), true),
        (status(401), true),
        (status(400), false),
        (status(403), false),
        (status(404), false),
        (failed(ErrorKind::Timeout), true),
        (failed(ErrorKind::Transport), true),
        (failed(ErrorKind::Aborted), true),
        (failed(ErrorKind::Decode), true),
        (failed(ErrorKind::RateLimited), false),
        (Verdict::Success, false),
        (Verdict::Nothing, false),
    ] {
        let mut bench = breaker(json!({"consecutive_failures": 1}));
        bench.settings.cooldown = not_named.clone();
        bench.call(0.0, verdict);
        assert_eq!(bench.admit(0.0).is_none(), opens, "{verdict:?}");
    }
}

#[test]
fn a_client_error_is_a_success() {
    let bench = breaker(json!({"consecutive_failures": 2}));
    for _ in 0..5 {
        bench.call(0.0, broken());
        bench.call(0.0, status(404));
    }
    assert_eq!(bench.tell(0.0), "fit");
}

#[test]
fn zero_failures_in_a_row_are_any_number() {
    let bench = breaker(json!({"consecutive_failures": 0}));
    for _ in 0..1_000 {
        bench.call(0.0, broken());
    }
    assert_eq!(bench.tell(0.0), "fit");
}

#[test]
fn a_share_of_failures_opens_it_once_there_are_enough_calls() {
    let document = json!({"consecutive_failures": 0, "failure_ratio": 0.5});
    let bench = breaker(document.clone());
    for _ in 0..9 {
        bench.call(0.0, broken());
    }
    assert_eq!(bench.tell(0.0), "fit", "nine are not ten");
    bench.call(0.0, broken());
    assert_eq!(bench.tell(0.0), "unfit(circuit_open 0..30)");

    let bench = breaker(document.clone());
    for _ in 0..6 {
        bench.call(0.0, Verdict::Success);
    }
    for _ in 0..5 {
        bench.call(1.0, broken());
    }
    assert_eq!(bench.tell(1.0), "fit", "five of eleven");
    bench.call(2.0, broken());
    assert_eq!(bench.tell(2.0), "unfit(circuit_open 2..32)");

    let bench = breaker(document);
    for second in 0..100 {
        bench.call(f64::from(second), Verdict::Success);
    }
    for _ in 0..16 {
        bench.call(100.0, broken());
    }
    assert_eq!(bench.tell(100.0), "fit", "16 of 44 in the last 28 seconds");
    for _ in 0..11 {
        bench.call(100.0, broken());
    }
    assert_eq!(bench.tell(100.0), "fit", "27 of 55");
    bench.call(100.0, broken());
    assert_eq!(bench.tell(100.0), "unfit(circuit_open 100..130)");
}

#[test]
fn one_trial_closes_it() {
    let bench = opened(json!({}));
    assert_eq!(bench.tell(30.0), "fit", "so that somebody tries");
    let trial = bench.admit(30.0).unwrap();
    assert_eq!(bench.tell(31.0), "unfit(circuit_open 0..60)");
    assert!(bench.admit(31.0).is_none(), "one trial at a time");
    bench.ended(trial, 32.0, Verdict::Success);
    assert_eq!(bench.tell(32.0), "fit");
    assert_eq!(bench.room(32.0), 9);
}

#[test]
fn a_client_error_is_an_answer_to_a_trial() {
    let bench = opened(json!({}));
    let trial = bench.admit(30.0).unwrap();
    bench.ended(trial, 31.0, status(404));
    assert_eq!(bench.room(31.0), 9);
}

#[test]
fn a_trial_has_succeeded_when_there_is_an_answer_however_long_it_goes_on() {
    let bench = opened(json!({}));
    let mut trial = bench.admit(30.0).unwrap();
    trial.head_received(bench.at(31.0));
    assert_eq!(bench.room(31.0), 9);
    bench.ended(trial, 600.0, broken());
    assert_eq!(
        bench.tell(600.0),
        "unfit(circuit_open 600..630)",
        "what breaks later counts like any other"
    );
}

#[test]
fn each_trial_that_fails_doubles_the_time_up_to_the_longest() {
    let bench = opened(json!({}));
    let mut now = 30.0;
    for time in [60.0, 120.0, 240.0, 300.0, 300.0] {
        let trial = bench.admit(now).unwrap();
        bench.ended(trial, now, broken());
        let told = format!("unfit(circuit_open 0..{})", now + time);
        assert_eq!(bench.tell(now), told);
        now += time;
    }
    let trial = bench.admit(now).unwrap();
    bench.ended(trial, now, Verdict::Success);
    bench.call(now, broken());
    let told = format!("unfit(circuit_open {now}..{})", now + 30.0);
    assert_eq!(bench.tell(now), told, "and then it begins anew");
}

#[test]
fn all_trials_must_be_answered() {
    let bench = opened(json!({"half_open_trials": 3}));
    let trials: Vec<_> = (0..9).filter_map(|_| bench.admit(30.0)).collect();
    assert_eq!(trials.len(), 3);
    for trial in trials {
        assert!(bench.admit(31.0).is_none());
        bench.ended(trial, 31.0, Verdict::Success);
    }
    assert_eq!(bench.room(31.0), 9);
}

#[test]
fn one_trial_of_several_that_fails_opens_it_and_the_others_count_no_more() {
    let bench = opened(json!({"half_open_trials": 3}));
    let mut trials: Vec<_> = (0..3).filter_map(|_| bench.admit(30.0)).collect();
    let late = trials.pop().unwrap();
    let later = trials.pop().unwrap();
    bench.ended(trials.pop().unwrap(), 31.0, broken());
    assert_eq!(bench.tell(31.0), "unfit(circuit_open 0..91)");
    bench.ended(late, 32.0, broken());
    assert_eq!(bench.tell(32.0), "unfit(circuit_open 0..91)");
    // Half-open again, and a trial of the last time must not close it, nor make room.
    let trials: Vec<_> = (0..9).filter_map(|_| bench.admit(91.0)).collect();
    assert_eq!(trials.len(), 3);
    drop(later);
    assert!(bench.admit(92.0).is_none());
}

#[test]
fn a_trial_whose_caller_left_is_given_back() {
    let bench = opened(json!({}));
    for _ in 0..3 {
        let trial = bench.admit(30.0).unwrap();
        assert!(bench.admit(30.0).is_none());
        drop(trial);
        let trial = bench.admit(30.0).unwrap();
        assert!(bench.admit(30.0).is_none());
        bench.ended(trial, 30.0, Verdict::Nothing);
    }
    let trial = bench.admit(30.0).unwrap();
    bench.ended(trial, 30.0, Verdict::Success);
    assert_eq!(bench.room(30.0), 9);
}

#[test]
fn a_trial_that_hangs_does_not_keep_the_target_away_for_ever() {
    let bench = opened(json!({}));
    let hangs = bench.admit(30.0).unwrap();
    assert!(bench.admit(59.9).is_none());
    let second = bench.admit(60.0).unwrap();
    assert!(bench.admit(60.0).is_none());
    assert_eq!(bench.tell(60.0), "unfit(circuit_open 0..90)");
    bench.ended(second, 61.0, Verdict::Success);
    assert_eq!(bench.room(61.0), 9);
    bench.ended(hangs, 62.0, broken());
    assert!(bench.admit(62.0).is_none(), "it counts like any other now");
}

#[test]
fn trials_of_the_last_time_say_nothing() {
    for verdict in [Verdict::Success, broken()] {
        let bench = opened(json!({}));
        let hangs = bench.admit(30.0).unwrap();
        bench.ended(bench.admit(60.0).unwrap(), 60.0, broken());
        let _trial = bench.admit(120.0).unwrap();
        bench.ended(hangs, 121.0, verdict);
        let told = bench.tell(121.0);
        assert_eq!(told, "unfit(circuit_open 0..150)", "{verdict:?}");
    }
}

#[test]
fn what_opened_it_is_forgotten_when_it_closes() {
    let document = json!({"consecutive_failures": 2});
    let by_share = json!({"consecutive_failures": 0, "failure_ratio": 0.5, "window_seconds": 300});
    for (document, failures) in [(document, 2), (by_share, 10)] {
        let bench = breaker(document);
        (0..failures).for_each(|_| bench.call(0.0, broken()));
        assert_eq!(bench.tell(0.0), "unfit(circuit_open 0..30)");
        let mut trial = bench.admit(30.0).unwrap();
        trial.head_received(bench.at(30.0));
        bench.call(31.0, broken());
        assert_eq!(bench.tell(31.0), "fit");
    }
}

#[test]
fn a_success_never_opens_it() {
    let bench = breaker(json!({"consecutive_failures": 0, "failure_ratio": 0.5}));
    (0..9).for_each(|_| bench.call(0.0, broken()));
    bench.call(0.0, Verdict::Success);
    assert_eq!(bench.tell(0.0), "fit");
    bench.call(0.0, broken());
    assert_eq!(bench.tell(0.0), "unfit(circuit_open 0..30)");
}

#[test]
fn a_window_of_another_length_begins_anew() {
    let document = json!({"consecutive_failures": 0, "failure_ratio": 0.5, "window_seconds": 10});
    let mut bench = breaker(document);
    bench.call(0.0, broken());
    bench.settings.breaker.as_mut().unwrap().window_seconds = 100;
    (0..5).for_each(|_| bench.call(1.0, broken()));
    (0..4).for_each(|_| bench.call(50.0, broken()));
    assert_eq!(bench.tell(50.0), "fit", "the first is forgotten");
    bench.call(50.0, broken());
    assert_eq!(bench.tell(50.0), "unfit(circuit_open 50..80)");
}

#[test]
fn calls_that_had_begun_before_it_opened_count_for_nothing() {
    let bench = breaker(json!({"consecutive_failures": 1}));
    let old: Vec<_> = (0..3).filter_map(|_| bench.admit(0.0)).collect();
    bench.call(1.0, broken());
    let mut old = old.into_iter();
    bench.ended(old.next().unwrap(), 2.0, Verdict::Success);
    assert_eq!(bench.tell(2.0), "unfit(circuit_open 1..31)");
    bench.ended(old.next().unwrap(), 3.0, broken());
    assert_eq!(bench.tell(3.0), "unfit(circuit_open 1..31)");
    let trial = bench.admit(31.0).unwrap();
    bench.ended(trial, 31.0, Verdict::Success);
    bench.ended(old.next().unwrap(), 32.0, broken());
    assert_eq!(bench.tell(32.0), "fit");
}

#[test]
fn calls_that_are_forced_do_not_close_it() {
    let bench = opened(json!({}));
    bench.call(1.0, Verdict::Success);
    bench.call(31.0, Verdict::Success);
    let _trial = bench.admit(32.0).unwrap();
    bench.call(32.0, Verdict::Success);
    assert!(bench.admit(33.0).is_none());
}

#[test]
fn the_share_rises_over_the_time_of_a_slow_start() {
    let bench = opened(json!({"slow_start_seconds": 100}));
    let share = |seconds| bench.state.share(bench.at(seconds), &bench.settings);
    assert_eq!(share(1.0), 1.0);
    let trial = bench.admit(30.0).unwrap();
    bench.ended(trial, 40.0, Verdict::Success);
    let shares = [40.0, 49.0, 65.0, 90.0, 139.0, 140.0, 1e6].map(share);
    for (share, expected) in shares
        .into_iter()
        .zip([0.1, 0.1, 0.25, 0.5, 0.99, 1.0, 1.0])
    {
        assert!((share - expected).abs() < 1e-6, "{share} is {expected}");
    }
    assert_eq!(bench.tell(141.0), "fit");
    assert_eq!(share(50.0), 1.0, "it is over once somebody has noticed");

    let bench = opened(json!({}));
    let trial = bench.admit(30.0).unwrap();
    bench.ended(trial, 40.0, Verdict::Success);
    let share = bench.state.share(bench.at(40.0), &bench.settings);
    assert_eq!(share, 1.0, "by default there is none");
}

#[test]
fn failures_open_it_while_the_share_rises() {
    let bench = opened(json!({"slow_start_seconds": 100}));
    let trial = bench.admit(30.0).unwrap();
    bench.ended(trial, 40.0, Verdict::Success);
    bench.call(41.0, broken());
    assert_eq!(bench.tell(41.0), "unfit(circuit_open 41..71)");
}

#[test]
fn without_settings_there_is_no_breaker_and_what_it_knew_is_forgotten() {
    let mut bench = opened(json!({}));
    let breaker = bench.settings.breaker.take();
    assert_eq!(bench.tell(1.0), "fit");
    assert!(bench.admit(1.0).is_some());
    bench.call(2.0, broken());
    bench.settings.breaker = breaker;
    assert_eq!(bench.tell(3.0), "fit");

    // A trial from before that is none any more.
    let mut bench = opened(json!({}));
    let old = bench.admit(30.0).unwrap();
    let breaker = bench.settings.breaker.take();
    bench.call(31.0, broken());
    bench.settings.breaker = breaker;
    bench.call(40.0, broken());
    let _trial = bench.admit(70.0).unwrap();
    drop(old);
    assert_eq!(bench.room(71.0), 0);
}

#[test]
fn settings_of_any_size_are_kept_within_bounds() {
    let most = u64::MAX;
    let bench = opened(json!({"half_open_trials": 0}));
    assert!(bench.admit(30.0).is_some(), "at least one trial");
    let bench = breaker(json!({"consecutive_failures": 1, "open_seconds": most,
        "max_open_seconds": most, "slow_start_seconds": most}));
    bench.call(0.0, broken());
    assert_eq!(bench.tell(0.0), "unfit(circuit_open 0..31622400)");
    let bench = breaker(json!({"consecutive_failures": 1, "open_seconds": 0,
        "max_open_seconds": 0, "window_seconds": 0, "failure_ratio": 0.1}));
    bench.call(0.0, broken());
    assert_eq!(bench.tell(0.0), "unfit(circuit_open 0..1)");
    let bench = breaker(json!({"consecutive_failures": 1, "open_seconds": 600}));
    bench.call(0.0, broken());
    assert_eq!(
        bench.tell(0.0),
        "unfit(circuit_open 0..600)",
        "the longest time is not shorter than the first"
    );
}
