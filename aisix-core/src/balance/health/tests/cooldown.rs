use serde_json::json;

use super::*;

fn settings(document: serde_json::Value) -> HealthSettings {
    HealthSettings {
        cooldown: serde_json::from_value(document).unwrap(),
        ..HealthSettings::default()
    }
}

/// What a target is like right after a call that ended so.
fn after_one(document: serde_json::Value, verdict: Verdict) -> String {
    let bench = Bench::new(settings(document));
    bench.call(0.0, verdict);
    bench.tell(0.0)
}

#[test]
fn what_triggers_a_cooldown_by_default() {
    for (verdict, expected) in [
        (status(401), "cooling(upstream_auth_failure 0..30)"),
        (status(408), "cooling(upstream_request_timeout 0..30)"),
        (status(429), "cooling(upstream_rate_limited 0..30)"),
        (status(500), "cooling(upstream_server_error 0..30)"),
        (status(502), "cooling(upstream_server_error 0..30)"),
        (status(503), "cooling(upstream_server_error 0..30)"),
        (status(504), "cooling(upstream_server_error 0..30)"),
        (failed(ErrorKind::Timeout), "cooling(request_timeout 0..30)"),
        (
            failed(ErrorKind::Transport),
            "cooling(transport_error 0..30)",
        ),
        (failed(ErrorKind::Aborted), "cooling(transport_error 0..30)"),
        (
            failed(ErrorKind::Decode),
            "cooling(upstream_decode_error 0..30)",
        ),
        (status(400), "fit"),
        (status(403), "fit"),
        (status(404), "fit"),
        (status(422), "fit"),
        (status(501), "fit"),
        (failed(ErrorKind::RateLimited), "fit"),
        (Verdict::Success, "fit"),
        (Verdict::Nothing, "fit"),
    ] {
        assert_eq!(after_one(json!({}), verdict), expected, "{verdict:?}");
    }
}

#[test]
fn each_setting_has_its_effect() {
    let asked = |seconds| after(429, Some(seconds));
    for (document, verdict, expected) in [
        (json!({"enabled": false}), status(500), "fit"),
        (json!({"default_seconds": 0}), status(500), "fit"),
        (json!({"default_seconds": 0}), asked(9), "fit"),
        (
            json!({"default_seconds": 7}),
            status(500),
            "cooling(upstream_server_error 0..7)",
        ),
        (json!({}), asked(9), "cooling(upstream_rate_limited 0..9)"),
        (
            json!({}),
            asked(9_000),
            "cooling(upstream_rate_limited 0..600)",
        ),
        (json!({}), asked(0), "cooling(upstream_rate_limited 0..30)"),
        (
            json!({"max_seconds": 20}),
            asked(21),
            "cooling(upstream_rate_limited 0..20)",
        ),
        (
            json!({"honor_retry_after": false}),
            asked(9),
            "cooling(upstream_rate_limited 0..30)",
        ),
        (json!({"trigger_statuses": [418]}), status(500), "fit"),
        (
            json!({"trigger_statuses": [418]}),
            status(418),
            "cooling(upstream_status_failure 0..30)",
        ),
        (
            json!({"trigger_on_timeout": false}),
            failed(ErrorKind::Timeout),
            "fit",
        ),
        (
            json!({"trigger_on_transport": false}),
            failed(ErrorKind::Transport),
            "fit",
        ),
        (
            json!({"trigger_on_transport": false}),
            failed(ErrorKind::Decode),
            "fit",
        ),
        (
            json!({"trigger_on_transport": false}),
            failed(ErrorKind::Timeout),
            "cooling(request_timeout 0..30)",
        ),
    ] {
        let told = after_one(document.clone(), verdict);
        assert_eq!(told, expected, "{document} {verdict:?}");
    }
}

#[test]
fn a_cooldown_ends_by_itself_and_a_second_failure_can_only_make_it_longer() {
    let bench = Bench::new(HealthSettings::default());
    bench.call(0.0, after(429, Some(100)));
    assert_eq!(bench.tell(99.9), "cooling(upstream_rate_limited 0..100)");
    bench.call(10.0, status(500));
    assert_eq!(
        bench.tell(10.0),
        "cooling(upstream_rate_limited 0..100)",
        "40 is earlier"
    );
    bench.call(90.0, status(500));
    assert_eq!(
        bench.tell(90.0),
        "cooling(upstream_server_error 0..120)",
        "120 is later"
    );
    bench.call(91.0, Verdict::Success);
    assert_eq!(
        bench.tell(119.9),
        "cooling(upstream_server_error 0..120)",
        "a success does not end it"
    );
    assert_eq!(bench.tell(120.0), "fit");
    bench.call(121.0, status(500));
    assert_eq!(
        bench.tell(121.0),
        "cooling(upstream_server_error 121..151)",
        "it begins anew"
    );
}

#[test]
fn any_time_that_is_configured_can_be_told() {
    let document = json!({"default_seconds": u64::MAX, "max_seconds": u64::MAX});
    for verdict in [status(500), after(429, Some(u64::MAX))] {
        assert!(after_one(document.clone(), verdict).ends_with("0..31622400)"));
    }
}

#[test]
fn settings_change_while_a_target_cools_down() {
    let mut bench = Bench::new(HealthSettings::default());
    bench.call(0.0, status(500));
    bench.settings.cooldown.default_seconds = 5;
    assert_eq!(
        bench.tell(6.0),
        "cooling(upstream_server_error 0..30)",
        "what runs goes on"
    );
    bench.call(31.0, status(500));
    assert_eq!(bench.tell(31.0), "cooling(upstream_server_error 31..36)");
}
