//! Who may come in.

use std::sync::Arc;

use aisix_core::{
    Error, ErrorKind,
    auth::Authenticator,
    body::Body,
    call::Caller,
    config::Snapshot,
    testing::{API_KEY, Answer, Setup, Upstream, chat_request},
};
use http::{Request, request::Parts};
use serde_json::{Value, json};

use crate::ask::*;

async fn with_headers(setup: Setup, headers: &[(&str, &str)]) -> (u16, Value) {
    let upstream = Upstream::new();
    upstream.answer(Answer::chat("hello"));
    let mut request = Request::post(CHAT);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(chat_body(&json!({})))).unwrap();
    refusal(send(&setup.gateway(&upstream), request).await).await
}

#[tokio::test]
async fn a_key_is_taken_from_either_header() {
    let bearer = format!("Bearer {API_KEY}");
    for headers in [
        [("authorization", bearer.as_str())],
        [("x-api-key", API_KEY)],
    ] {
        assert_eq!(
            with_headers(Setup::new(), &headers).await.0,
            200,
            "{headers:?}"
        );
    }
}

#[tokio::test]
async fn what_is_no_bearer_token_does_not_fall_back_to_the_other_header() {
    let key = ("x-api-key", API_KEY);
    let lower = format!("bearer {API_KEY}");
    for authorization in [
        "",
        "Bearer",
        "Bearer ",
        "Basic abc",
        API_KEY,
        lower.as_str(),
    ] {
        let headers = [("authorization", authorization), key];
        let expected = error(
            "invalid_api_key",
            "missing or malformed Authorization header",
        );
        assert_eq!(
            with_headers(Setup::new(), &headers).await,
            (401, expected),
            "{authorization:?}"
        );
    }
}

#[tokio::test]
async fn no_key_and_an_unknown_key_are_told_apart() {
    let missing = error(
        "invalid_api_key",
        "missing or malformed Authorization header",
    );
    assert_eq!(with_headers(Setup::new(), &[]).await, (401, missing));
    let unknown = error("invalid_api_key", "invalid API key");
    let headers = [("authorization", "Bearer sk-other")];
    assert_eq!(with_headers(Setup::new(), &headers).await, (401, unknown));
}

#[tokio::test]
async fn a_key_that_is_out_of_use_says_why() {
    for (member, code, message) in [
        (
            json!({"disabled": true}),
            "api_key_disabled",
            "this API key is disabled",
        ),
        (
            json!({"expires_at": "2020-01-01T00:00:00Z"}),
            "api_key_expired",
            "this API key has expired",
        ),
    ] {
        let setup = Setup::new().api_key(member);
        let expected =
            json!({"error": {"message": message, "type": "invalid_api_key", "code": code}});
        let headers = [("x-api-key", API_KEY)];
        assert_eq!(with_headers(setup, &headers).await, (401, expected));
    }
    let later = Setup::new().api_key(json!({"expires_at": "2999-01-01T00:00:00Z"}));
    assert_eq!(with_headers(later, &[("x-api-key", API_KEY)]).await.0, 200);
}

#[tokio::test]
async fn the_key_before_works_beside_the_new_one_until_its_time_is_over() {
    let rotated = |end: &str| {
        let previous = aisix_core::config::KeyHash::of("sk-before").to_hex();
        let rotation = json!({"previous_key_hash": previous, "previous_expires_at": end});
        Setup::new().api_key(rotation)
    };
    let before = [("x-api-key", "sk-before")];
    let setup = rotated("2999-01-01T00:00:00Z");
    assert_eq!(with_headers(setup, &before).await.0, 200);
    let setup = rotated("2020-01-01T00:00:00Z");
    let (status, answer) = with_headers(setup, &before).await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (401, &json!("api_key_expired"))
    );
    let setup = rotated("2020-01-01T00:00:00Z");
    assert_eq!(with_headers(setup, &[("x-api-key", API_KEY)]).await.0, 200);
}

#[tokio::test]
async fn keys_before_and_now_share_a_limit_and_go_together() {
    use aisix_core::config::{Change, Entry, Key, KeyHash, Kind};
    let upstream = Upstream::new();
    upstream.answer(Answer::chat("hello"));
    upstream.answer(Answer::chat("hello again"));
    let config = Setup::new().config();
    let gateway = aisix_core::Gateway::builder(config.clone())
        .transport(upstream)
        .build()
        .unwrap();
    let rotated = json!({
        "key_hash": KeyHash::of("sk-now").to_hex(), "allowed_models": ["*"], "rate_limit": {"rpd": 2},
        "previous_key_hash": KeyHash::of("sk-before").to_hex(), "previous_expires_at": "2999-01-01T00:00:00Z",
    });
    let ask = async |key: &str| {
        let request = Request::post(CHAT).header("x-api-key", key);
        let request = request.body(Body::from(chat_body(&json!({})))).unwrap();
        send(&gateway, request).await.status().as_u16()
    };
    config.apply([Change::Put(Entry::new(Kind::ApiKey, "rotated", rotated))]);
    assert_eq!(
        [
            ask("sk-now").await,
            ask("sk-before").await,
            ask("sk-now").await
        ],
        [200, 200, 429]
    );
    config.apply([Change::Delete(Key {
        kind: Kind::ApiKey,
        id: "rotated".into(),
    })]);
    assert_eq!([ask("sk-now").await, ask("sk-before").await], [401, 401]);
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_once() {
    use aisix_core::{
        Gateway,
        config::{Change, Key, resource::Kind},
    };
    let upstream = Upstream::new();
    upstream.answer(Answer::chat("hello"));
    let config = Setup::new().config();
    let gateway = Gateway::builder(config.clone())
        .transport(upstream)
        .build()
        .unwrap();
    assert_eq!(chat(&gateway).await.status(), 200);
    config.apply([Change::Delete(Key {
        kind: Kind::ApiKey,
        id: "caller".into(),
    })]);
    assert_eq!(chat(&gateway).await.status(), 401);
}

struct Door;

#[async_trait::async_trait]
impl Authenticator for Door {
    async fn authenticate(&self, head: &Parts, _: &Arc<Snapshot>) -> Result<Arc<Caller>, Error> {
        match head.extensions.get::<&'static str>() {
            Some(name) => Ok(Arc::new(Caller::builder(*name).models(["*"]).build())),
            None => Err(Error::new(ErrorKind::Unauthenticated, "log in first")),
        }
    }
}

#[tokio::test]
async fn an_app_answers_for_its_own_users() {
    let upstream = Upstream::new();
    upstream.answer(Answer::chat("hello"));
    let builder = Setup::new().builder(&upstream).authenticator(Door);
    let gateway = builder.build().unwrap();

    let mut request = chat_request("hi");
    request.headers_mut().remove("authorization");
    request.extensions_mut().insert("alice");
    assert_eq!(send(&gateway, request).await.status(), 200);
    let expected = error("invalid_api_key", "log in first");
    assert_eq!(refusal(chat(&gateway).await).await, (401, expected));
}
