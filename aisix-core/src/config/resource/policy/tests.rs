use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde_json::{Value, json};

use super::{Dimension, PolicyForm, RateLimitPolicy, Schedule};
use crate::config::resource::{Kind, Resource, Strictness, decode};

fn classic() -> Value {
    json!({"name": "p", "scope": "team", "scope_ref": "t", "window": "minute", "max_requests": 1})
}

fn conditional() -> Value {
    json!({"name": "p", "limits": {"rpm": 1}})
}

/// A document with some members replaced; null takes one away.
fn with(mut document: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().expect("a mapping") {
        document[name] = value.clone();
    }
    document
}

fn conditions(list: &Value) -> Value {
    with(conditional(), &json!({ "conditions": list }))
}

/// A policy, and the fields that were left out.
fn read(
    document: Value,
    strictness: Strictness,
) -> Result<(RateLimitPolicy, Vec<String>), Vec<String>> {
    let decoded = decode(Kind::RateLimitPolicy, document, strictness)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    match decoded.resource {
        Resource::RateLimitPolicy(policy) => Ok((policy, decoded.unknown)),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn good(document: Value) -> RateLimitPolicy {
    let (strict, _) = read(document.clone(), Strictness::Strict).expect("it is good");
    assert_eq!(
        read(document, Strictness::Lenient).expect("it is good").1,
        [""; 0]
    );
    strict
}

/// What is wrong, however strictly one looks.
#[track_caller]
fn wrong(document: Value) -> Vec<String> {
    let errors = read(document.clone(), Strictness::Strict).expect_err("it is wrong");
    let leniently = read(document, Strictness::Lenient).expect_err("it is wrong");
    assert_eq!(errors, leniently);
    errors
}

#[test]
fn a_policy_has_one_of_two_forms() {
    assert!(matches!(good(classic()).form, PolicyForm::Classic { .. }));
    assert!(matches!(
        good(conditional()).form,
        PolicyForm::Conditional { .. }
    ));
    let tokens = json!({"max_requests": null, "max_tokens": 1});
    good(with(classic(), &tokens));
    for (document, expected) in [
        (
            json!({"name": "p"}),
            vec!["`limits` is required, or `scope`, `scope_ref` and `window`"],
        ),
        (
            with(classic(), &json!({"limits": {"rpm": 1}})),
            vec![
                "`limits` is given besides `scope`: a policy has `limits`, or a `scope` and a `window`",
            ],
        ),
        (
            json!({"name": "p", "max_requests": 1, "group_by": ["team"]}),
            vec![
                "`group_by` is given besides `max_requests`: a policy has `limits`, or a `scope` and a `window`",
            ],
        ),
        (
            json!({"name": "p", "action": "reject"}),
            vec!["`limits` is required"],
        ),
        (
            json!({"name": "p", "scope": "team"}),
            vec![
                "`max_requests` or `max_tokens` is required",
                "`scope_ref` is required",
                "`window` is required",
            ],
        ),
        (
            with(conditional(), &json!({"limits": {}})),
            vec!["`limits` must set at least one limit"],
        ),
        (
            with(conditional(), &json!({"limits": {"rpm": null}})),
            vec!["`limits` must set at least one limit"],
        ),
        (
            with(classic(), &json!({"max_requests": 0})),
            vec!["`max_requests` must be at least 1"],
        ),
        (
            with(classic(), &json!({"name": ""})),
            vec!["`name` must not be empty"],
        ),
        (
            with(classic(), &json!({"scope": "key"})),
            vec!["`scope` must be `api_key`, `model`, `team`, `member` or `team_member`"],
        ),
        (
            with(classic(), &json!({"window": "week"})),
            vec!["`window` must be `second`, `minute`, `hour` or `day`"],
        ),
        (
            with(conditional(), &json!({"action": "queue"})),
            vec!["`action` must be `reject`"],
        ),
        (
            with(conditional(), &json!({"group_by": ["model_name"]})),
            vec!["`group_by[0]` must be `team`, `member`, `api_key`, `model` or `provider`"],
        ),
        (
            with(
                conditional(),
                &json!({"group_by": ["team", "model", "team"]}),
            ),
            vec!["`group_by` must not name a dimension twice"],
        ),
    ] {
        assert_eq!(wrong(document.clone()), expected, "{document}");
    }
}

#[test]
fn tokens_are_not_counted_in_seconds_and_hours_and_that_is_told() {
    for (window, told) in [
        ("second", vec!["inapplicable:max_tokens"]),
        ("minute", vec![]),
        ("hour", vec!["inapplicable:max_tokens"]),
        ("day", vec![]),
    ] {
        let document = with(classic(), &json!({"window": window, "max_tokens": 9}));
        assert!(read(document.clone(), Strictness::Strict).is_ok());
        let (policy, unknown) = read(document, Strictness::Lenient).expect("it is good");
        assert_eq!(unknown, told, "{window}");
        let PolicyForm::Classic {
            window: of,
            max_requests,
            max_tokens,
            ..
        } = policy.form
        else {
            panic!("it is classic")
        };
        let limits = of.limits(max_requests, max_tokens);
        let all = [
            limits.rps, limits.rpm, limits.rph, limits.rpd, limits.tpm, limits.tpd,
        ];
        let expected = match window {
            "second" => [Some(1), None, None, None, None, None],
            "minute" => [None, Some(1), None, None, Some(9), None],
            "hour" => [None, None, Some(1), None, None, None],
            _ => [None, None, None, Some(1), None, Some(9)],
        };
        assert_eq!(all, expected, "{window}");
    }
}

fn leaf(dimension: &str, operator: &str, value: Value) -> Value {
    json!({"dimension": dimension, "operator": operator, "value": value})
}

fn group(logic: &str, children: Value) -> Value {
    json!({"logic": logic, "children": children})
}

#[test]
fn malformed_conditions_are_refused_with_their_place() {
    let nested = group(
        "or",
        json!([group(
            "and",
            json!([group("or", json!([leaf("team", "==", "t".into())]))])
        )]),
    );
    let in_path = |rest: &str| vec![format!("`conditions[0]{rest}")];
    for (condition, expected) in [
        (
            json!({}),
            vec![
                "`conditions[0].dimension` is required".to_owned(),
                "`conditions[0].operator` is required".to_owned(),
                "`conditions[0].value` is required".to_owned(),
            ],
        ),
        (json!({"logic": "or"}), in_path(".children` is required")),
        (
            json!({"children": [leaf("team", "==", "t".into())]}),
            in_path(".logic` is required"),
        ),
        (
            group("or", json!([])),
            in_path(".children` must not be empty"),
        ),
        (
            group("xor", json!([leaf("team", "==", "t".into())])),
            in_path(".logic` must be `and` or `or`"),
        ),
        (
            with(leaf("team", "==", "t".into()), &json!({"logic": "or"})),
            in_path(
                ".logic` is given besides `dimension`: a condition compares, or is a group of others",
            ),
        ),
        (
            nested,
            in_path(".children[0].children[0].children[0]` is nested more than 3 deep"),
        ),
        (
            leaf("colour", "==", "t".into()),
            in_path(
                ".dimension` must be `team`, `member`, `api_key`, `model`, `model_name` or `provider`",
            ),
        ),
        (
            leaf("team", "~~", "t".into()),
            in_path(".operator` must be `==`, `~=` or `in` for `team`, not `~~`"),
        ),
        (
            leaf("model", "~*", "t".into()),
            in_path(".operator` must be `==`, `~=` or `in` for `model`, not `~*`"),
        ),
        (
            leaf("team", "==", json!(["t"])),
            in_path(".value` must be a text"),
        ),
        (
            leaf("team", "~=", "".into()),
            in_path(".value` must not be empty"),
        ),
        (
            leaf("team", "in", "t".into()),
            in_path(".value` must be a list of texts"),
        ),
        (
            leaf("team", "in", json!(["t", 7])),
            in_path(".value` must be a list of texts"),
        ),
        (
            leaf("team", "in", json!([])),
            in_path(".value` must hold 1 to 64 texts"),
        ),
        (
            leaf("team", "in", json!(vec!["t"; 65])),
            in_path(".value` must hold 1 to 64 texts"),
        ),
        (
            leaf("team", "in", json!(["t", ""])),
            in_path(".value` must not hold an empty text"),
        ),
        (
            leaf("provider", "~~", "(".into()),
            in_path(".value` is no regular expression"),
        ),
        (
            leaf("provider", "~~", "(?:\\w{200}){200}".into()),
            in_path(".value` is an expression that takes too much memory"),
        ),
        (
            leaf("provider", "~*", "é".repeat(257).into()),
            in_path(".value` must have at most 256 characters"),
        ),
    ] {
        assert_eq!(
            wrong(conditions(&json!([condition]))),
            expected,
            "{condition}"
        );
    }
    for operator in ["has", ">", ">=", "<", "<=", "ipmatch"] {
        let message =
            format!(".operator` `{operator}` is reserved: no dimension can be compared so yet");
        assert_eq!(
            wrong(conditions(&json!([leaf("provider", operator, "t".into())]))),
            in_path(&message)
        );
    }
    let many = |count| {
        conditions(&json!([group(
            "or",
            json!(vec![leaf("team", "==", "t".into()); count])
        )]))
    };
    assert_eq!(
        wrong(many(17)),
        ["`conditions` must not hold more than 16 comparisons"]
    );
    good(many(16));
    good(conditions(&json!([leaf(
        "provider",
        "~~",
        "é".repeat(256).into()
    )])));
    good(conditions(&json!([leaf(
        "team",
        "in",
        json!(vec!["t"; 64])
    )])));
}

#[test]
fn what_is_not_known_in_a_condition_is_never_left_out() {
    let condition = with(leaf("team", "==", "t".into()), &json!({"negated": true}));
    for list in [json!([condition]), json!([group("or", json!([condition]))])] {
        let told = wrong(conditions(&list)).join("; ");
        assert!(
            told.ends_with(".negated` is not a known field; did you mean `negate`?"),
            "{told}"
        );
    }
    let elsewhere = with(
        conditional(),
        &json!({"colour": 1, "conditionsx": [{"a": 1}]}),
    );
    let (_, unknown) = read(elsewhere, Strictness::Lenient).expect("it is good");
    assert_eq!(unknown, ["colour", "conditionsx"]);
}

/// Whether a call of team `t`, key `k`, model `m` called `gpt-4o` of provider `openai` meets a condition. It
/// has no member.
fn holds(list: &Value) -> bool {
    let PolicyForm::Conditional { conditions, .. } = good(conditions(list)).form else {
        panic!("it is conditional")
    };
    conditions.hold(&|dimension| match dimension {
        Dimension::Team => Some("t"),
        Dimension::Member => None,
        Dimension::ApiKey => Some("k"),
        Dimension::Model => Some("m"),
        Dimension::ModelName => Some("gpt-4o"),
        Dimension::Provider => Some("openai"),
    })
}

#[test]
fn conditions_hold_as_they_say() {
    let not = |condition: Value| with(condition, &json!({"negate": true}));
    let yes = || leaf("team", "==", "t".into());
    let no = || leaf("team", "==", "u".into());
    for (condition, expected) in [
        (yes(), true),
        (no(), false),
        (not(yes()), false),
        (not(no()), true),
        (leaf("api_key", "~=", "j".into()), true),
        (leaf("api_key", "~=", "k".into()), false),
        (leaf("model", "in", json!(["x", "m"])), true),
        (leaf("model", "in", json!(["x"])), false),
        (leaf("model_name", "~~", "^gpt-4".into()), true),
        (leaf("model_name", "~~", "4o".into()), true),
        (leaf("model_name", "~~", "^GPT".into()), false),
        (leaf("model_name", "~*", "^GPT".into()), true),
        (leaf("provider", "==", "openai".into()), true),
        // Nobody is a member: neither the one nor the other.
        (leaf("member", "==", "u".into()), false),
        (leaf("member", "~=", "u".into()), false),
        (not(leaf("member", "==", "u".into())), false),
        (not(leaf("member", "in", json!(["u"]))), false),
        (group("and", json!([yes(), no()])), false),
        (group("or", json!([no(), yes()])), true),
        (not(group("and", json!([yes(), no()]))), true),
        (not(group("or", json!([no(), yes()]))), false),
        (
            not(group("or", json!([leaf("member", "==", "u".into())]))),
            true,
        ),
        (
            group(
                "or",
                json!([
                    leaf("member", "==", "u".into()),
                    group("and", json!([yes(), yes()]))
                ]),
            ),
            true,
        ),
    ] {
        assert_eq!(holds(&json!([condition])), expected, "{condition}");
    }
    assert!(holds(&json!([])));
    assert!(holds(&json!([yes(), yes()])));
    assert!(!holds(&json!([yes(), no()])), "all of a list must be met");
}

fn schedule(more: &Value) -> Value {
    let schedule = json!({"start_time": "09:00", "end_time": "17:00", "timezone": "UTC"});
    with(schedule, more)
}

fn suspended(schedule: &Value) -> Value {
    with(conditional(), &json!({ "schedules": [schedule] }))
}

#[test]
fn malformed_schedules_are_refused_with_their_place() {
    let days = json!({"days_of_week": ["mon"]});
    let of = |more: &Value| suspended(&with(schedule(&days), more));
    for (document, expected) in [
        (
            suspended(&schedule(&json!({}))),
            "`schedules[0].days_of_week` or `dates` is required",
        ),
        (
            of(&json!({"dates": ["2030-01-31"]})),
            "`schedules[0].dates` is given besides `days_of_week`",
        ),
        (
            of(&json!({"days_of_week": []})),
            "`schedules[0].days_of_week` must not be empty",
        ),
        (
            of(&json!({"days_of_week": ["monday"]})),
            "`schedules[0].days_of_week[0]` must be `mon`, `tue`, `wed`, `thu`, `fri`, `sat` or `sun`",
        ),
        (
            of(&json!({"start_time": "24:00"})),
            "`schedules[0].start_time` must be a time such as 09:30",
        ),
        (
            of(&json!({"start_time": "9:00"})),
            "`schedules[0].start_time` must be a time such as 09:30",
        ),
        (
            of(&json!({"end_time": "24:01"})),
            "`schedules[0].end_time` must be a time such as 17:30, or 24:00",
        ),
        (
            of(&json!({"end_time": "12:60"})),
            "`schedules[0].end_time` must be a time such as 17:30, or 24:00",
        ),
    ] {
        assert_eq!(wrong(document.clone()), [expected], "{document}");
    }
    let missing = json!({"days_of_week": ["mon"]});
    assert_eq!(
        wrong(suspended(&missing)),
        [
            "`schedules[0].end_time` is required",
            "`schedules[0].start_time` is required",
            "`schedules[0].timezone` is required"
        ]
    );
}

#[test]
fn a_day_or_zone_that_there_is_not_suspends_nothing_when_a_machine_says_it() {
    for (more, path, expected) in [
        (
            json!({"timezone": "Mars/Olympus", "days_of_week": ["mon"]}),
            "schedules[].timezone",
            "`schedules[0].timezone` must be the name of a time zone, such as Europe/Berlin",
        ),
        (
            json!({"dates": ["2030-02-30", "+030-01-31"]}),
            "schedules[].dates[]",
            "`schedules[0].dates[0]` must be a date such as 2030-01-31",
        ),
    ] {
        let document = suspended(&schedule(&more));
        assert_eq!(
            read(document.clone(), Strictness::Strict).expect_err("it is wrong")[0],
            expected
        );
        let (policy, unknown) = read(document, Strictness::Lenient).expect("it is read");
        assert_eq!(unknown, [format!("inapplicable:{path}")]);
        let hours = (0..24 * 365).map(|hour| 1_900_000_000 + hour * 3_600);
        assert!(hours.map(at).all(|now| !policy.schedules[0].covers(now)));
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("it is a time")
}

/// Whether the schedule covers these times of its zone. Of a time that comes twice, the first.
#[track_caller]
fn covers(schedule: &Value, times: &[(&str, bool)]) {
    let zone = TimeZone::get(schedule["timezone"].as_str().unwrap()).unwrap();
    let policy = good(suspended(schedule));
    for (time, expected) in times {
        let time: DateTime = time.parse().expect("it is a time");
        let now = zone.to_timestamp(time).expect("it is in range");
        assert_eq!(
            policy.schedules[0].covers(now),
            *expected,
            "{time} of {schedule}"
        );
    }
}

#[test]
fn a_span_within_a_day_begins_with_its_first_minute_and_ends_before_its_last() {
    // A Monday.
    covers(
        &schedule(&json!({"days_of_week": ["mon", "wed"]})),
        &[
            ("2030-01-07T08:59:59", false),
            ("2030-01-07T09:00", true),
            ("2030-01-07T16:59:59", true),
            ("2030-01-07T17:00", false),
            ("2030-01-08T12:00", false),
            ("2030-01-09T12:00", true),
        ],
    );
    covers(
        &schedule(&json!({"dates": ["2030-01-31"], "start_time": "00:00", "end_time": "24:00"})),
        &[
            ("2030-01-30T23:59:59", false),
            ("2030-01-31T00:00", true),
            ("2030-01-31T23:59:59", true),
            ("2030-02-01T00:00", false),
        ],
    );
}

#[test]
fn a_span_over_midnight_belongs_to_the_day_on_which_it_begins() {
    let friday = json!({"days_of_week": ["fri"], "start_time": "22:00", "end_time": "09:00",
        "timezone": "Asia/Shanghai"});
    covers(
        &schedule(&friday),
        &[
            ("2030-01-11T08:59", false), // The morning of a Friday is of Thursday.
            ("2030-01-11T21:59", false),
            ("2030-01-11T22:00", true),
            ("2030-01-12T08:59", true),
            ("2030-01-12T09:00", false),
            ("2030-01-12T22:00", false),
        ],
    );
    let eve = json!({"dates": ["2029-12-31"], "start_time": "22:00", "end_time": "02:00"});
    covers(
        &schedule(&eve),
        &[
            ("2029-12-31T01:00", false),
            ("2029-12-31T23:00", true),
            ("2030-01-01T01:59", true),
        ],
    );
}

#[test]
fn a_span_that_ends_when_it_begins_is_never() {
    let all = json!(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]);
    for time in ["00:00", "12:30"] {
        let empty = json!({"days_of_week": all, "start_time": time, "end_time": time});
        let policy = good(suspended(&schedule(&empty)));
        let minutes = (0..24 * 60).map(|minute| at(1_900_000_000 + minute * 60));
        assert!(
            !policy
                .schedules
                .iter()
                .any(|it| minutes.clone().any(|now| it.covers(now)))
        );
    }
}

/// For how many minutes in a row from `from` on, of a whole day, the first schedule holds.
fn minutes(schedule: &Schedule, from: &str) -> usize {
    let from: Timestamp = from.parse().expect("it is a time");
    let all = (0..26 * 60).map(|minute| at(from.as_second() + minute * 60));
    all.filter(|now| schedule.covers(*now)).count()
}

#[test]
fn wall_clocks_that_are_set_shorten_and_lengthen_a_span() {
    let night = json!({"days_of_week": ["sun"], "start_time": "01:00", "end_time": "04:00",
        "timezone": "Europe/Berlin"});
    let policy = good(suspended(&schedule(&night)));
    let night = &policy.schedules[0];
    assert_eq!(minutes(night, "2030-01-12T23:00:00Z"), 180);
    assert_eq!(
        minutes(night, "2030-03-30T23:00:00Z"),
        120,
        "02:00 to 03:00 is left out"
    );
    assert_eq!(
        minutes(night, "2030-10-26T22:00:00Z"),
        240,
        "02:00 to 03:00 comes twice"
    );
    let gap = json!({"dates": ["2030-03-31"], "start_time": "02:00", "end_time": "03:00",
        "timezone": "Europe/Berlin"});
    let policy = good(suspended(&schedule(&gap)));
    assert_eq!(minutes(&policy.schedules[0], "2030-03-30T23:00:00Z"), 0);
}
