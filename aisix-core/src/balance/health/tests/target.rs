use jiff::{SignedDuration, Timestamp};

use super::*;

#[test]
fn calls_are_under_way_until_their_guards_are_gone() {
    let bench = Bench::new(HealthSettings::default());
    let first = bench.admit(0.0).unwrap();
    let second = bench.admit(0.0).unwrap();
    assert_eq!(bench.state.in_flight(), 2);
    drop(first);
    assert_eq!(bench.state.in_flight(), 1);
    bench.ended(second, 1.0, broken());
    assert_eq!(bench.state.in_flight(), 0);
}

#[test]
fn averages_are_of_answers_and_of_first_tokens() {
    let bench = Bench::new(HealthSettings::default());
    let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
    let both = || {
        (
            seconds(bench.state.latency()),
            seconds(bench.state.first_token()),
        )
    };
    assert_eq!(both(), (None, None));

    // An answer that took two seconds, and whose client read for a minute.
    let mut answer = bench.admit(0.0).unwrap();
    answer.head_received(bench.at(2.0));
    answer.head_received(bench.at(3.0));
    bench.ended(answer, 60.0, Verdict::Success);
    assert_eq!(both(), (Some(2.0), None));

    let mut stream = bench.admit(0.0).unwrap();
    stream.head_received(bench.at(0.5));
    stream.first_token(bench.at(1.0));
    stream.first_token(bench.at(1.5));
    bench.ended(stream, 60.0, Verdict::Success);
    assert_eq!(both(), (Some(2.0), Some(1.0)));

    // Of failures, and of those who left before there was anything, nothing is known.
    let mut cut = bench.admit(0.0).unwrap();
    cut.head_received(bench.at(9.0));
    bench.ended(cut, 9.0, broken());
    bench.call(0.0, status(400));
    drop(bench.admit(0.0));
    assert_eq!(both(), (Some(2.0), Some(1.0)));

    let mut left = bench.admit(0.0).unwrap();
    left.head_received(bench.at(3.0));
    drop(left);
    assert_eq!(both(), (Some(2.3), Some(1.0)));
    let untold = bench.admit(0.0).unwrap();
    bench.ended(untold, 2.3, Verdict::Success);
    assert_eq!(both(), (Some(2.3), Some(1.0)));
}

#[test]
fn who_is_overtaken_is_not_to_blame_and_slower_than_that_if_it_is_slow() {
    let bench = Bench::new(HealthSettings::default());
    let average = |is_stream| match is_stream {
        true => bench.state.first_token(),
        false => bench.state.latency(),
    };
    for is_stream in [false, true] {
        let overtaken = |seconds| {
            let call = bench.state.begin(bench.at(0.0));
            call.overtaken(bench.at(seconds), is_stream);
        };
        let rounded = || average(is_stream).map(|it| it.as_millis());
        overtaken(1.0);
        assert_eq!(rounded(), Some(1_000));
        overtaken(0.5);
        assert_eq!(rounded(), Some(1_000), "it may take as long as ever");
        overtaken(2.0);
        assert_eq!(rounded(), Some(1_300));
    }
    assert_eq!(bench.state.in_flight(), 0);
    assert_eq!(bench.state.failures_in_a_row(), 0);
}

#[test]
fn a_check_in_the_background_decides_until_the_next_or_until_it_is_stale() {
    let mut bench = Bench::new(HealthSettings::default());
    let unwell = |status: Option<u16>, reason| Check::Unhealthy {
        status: status.map(|status| StatusCode::from_u16(status).unwrap()),
        reason,
    };
    let check = |bench: &Bench, seconds, check| bench.state.background(bench.at(seconds), check);
    bench.settings.stale_after = Some(Duration::from_secs(60));
    check(&bench, 0.0, unwell(Some(500), Reason::UpstreamServerError));
    check(&bench, 10.0, unwell(None, Reason::TransportError));
    assert_eq!(bench.tell(10.0), "unfit(transport_error 0..?)");
    bench.call(11.0, Verdict::Success);
    assert_eq!(bench.tell(11.0), "unfit(transport_error 0..?)");
    // What is ignored does not keep it from becoming stale.
    check(&bench, 69.0, Check::Ignored { status: None });
    assert_eq!(bench.tell(70.0), "unfit(transport_error 0..?)");
    assert_eq!(bench.tell(70.1), "fit");
    for stale_after in [None, Some(Duration::MAX)] {
        bench.settings.stale_after = stale_after;
        assert_eq!(bench.tell(1e6), "unfit(transport_error 0..?)");
    }

    check(&bench, 100.0, Check::Healthy { status: None });
    assert_eq!(bench.tell(100.0), "fit");
    check(&bench, 110.0, unwell(None, Reason::RequestTimeout));
    assert_eq!(bench.tell(110.0), "unfit(request_timeout 110..?)");
}

#[test]
fn what_is_worse_is_told() {
    let mut bench = Bench::with_breaker(CircuitBreaker {
        consecutive_failures: 2,
        ..CircuitBreaker::default()
    });
    bench.settings.cooldown = Cooldown::default();
    bench.call(0.0, status(500));
    assert_eq!(bench.tell(1.0), "cooling(upstream_server_error 0..30)");
    let check = Check::Unhealthy {
        status: None,
        reason: Reason::UnexpectedAnswer,
    };
    bench.state.background(bench.at(1.0), check);
    assert_eq!(bench.tell(1.0), "unfit(unexpected_answer 1..?)");
    bench.call(2.0, status(500));
    assert_eq!(bench.tell(2.0), "unfit(circuit_open 2..32)");
    bench.settings.mode = Mode::Draining;
    assert_eq!(bench.tell(2.0), "unfit(draining ?..?)");
    bench.settings.mode = Mode::Disabled;
    assert_eq!(bench.tell(2.0), "unfit(disabled ?..?)");
}

#[test]
fn the_fitness_of_two_is_the_worse_one() {
    let now = Instant::now();
    let cooling = |seconds| Fitness::Cooling {
        until: now + Duration::from_secs(seconds),
        reason: Reason::UpstreamRateLimited,
        since: now,
    };
    let unfit = Fitness::Unfit {
        until: None,
        reason: Reason::CircuitOpen,
        since: None,
    };
    let ordered = [Fitness::Fit, cooling(1), cooling(2), unfit];
    for (i, a) in ordered.into_iter().enumerate() {
        for (j, b) in ordered.into_iter().enumerate() {
            assert_eq!(a.and(b), ordered[i.max(j)], "{a:?} and {b:?}");
        }
    }
}

#[test]
fn a_target_out_of_service_gets_no_new_calls_and_keeps_its_old_ones() {
    let mut bench = Bench::new(HealthSettings::default());
    let old = bench.admit(0.0).unwrap();
    for mode in [Mode::Draining, Mode::Disabled] {
        bench.settings.mode = mode;
        assert!(bench.admit(1.0).is_none(), "{mode:?}");
    }
    assert_eq!(bench.state.in_flight(), 1);
    bench.ended(old, 2.0, Verdict::Success);
    bench.settings.mode = Mode::Active;
    assert!(bench.admit(3.0).is_some());
}

#[test]
fn a_report_tells_the_time_of_the_day() {
    let bench = Bench::new(HealthSettings::default());
    let noon: Timestamp = "2026-11-26T12:00:00Z".parse().unwrap();
    let at = |seconds: i64| Some(noon + SignedDuration::from_secs(seconds));
    let report = |seconds: f64, credential: Option<&Credential>| {
        let wall = noon + SignedDuration::try_from_secs_f64(seconds).unwrap();
        let now = bench.at(seconds);
        bench.state.report(now, wall, &bench.settings, credential)
    };
    let well = HealthReport {
        status: HealthStatus::Healthy,
        reason: None,
        since: None,
        until: None,
        last_checked_at: None,
        last_check_status: None,
    };
    assert_eq!(report(0.0, None), well);

    bench.call(1.0, status(503));
    let cools = HealthReport {
        status: HealthStatus::Cooldown,
        reason: Some(Reason::UpstreamServerError),
        since: at(1),
        until: at(31),
        ..well
    };
    assert_eq!(report(2.0, None), cools);

    let credential = Arc::new(Credential::new());
    let flight = bench.state.begin(bench.at(5.0)).using(&credential);
    bench.ended(flight, 5.0, status(401));
    let refused = HealthReport {
        reason: Some(Reason::UpstreamAuthFailure),
        since: at(5),
        until: at(35),
        ..cools
    };
    assert_eq!(report(6.0, Some(&credential)), refused);

    let check = Check::Unhealthy {
        status: Some(StatusCode::BAD_GATEWAY),
        reason: Reason::UpstreamServerError,
    };
    bench.state.background(bench.at(40.0), check);
    let unwell = HealthReport {
        status: HealthStatus::Unhealthy,
        reason: Some(Reason::UpstreamServerError),
        since: at(40),
        last_checked_at: at(40),
        last_check_status: Some(StatusCode::BAD_GATEWAY),
        ..well
    };
    assert_eq!(report(50.0, Some(&credential)), unwell);

    let status = Some(StatusCode::OK);
    bench
        .state
        .background(bench.at(60.0), Check::Healthy { status });
    let checked = HealthReport {
        last_checked_at: at(60),
        last_check_status: status,
        ..well
    };
    assert_eq!(report(61.0, None), checked);
    let words = [
        HealthStatus::Healthy,
        HealthStatus::Unhealthy,
        HealthStatus::Cooldown,
    ];
    assert_eq!(
        words.map(HealthStatus::as_str),
        ["healthy", "unhealthy", "cooldown"]
    );
}
