//! A service that may stop a call or add to it.

use std::time::Duration;

use aisix_core::testing::{self, API_KEY, Answer, Ended, MODEL};
use serde_json::{Value, json};

use crate::{ask::*, remote::Peers};

const AT: &str = "http://guard.test/check";

/// The element, with these settings beside its address.
fn element(settings: Value) -> Value {
    let mut merged = json!({"endpoint": AT});
    for (name, value) in settings.as_object().unwrap() {
        merged[name] = value.clone();
    }
    json!({"name": "external_api", "settings": merged})
}

fn stops(operator: &str, value: Value) -> Value {
    json!({"conditions": [{"field": "user.score", "operator": operator, "value": value,
        "stop_flow": true, "message": "not today"}]})
}

/// Everything that a service can do wrong, and what it is called.
fn faults() -> Vec<(Answer, &'static str)> {
    let json = "application/json";
    vec![
        (Answer::new(200).head_stall(), "timeout"),
        (Answer::new(200).send("{").stall(), "timeout"),
        (Answer::unreachable(), "unreachable"),
        (Answer::json(500, &json!({})), "status_5xx"),
        (Answer::json(429, &json!({})), "status_429"),
        (Answer::new(302).header("location", "/"), "status_3xx"),
        (Answer::body(200, json, "{\"a\": 1").cut(), "broken_answer"),
        (Answer::body(200, json, "{\"a\": 1"), "unreadable_answer"),
        (
            Answer::body(200, json, b"\xff\x00".to_vec()),
            "unreadable_answer",
        ),
        (Answer::json(200, &json!([{}])), "unreadable_answer"),
        (
            Answer::body(200, json, "{\"a\":".repeat(5_000)),
            "unreadable_answer",
        ),
        (
            Answer::new(200).send(vec![b' '; 1 << 21]).stall(),
            "long_answer",
        ),
        (
            Answer::json(200, &json!({"messages": "none", "other": {}})),
            "unfit_answer",
        ),
    ]
}

#[tokio::test]
async fn the_service_is_asked_what_the_settings_say() {
    let settings = json!({
        "endpoint": format!("{AT}?v=1"), "method": "PUT",
        "headers": {"authorization": "Bearer secret", "x-who": "${request.api_key.id}", "x-team": "${request.api_key.team_id}"},
        "query_params": [{"name": "a b", "value": "c&d"}, {"name": "e", "value": ""}]});
    let peers = Peers::new(element(settings));
    peers.says(&json!({}));
    peers.upstream.answer(Answer::chat("hello"));
    let body = format!(
        r#"{{"model": "{MODEL}", "messages": [{{"role":"user","content":"\u0068i"}}], "seed": 12345678901234567890123}}"#
    );
    let request = testing::request("/v1/chat/completions", body.clone());
    assert_eq!(send(&peers.gateway, request).await.status(), 200);
    let question = peers.question();
    assert_eq!(question.head.method, "PUT");
    let uri = question.head.uri.to_string();
    assert_eq!(uri, format!("{AT}?v=1&a+b=c%26d&e="));
    for (name, expected) in [
        ("authorization", Some("Bearer secret")),
        ("x-who", Some("caller")),
        ("x-team", None),
        ("content-type", Some("application/json")),
        ("accept", Some("application/json")),
    ] {
        assert_eq!(question.header(name), expected, "{name}");
    }
    assert!(question.header("x-aisix-request-id").is_some());
    assert!(question.head.headers["authorization"].is_sensitive());
    // The request stands in it as it came.
    let expected = format!(
        r#"{{"request":{body},"model":"{MODEL}","operation":"chat.completions","caller":{{"id":"caller"}}}}"#
    );
    assert_eq!(question.text(), expected);
    assert!(!question.text().contains(API_KEY));
}

#[tokio::test]
async fn a_get_has_no_body() {
    let peers = Peers::new(element(json!({"method": "GET"})));
    peers.service.answer(Answer::new(204));
    peers.upstream.answer(Answer::chat("hello"));
    let response = send(&peers.gateway, testing::chat_request("hi")).await;
    assert_eq!(response.status(), 200);
    let question = peers.question();
    assert_eq!(question.head.method, "GET");
    assert!(question.body.is_empty());
    assert_eq!(question.header("content-type"), None);
}

#[tokio::test]
async fn what_is_mapped_goes_into_requests_of_every_dialect() {
    for streams in [false, true] {
        for (index, destination) in [
            "temperature",
            "temperature",
            "temperature",
            "generationConfig.temperature",
        ]
        .into_iter()
        .enumerate()
        {
            let maps = json!([{"source": "input.plan.0", "destination": destination},
                {"source": "absent.field", "destination": "messages"}]);
            let peers = Peers::new(element(json!({"field_maps": maps})));
            let request = requests("hi", streams).into_iter().nth(index).unwrap();
            let path = request.uri().path().to_owned();
            let said = r#"{"input": {"plan": [0.250]}}"#;
            let json = "application/json";
            peers.service.answer(Answer::body(200, json, said));
            peers.upstream.answer(match streams {
                true => Answer::stream().role().content("hello").finish().done(),
                false => Answer::chat("hello"),
            });
            let response = send(&peers.gateway, request).await;
            assert_eq!(response.status(), 200, "{path}");
            assert!(testing::text(response).await.contains("hello"), "{path}");
            let sent = peers.upstream.last_request();
            assert_eq!(sent.json()["temperature"], 0.25, "{path}");
            assert!(sent.text().contains("0.250"), "{path}: {}", sent.text());
            assert_eq!(sent.json()["messages"][0]["content"], "hi", "{path}");
        }
    }
}

#[tokio::test]
async fn a_condition_stops_calls_of_every_dialect() {
    for streams in [false, true] {
        for request in requests("hi", streams) {
            let path = request.uri().path().to_owned();
            let peers = Peers::new(element(stops("gt", json!(0.5))));
            peers.says(&json!({"user": {"score": 0.75}}));
            let response = send(&peers.gateway, request).await;
            assert_eq!(response.status(), 422, "{path}");
            let answer = testing::json(response).await;
            assert_eq!(answer["error"]["message"], "not today", "{path}");
            if path.starts_with("/v1/chat") || path.starts_with("/v1/responses") {
                assert_eq!(answer["error"]["code"], "external_api_stopped", "{path}");
            }
            let told = "external_api: user.score".to_owned();
            assert_eq!(peers.mark("external_api_stopped"), Some(told));
            assert_eq!(peers.upstream.requests().len(), 0, "{path}");
        }
    }
}

#[tokio::test]
async fn conditions_compare_as_they_say() {
    let score = |score: Value| json!({"user": {"score": score}});
    for (operator, value, answer, holds) in [
        ("eq", json!(1), score(json!(1.0)), true),
        ("eq", json!("1"), score(json!(1)), false),
        (
            "eq",
            json!({"a": [null]}),
            score(json!({"a": [null]})),
            true,
        ),
        ("eq", json!(false), json!({}), false),
        ("eq", Value::Null, score(Value::Null), true),
        ("eq", Value::Null, json!({"user": 1}), false),
        ("neq", json!("ok"), score(json!("ok")), false),
        ("neq", json!("ok"), score(json!("no")), true),
        ("neq", json!("ok"), json!({}), true),
        ("gt", json!(5), score(json!(5)), false),
        ("gt", json!(5), score(json!(6)), true),
        ("gt", json!(5), score(json!("6")), false),
        ("gt", json!(5), json!({}), false),
        ("lt", json!(5), score(json!(-1e3)), true),
        ("lt", json!(5), score(json!(5)), false),
        ("lt", json!(5), score(json!("NaN")), false),
    ] {
        let peers = Peers::new(element(stops(operator, value.clone())));
        peers.says(&answer);
        peers.upstream.answer(Answer::chat("hello"));
        let status = send(&peers.gateway, testing::chat_request("hi"))
            .await
            .status();
        let expected = if holds { 422 } else { 200 };
        assert_eq!(status, expected, "{operator} {value} {answer}");
    }
}

#[tokio::test]
async fn the_first_condition_that_stops_counts() {
    let condition = |field: &str, message: Option<&str>| {
        json!({"field": field, "operator": "eq", "value": 1, "stop_flow": message.is_some(),
            "message": message.unwrap_or("only noted")})
    };
    let conditions = json!([
        condition("noted", None),
        condition("absent", Some("not this")),
        condition("second", Some("this")),
        condition("third", Some("too late"))
    ]);
    let peers = Peers::new(element(json!({"conditions": conditions})));
    peers.says(&json!({"noted": 1, "second": 1, "third": 1}));
    let response = send(&peers.gateway, testing::chat_request("hi")).await;
    assert_eq!(response.status(), 422);
    let answer = testing::json(response).await;
    assert_eq!(answer["error"]["message"], "this");
    let noted = peers.mark("external_api_condition");
    assert_eq!(noted.as_deref(), Some("external_api: noted"));

    // What has no message has one all the same.
    let bare = json!([{"field": "a", "operator": "neq", "stop_flow": true}]);
    let peers = Peers::new(element(json!({"conditions": bare})));
    peers.says(&json!({}));
    let response = send(&peers.gateway, testing::chat_request("hi")).await;
    let answer = testing::json(response).await;
    let expected = "the request was stopped by a policy";
    assert_eq!(answer["error"]["message"], expected);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_is_a_502_in_every_dialect() {
    let maps = json!([{"source": "other", "destination": "seed"},
        {"source": "messages", "destination": "messages"},
        {"source": "messages", "destination": "input.messages.0"},
        {"source": "messages", "destination": "contents"}]);
    for index in 0..faults().len() {
        for request in requests("hi", index % 2 == 0) {
            let path = request.uri().path().to_owned();
            let (fault, reason) = faults().swap_remove(index);
            let peers = Peers::new(element(json!({"field_maps": maps})));
            peers.service.answer(fault);
            let response = send(&peers.gateway, request).await;
            assert_eq!(response.status(), 502, "{path}: {reason}");
            let answer = testing::json(response).await;
            let message = "a service that this call needs is of no use now";
            assert_eq!(answer["error"]["message"], message, "{path}: {reason}");
            let told = format!("external_api: {reason}");
            assert_eq!(peers.mark("external_api_unavailable"), Some(told));
            // Nothing is asked again, least of all where a redirect leads.
            assert_eq!(peers.service.requests().len(), 1, "{path}: {reason}");
            assert_eq!(peers.upstream.requests().len(), 0, "{path}: {reason}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_lets_calls_pass_where_that_is_wanted() {
    let maps = json!([{"source": "other", "destination": "seed"},
        {"source": "messages", "destination": "messages"}]);
    for (fault, reason) in faults() {
        let settings = json!({"field_maps": maps, "fail_open": true});
        let peers = Peers::new(element(settings));
        peers.service.answer(fault);
        peers.upstream.answer(Answer::chat("hello"));
        let response = send(&peers.gateway, testing::chat_request("hi")).await;
        assert_eq!(response.status(), 200, "{reason}");
        drop(response);
        let told = format!("external_api: {reason}");
        assert_eq!(peers.mark("external_api_bypassed"), Some(told));
        // As it came: nothing of an answer that does not fit is taken over.
        let sent = peers.upstream.last_request().json();
        assert_eq!(sent["messages"][0]["content"], "hi", "{reason}");
        assert_eq!(sent["seed"], Value::Null, "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_deadline_is_that_of_the_settings_or_five_seconds() {
    for (settings, wait, expected) in [
        (json!({"timeout": "750ms"}), 700, 200),
        (json!({"timeout": "750ms"}), 800, 502),
        (json!({}), 4_900, 200),
        (json!({}), 5_100, 502),
    ] {
        let peers = Peers::new(element(settings));
        let answer = Answer::new(200).send("{").wait(Duration::from_millis(wait));
        peers.service.answer(answer.send("}"));
        peers.upstream.answer(Answer::chat("hello"));
        let response = send(&peers.gateway, testing::chat_request("hi")).await;
        assert_eq!(response.status(), expected, "{wait}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_takes_the_question_along() {
    let peers = Peers::new(element(json!({})));
    let mut question = peers.service.answer(Answer::new(200).head_stall());
    let mut call = Box::pin(send(&peers.gateway, testing::chat_request("hi")));
    tokio::select! {
        _ = &mut call => panic!("the service has not answered"),
        _ = question.request() => {}
    }
    drop(call);
    assert_eq!(question.ended().await, Ended::Dropped);
}

#[tokio::test]
async fn one_that_observes_neither_stops_nor_changes_anything() {
    let mut settings = stops("gt", json!(0.5));
    settings["field_maps"] = json!([{"source": "user.score", "destination": "temperature"}]);
    let mut element = element(settings);
    element["mode"] = json!("observe");
    for (answer, mark, told) in [
        (
            Answer::json(200, &json!({"user": {"score": 0.75}})),
            "would_refuse",
            Some("external_api"),
        ),
        (
            Answer::json(200, &json!({"user": {"score": 0.25}})),
            "would_refuse",
            None,
        ),
        (
            Answer::unreachable(),
            "external_api_bypassed",
            Some("external_api: unreachable"),
        ),
    ] {
        let peers = Peers::new(element.clone());
        peers.service.answer(answer);
        peers.upstream.answer(Answer::chat("hello"));
        let response = send(&peers.gateway, testing::chat_request("hi")).await;
        assert_eq!(testing::text(response).await, testing::chat_answer("hello"));
        assert_eq!(peers.mark(mark).as_deref(), told);
        let sent = peers.upstream.last_request().json();
        assert_eq!(sent["temperature"], Value::Null);
    }
}

#[tokio::test]
async fn what_the_service_says_is_told_to_nobody() {
    let settings = json!({"headers": {"authorization": "Bearer sk-policy"}});
    let peers = Peers::new(element(settings));
    let said = json!({"error": "wrong key sk-policy"});
    peers.service.answer(Answer::json(401, &said));
    let response = send(&peers.gateway, testing::chat_request("hi")).await;
    let answer = testing::text(response).await;
    assert!(!answer.contains("sk-policy") && !answer.contains("guard.test"));
    let told = peers.mark("external_api_unavailable").unwrap();
    assert_eq!(told, "external_api: status_4xx");
}

#[test]
fn settings_that_mean_nothing_are_refused_by_name() {
    let condition = |condition: Value| json!({"conditions": [condition]});
    let map = |source: &str, destination: &str| json!({"field_maps": [{"source": source, "destination": destination}]});
    for (settings, field) in [
        (json!({"endpoint": "guard.test/check"}), "settings.endpoint"),
        (
            json!({"endpoint": "ftp://guard.test/"}),
            "settings.endpoint",
        ),
        (json!({"endpoint": "http:///check"}), "settings.endpoint"),
        (
            json!({"endpoint": "http://me:sk-policy@guard.test/"}),
            "settings.endpoint",
        ),
        (json!({"method": "DELETE"}), "settings.method"),
        (
            json!({"headers": {"content-length": "1"}}),
            "settings.headers.content-length",
        ),
        (json!({"headers": {"x y": "1"}}), "settings.headers.x y"),
        (
            json!({"headers": {"x-y": "${what}"}}),
            "settings.headers.x-y",
        ),
        (
            json!({"headers": {"x-y": "sk-policy\n"}}),
            "settings.headers.x-y",
        ),
        (json!({"timeout": "0s"}), "settings.timeout"),
        (json!({"timeout": "1m1ms"}), "settings.timeout"),
        (map("", "metadata.x"), "settings.field_maps[0].source"),
        (map("a..b", "metadata.x"), "settings.field_maps[0].source"),
        (map("a", "metadata."), "settings.field_maps[0].destination"),
        (map("a", "model"), "settings.field_maps[0].destination"),
        (map("a", "stream"), "settings.field_maps[0].destination"),
        (
            condition(json!({"field": "a", "operator": "is"})),
            "settings.conditions[0].operator",
        ),
        (
            condition(json!({"field": "a", "operator": "gt"})),
            "settings.conditions[0].value",
        ),
        (
            condition(json!({"field": "", "operator": "eq"})),
            "settings.conditions[0].field",
        ),
        (json!({"fail_opne": true}), "fail_opne"),
    ] {
        let wrong = wrong(json!([element(settings.clone())]));
        assert!(wrong.contains(field), "{settings}: {wrong}");
        assert!(!wrong.contains("sk-policy"), "{settings}: {wrong}");
    }
    let wrong = wrong(json!([element(json!({}))]));
    assert_eq!(wrong, "all resources were applied");
}

#[test]
fn answers_are_not_its_business() {
    let mut element = element(json!({}));
    for stage in ["post_request", "pre_response", "post_response"] {
        element["stage"] = json!(stage);
        let wrong = wrong(json!([element]));
        assert!(wrong.contains("stage"), "{stage}: {wrong}");
    }
}
