//! Which headers cross the gateway.

use aisix_core::{
    Gateway, edge,
    testing::{self, Answer, Recorded, Setup, Upstream},
};
use http::{HeaderName, HeaderValue, Response};
use serde_json::json;
use std::sync::Arc;

use crate::ask::*;

/// Sends a chat with these headers; returns what the upstream got.
async fn forwarded(setup: Setup, headers: &[(&'static str, &'static str)]) -> Arc<Recorded> {
    let upstream = Upstream::new();
    upstream.answer(Answer::chat("hello"));
    let mut request = testing::chat_request("hi");
    for (name, value) in headers {
        let name = HeaderName::from_static(name);
        request
            .headers_mut()
            .append(name, HeaderValue::from_static(value));
    }
    assert_eq!(send(&setup.gateway(&upstream), request).await.status(), 200);
    upstream.last_request()
}

#[tokio::test]
async fn protocol_headers_go_up_and_credentials_never() {
    let all = Setup::new().provider_key(json!({"request": {"forward_client_headers": ["*"]}}));
    let private = [
        ("x-api-key", "caller"),
        ("cookie", "a=b"),
        ("openai-organization", "org"),
        ("openai-project", "project"),
        ("x-stainless-lang", "python"),
        ("x-aisix-routing-tags", "eu"),
        ("traceparent", "00-1-2-01"),
        ("accept-encoding", "gzip"),
        ("connection", "x-hop"),
        ("te", "trailers"),
        ("host", "gateway.test"),
    ];
    let mut headers = vec![("openai-beta", "assistants=v2"), ("idempotency-key", "k1")];
    headers.extend(private);
    for setup in [Setup::new(), all] {
        let request = forwarded(setup, &headers).await;
        assert_eq!(request.header("openai-beta"), Some("assistants=v2"));
        assert_eq!(request.header("idempotency-key"), Some("k1"));
        assert_eq!(request.header("authorization"), Some("Bearer sk-upstream"));
        for (name, _) in private {
            assert_eq!(request.header(name), None, "{name}");
        }
    }
}

#[tokio::test]
async fn other_headers_go_up_only_when_they_are_named() {
    let headers = [
        ("x-tenant-a", "1"),
        ("x-tenant-a", "2"),
        ("x-other", "3"),
        ("anthropic-beta", "b"),
    ];
    let closed = forwarded(Setup::new(), &headers).await;
    assert_eq!(
        (closed.header("x-tenant-a"), closed.header("anthropic-beta")),
        (None, None)
    );

    let setup =
        Setup::new().provider_key(json!({"request": {"forward_client_headers": ["X-Tenant-*"]}}));
    let open = forwarded(setup, &headers).await;
    let values: Vec<_> = open.head.headers.get_all("x-tenant-a").iter().collect();
    assert_eq!(values, ["1", "2"]);
    assert_eq!(open.header("x-other"), None);
}

#[tokio::test]
async fn default_headers_are_filled_in_and_yield_to_the_callers() {
    let setup = Setup::new()
        .api_key(json!({"team_id": "team-1", "display_name": "Alice"}))
        .provider_key(json!({"request": {
            "forward_client_headers": ["x-mine"],
            "default_headers": {
                "x-who": "${request.api_key.id}/${request.api_key.name}/${request.api_key.team_id}",
                "x-what": "${model.id} ${model.name} ${provider_key.id} ${provider_key.name}",
                "x-user": "user ${request.api_key.user_id}",
                "x-request": "${request.id}",
                "x-mine": "default",
            },
        }}));
    let headers = [("x-mine", "caller"), ("x-aisix-request-id", "r-1")];
    let request = forwarded(setup, &headers).await;
    assert_eq!(request.header("x-who"), Some("caller/Alice/team-1"));
    assert_eq!(request.header("x-what"), Some("model test-model key key"));
    assert_eq!(request.header("x-user"), None, "there is no user");
    assert_eq!(request.header("x-request"), Some("r-1"));
    assert_eq!(request.header("x-mine"), Some("caller"));
    assert_eq!(request.header("x-aisix-request-id"), Some("r-1"));
}

async fn answered(gateway: &Gateway) -> Response<aisix_core::body::Body> {
    chat(gateway).await
}

#[tokio::test]
async fn content_and_retry_headers_come_down_and_nothing_else() {
    let upstream = Upstream::new();
    let gateway = testing::gateway(&upstream);
    upstream.answer(
        Answer::chat("hello")
            .header("x-request-id", "upstream-id")
            .header("openai-organization", "org")
            .header("set-cookie", "a=b")
            .header("server", "vendor")
            .header("x-ratelimit-remaining-requests", "1")
            .header("content-language", "en")
            .header("retry-after-ms", "100"),
    );
    let response = answered(&gateway).await;
    let headers = response.headers();
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers["content-language"], "en");
    assert_eq!(headers["retry-after-ms"], "100");
    assert_ne!(headers["x-request-id"], "upstream-id");
    let server = headers["server"].to_str().unwrap();
    assert!(server.starts_with("AISIX/"), "{server}");
    for gone in [
        "openai-organization",
        "set-cookie",
        "x-ratelimit-remaining-requests",
    ] {
        assert!(!headers.contains_key(gone), "{gone}");
    }
}

#[tokio::test]
async fn every_answer_carries_the_requests_id() {
    let upstream = Upstream::new();
    let gateway = testing::gateway(&upstream);
    upstream.answer(Answer::chat("hello"));
    let response = chat(&gateway).await;
    let id = response.headers()["x-aisix-request-id"].clone();
    assert_eq!(id.len(), 36, "a UUID");
    assert_eq!(response.headers()["x-request-id"], id);
    assert_eq!(response.headers()["x-aisix-call-id"], id);
    assert_eq!(
        upstream.last_request().head.headers["x-aisix-request-id"],
        id
    );

    let refused = send(&gateway, get("/nowhere")).await;
    assert!(refused.headers().contains_key("x-aisix-request-id"));
    assert!(refused.headers().contains_key("server"));
    assert!(!refused.headers().contains_key("x-aisix-call-id"));
}

#[tokio::test]
async fn an_acceptable_id_of_the_client_is_kept() {
    let longest: &'static str = "x".repeat(256).leak();
    let too_long: &'static str = "x".repeat(257).leak();
    let settings = edge::Settings {
        request_id: edge::RequestId {
            accept_headers: ["x-first", "x-second"].map(HeaderName::from_static).into(),
        },
        ..edge::Settings::default()
    };
    let builder = Setup::new().builder(&Upstream::new());
    let gateway = builder.settings(settings).build().unwrap();
    for (first, second, kept) in [
        ("abc-1", "", Some("abc-1")),
        ("", "second", Some("second")),
        ("with space", "second", Some("second")),
        (too_long, longest, Some(longest)),
        ("", "", None),
    ] {
        let mut request = get("/v1/models");
        request
            .headers_mut()
            .insert("x-first", HeaderValue::from_static(first));
        request
            .headers_mut()
            .insert("x-second", HeaderValue::from_static(second));
        let response = send(&gateway, request).await;
        let id = response.headers()["x-aisix-request-id"].to_str().unwrap();
        match kept {
            Some(kept) => assert_eq!(id, kept),
            None => assert_eq!(id.len(), 36),
        }
    }
}

#[tokio::test]
async fn where_anthropics_limits_stand_is_told_on_success_and_refusal() {
    let name = "anthropic-ratelimit-unified-status";
    let upstream = Upstream::new();
    let gateway = testing::gateway(&upstream);
    for answer in [Answer::chat("hi"), Answer::refusal(429, "slow down")] {
        upstream.answer(answer.header(name, "rejected"));
        let request = testing::chat_request("hi");
        let response = send(&gateway, request).await;
        assert_eq!(response.headers()[name], "rejected");
    }
}
