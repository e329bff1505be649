//! Pages of other origins.

use aisix_core::{
    Gateway,
    body::Body,
    testing::{self, API_KEY, Answer, Upstream},
};
use http::{Request, Response};
use serde_json::{Value, json};

use crate::ask::*;

const CHAT: &str = "/v1/chat/completions";
const APP: &str = "https://app.example.com";

/// A chain with these settings beside those that are required.
fn chain(members: Value) -> Value {
    let mut settings = json!({
        "allowed_origins": ["https://App.example.com:443", "http://localhost:3000"],
        "allowed_methods": ["POST", "GET"]});
    for (name, value) in members.as_object().unwrap() {
        settings[name] = value.clone();
    }
    json!([{"name": "cors", "settings": settings}])
}

fn gateway(upstream: &Upstream, members: Value) -> Gateway {
    of_gateway(chain(members)).gateway(upstream)
}

/// A request without a body and a credential.
fn bare(method: &str, path: &str, headers: &[(&'static str, &'static str)]) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

fn preflight(origin: &'static str, method: &'static str) -> Request<Body> {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", method),
    ];
    bare("OPTIONS", CHAT, &headers)
}

fn header<'r>(response: &'r Response<Body>, name: &str) -> Option<&'r str> {
    let mut values = response.headers().get_all(name).iter();
    let value = values.next()?.to_str().unwrap();
    assert_eq!(values.next(), None, "{name} stands once");
    Some(value)
}

#[tokio::test]
async fn a_preflight_is_answered_before_anybody_is_known() {
    let members = json!({"allow_credentials": true, "max_age": "10m", "expose_headers": ["x-a"]});
    let gateway = gateway(&Upstream::new(), members);
    let mut request = preflight(APP, "POST");
    request.headers_mut().insert(
        "access-control-request-headers",
        "authorization, x-mine".parse().unwrap(),
    );
    let response = send(&gateway, request).await;
    assert_eq!(response.status(), 204);
    for (name, value) in [
        ("access-control-allow-origin", APP),
        ("access-control-allow-methods", "POST,GET"),
        ("access-control-allow-headers", "authorization, x-mine"),
        ("access-control-allow-credentials", "true"),
        ("access-control-max-age", "600"),
        ("vary", "origin"),
    ] {
        assert_eq!(header(&response, name), Some(value), "{name}");
    }
    assert_eq!(testing::text(response).await, "");

    let response = send(&gateway, preflight("http://localhost:3000", "GET")).await;
    assert_eq!(response.status(), 204);
    let allowed = header(&response, "access-control-allow-headers");
    assert_eq!(allowed, Some("content-type"));
}

#[tokio::test]
async fn a_preflight_that_asks_for_more_is_refused() {
    let gateway = gateway(&Upstream::new(), json!({}));
    for (request, status) in [
        (preflight("https://evil.example.com", "POST"), 403),
        (preflight("null", "POST"), 403),
        (preflight(APP, "DELETE"), 405),
        (preflight(APP, "post"), 405),
        (bare("OPTIONS", CHAT, &[("origin", APP)]), 400),
    ] {
        let response = send(&gateway, request).await;
        assert_eq!(response.status(), status);
        assert_eq!(header(&response, "vary"), Some("origin"));
        assert_eq!(header(&response, "access-control-allow-origin"), None);
        assert_eq!(header(&response, "access-control-allow-methods"), None);
    }
}

#[tokio::test]
async fn every_answer_to_another_origin_says_so() {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, json!({"expose_headers": ["X-A", "x-b"]}));
    let with_key = |method, path| {
        let mut request = bare(method, path, &[]);
        let key = format!("Bearer {API_KEY}").parse().unwrap();
        request.headers_mut().insert("authorization", key);
        request
    };
    let stream = json!({"model": testing::MODEL, "stream": true,
        "messages": [{"role": "user", "content": "hi"}]});
    for (mut request, status) in [
        (testing::chat_request("hi"), 200),
        (testing::request(CHAT, stream.to_string()), 200),
        (with_key("GET", "/v1/models"), 200),
        (bare("POST", CHAT, &[]), 401),
        (bare("POST", "/v1/messages", &[]), 401),
        (with_key("GET", "/nowhere"), 404),
        (with_key("GET", CHAT), 405),
        (testing::request(CHAT, "{"), 400),
    ] {
        upstream.answer(match request.uri().path() == CHAT {
            true => Answer::stream().content("hello").finish().done(),
            false => Answer::chat("hello"),
        });
        request.headers_mut().insert("origin", APP.parse().unwrap());
        let response = send(&gateway, request).await;
        assert_eq!(response.status(), status);
        assert_eq!(header(&response, "access-control-allow-origin"), Some(APP));
        assert_eq!(header(&response, "vary"), Some("origin"));
        let exposed = header(&response, "access-control-expose-headers");
        assert_eq!(exposed, Some("x-a,x-b"));
        assert_eq!(header(&response, "access-control-allow-credentials"), None);
    }
}

#[tokio::test]
async fn what_comes_from_no_other_origin_passes() {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, json!({}));
    upstream.answer(Answer::chat("hello"));
    let response = send(&gateway, testing::chat_request("hi")).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "vary"), Some("origin"));
    assert_eq!(header(&response, "access-control-allow-origin"), None);
    let response = send(&gateway, bare("OPTIONS", CHAT, &[])).await;
    assert_eq!(response.status(), 405);
}

#[tokio::test]
async fn a_call_of_an_origin_that_is_not_listed_goes_nowhere() {
    for (log, count) in [(false, 0), (true, 1)] {
        let (upstream, marks) = (Upstream::new(), Marks::default());
        let setup = of_gateway(chain(json!({"log_violations": log})));
        let builder = setup.builder(&upstream).observe(marks.clone());
        let gateway = builder.build().unwrap();
        let mut request = testing::request("/v1/messages", "{}");
        let origin = "https://app.example.com.evil.com";
        request
            .headers_mut()
            .insert("origin", origin.parse().unwrap());
        let response = send(&gateway, request).await;
        assert_eq!(response.status(), 403);
        assert_eq!(header(&response, "access-control-allow-origin"), None);
        let said = testing::json(response).await;
        assert_eq!(said["error"]["message"], "this origin is not allowed");
        assert_eq!(said["type"], "error", "in the caller's dialect");
        assert!(upstream.requests().is_empty());
        let told = marks.take();
        assert_eq!(told.len(), count);
        assert!(
            told.iter()
                .all(|mark| *mark == ("cors_refused", origin.to_owned()))
        );
    }
}

#[tokio::test]
async fn any_origin_may_be_allowed() {
    let gateway = gateway(&Upstream::new(), json!({"allowed_origins": ["*"]}));
    for origin in ["https://anything.example", "null"] {
        let response = send(&gateway, preflight(origin, "POST")).await;
        assert_eq!(response.status(), 204);
        assert_eq!(
            header(&response, "access-control-allow-origin"),
            Some(origin)
        );
    }
}

#[test]
fn settings_are_checked() {
    for (members, expected) in [
        (
            json!({"allowed_origins": ["*"], "allow_credentials": true}),
            "`plugins[0].settings.allow_credentials` is not possible with the origin `*`",
        ),
        (
            json!({"allowed_methods": ["get"]}),
            "`plugins[0].settings.allowed_methods[0]` is not a method",
        ),
        (
            json!({"expose_headers": ["a b"]}),
            "`plugins[0].settings.expose_headers[0]` is not the name",
        ),
        (
            json!({"allowed_origins": []}),
            "`plugins[0].settings.allowed_origins`",
        ),
        (json!({"max_age": "soon"}), "`plugins[0].settings.max_age`"),
    ] {
        let said = wrong_of_gateway(chain(members));
        assert!(said.contains(expected), "{said}");
    }
    for origin in [
        "app.example.com",
        "ftp://app.example.com",
        "https://app.example.com/",
        "https://*.example.com",
        "https://me@app.example.com",
        "https://",
        "null",
    ] {
        let said = wrong_of_gateway(chain(json!({"allowed_origins": [APP, origin]})));
        let expected = "`plugins[0].settings.allowed_origins[1]` must be `*` or an origin";
        assert!(said.contains(expected), "{origin}: {said}");
    }
    let said = wrong(chain(json!({})));
    assert!(said.contains("it can hang on a gateway only"), "{said}");
}
