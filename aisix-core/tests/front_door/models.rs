//! Which model, and whether.

use aisix_core::{
    Gateway,
    config::resource::Kind,
    edge::{self, ClientAddr, RealIp},
    testing::{self, Answer, MODEL, Setup, Upstream},
};
use serde_json::{Value, json};

use crate::ask::*;

async fn ask(gateway: &Gateway, model: &str) -> (u16, Value) {
    let body = chat_body(&json!({"model": model}));
    refusal(send(gateway, testing::request(CHAT, body)).await).await
}

#[tokio::test]
async fn an_unknown_model_is_named() {
    let gateway = testing::gateway(&Upstream::new());
    let expected = error("model_not_found", "model \"gpt-9\" not found");
    assert_eq!(ask(&gateway, "gpt-9").await, (404, expected));
}

#[tokio::test]
async fn a_long_name_is_cut_in_the_message() {
    let gateway = testing::gateway(&Upstream::new());
    let (status, body) = ask(&gateway, &"é".repeat(200)).await;
    let name = format!("{}…", "é".repeat(128));
    assert_eq!(
        (status, body),
        (
            404,
            error("model_not_found", &format!("model {name:?} not found"))
        )
    );
}

#[tokio::test]
async fn a_key_may_use_what_its_globs_match() {
    for (globs, status) in [
        (json!([]), 403),
        (json!(["other"]), 403),
        (json!(["test-*"]), 200),
        (json!(["*-model"]), 200),
        (json!(["*"]), 200),
        (json!(["other", MODEL]), 200),
    ] {
        let upstream = Upstream::new();
        upstream.answer(Answer::chat("hello"));
        let gateway = Setup::new()
            .api_key(json!({"allowed_models": globs}))
            .gateway(&upstream);
        let (got, body) = ask(&gateway, MODEL).await;
        assert_eq!(got, status, "{globs}");
        if status == 403 {
            let message = "this API key may not use model \"test-model\"";
            assert_eq!(body, error("permission_denied", message));
        }
    }
}

#[tokio::test]
async fn the_most_specific_wildcard_serves_and_the_exact_name_before_it() {
    let model = |name: &str, upstream: &str| json!({"display_name": name, "provider": "plain", "model_name": upstream, "provider_key_id": "key"});
    let upstream = Upstream::new();
    let mut passing = model("free/*", "x");
    passing.as_object_mut().unwrap().remove("model_name");
    let gateway = Setup::new()
        .add(Kind::Model, "a", model("gpt-*", "vendor/gpt-*"))
        .add(Kind::Model, "b", model("gpt-*-mini", "small-*"))
        .add(Kind::Model, "c", model("gpt-4o", "exact"))
        .add(Kind::Model, "d", model("any-*", "fixed"))
        .add(Kind::Model, "e", passing)
        .gateway(&upstream);
    for (asked, sent) in [
        ("gpt-5", "vendor/gpt-5"),
        ("gpt-5-mini", "small-5"),
        ("gpt-4o", "exact"),
        ("any-thing", "fixed"),
        ("free/llama", "llama"),
    ] {
        upstream.answer(Answer::chat("hello"));
        assert_eq!(ask(&gateway, asked).await.0, 200, "{asked}");
        assert_eq!(upstream.last_request().json()["model"], sent);
    }
}

#[tokio::test]
async fn a_model_may_be_closed_to_addresses() {
    let upstream = Upstream::new();
    let settings = edge::Settings {
        real_ip: RealIp {
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
            ..RealIp::default()
        },
        ..edge::Settings::default()
    };
    let setup = Setup::new().model(json!({"allowed_cidrs": ["192.0.2.0/24"]}));
    let gateway = setup.builder(&upstream).settings(settings).build().unwrap();
    for (peer, forwarded, status) in [
        (Some("192.0.2.7:1"), None, 200),
        (Some("[::ffff:192.0.2.7]:1"), None, 200),
        (Some("198.51.100.1:1"), None, 403),
        (Some("198.51.100.1:1"), Some("192.0.2.7"), 403),
        (Some("10.0.0.1:1"), Some("192.0.2.7"), 200),
        (Some("10.0.0.1:1"), Some("192.0.2.7, 198.51.100.1"), 403),
        (None, None, 403),
    ] {
        upstream.answer(Answer::chat("hello"));
        let mut request = testing::chat_request("hi");
        if let Some(peer) = peer {
            request
                .extensions_mut()
                .insert(ClientAddr(peer.parse().unwrap()));
        }
        if let Some(forwarded) = forwarded {
            request
                .headers_mut()
                .insert("x-forwarded-for", forwarded.parse().unwrap());
        }
        let (got, body) = refusal(send(&gateway, request).await).await;
        assert_eq!(got, status, "{peer:?} {forwarded:?}");
        if status == 403 {
            let message = "this model may not be used from your address";
            let expected =
                json!({"message": message, "type": "permission_denied", "code": "ip_restricted"});
            assert_eq!(body, json!({"error": expected}));
        }
    }
}

#[tokio::test]
async fn a_model_that_nobody_can_serve_says_so() {
    for (model, key, status, kind) in [
        (
            json!({"provider_key_id": "gone"}),
            json!({}),
            400,
            "invalid_request_error",
        ),
        (
            json!({"provider": "stranger"}),
            json!({}),
            503,
            "provider_unavailable",
        ),
        (
            json!({}),
            json!({"adapter": "bedrock"}),
            503,
            "provider_unavailable",
        ),
        (
            json!({}),
            json!({"api_key": "line\nbreak"}),
            401,
            "authentication_error",
        ),
    ] {
        let upstream = Upstream::new();
        let gateway = Setup::new()
            .model(model.clone())
            .provider_key(key)
            .gateway(&upstream);
        let (got, body) = ask(&gateway, MODEL).await;
        assert_eq!(
            (got, &body["error"]["type"]),
            (status, &json!(kind)),
            "{model}"
        );
        assert!(upstream.requests().is_empty());
    }
}
