//! What the API promises besides the answers: models, ids, headers, credentials, paths.

use aisix_tests::{
    client::Client,
    gateway::{self, Gateway, Setup},
    upstream::{Flavour, Reply, Upstream},
};
use serde_json::{Value, json};

const CHAT: &str = "/v1/chat/completions";

async fn house(more: impl FnOnce(Setup) -> Setup) -> (Upstream, Gateway) {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    let setup = Setup::new().provider(&upstream).models(["text", "other"]);
    let gateway = Gateway::start(more(setup)).await;
    (upstream, gateway)
}

#[tokio::test]
async fn models_are_listed_in_the_callers_dialect() {
    let (_upstream, gateway) = house(|setup| {
        setup
            .key("narrow", "sk-narrow", json!({"allowed_models": ["t*"]}))
            .model("wild-*", json!({"model_name": "*"}))
    })
    .await;
    let client = Client::new(gateway.proxy());
    let list = client.get("/v1/models").await.json().await;
    assert_eq!(list["object"], "list");
    let ids: Vec<_> = list["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|model| model["id"].clone())
        .collect();
    assert_eq!(ids, ["other", "text"]);
    let model = &list["data"][1];
    assert_eq!(
        (&model["object"], &model["owned_by"]),
        (&json!("model"), &json!("openai"))
    );
    assert_eq!(&client.get("/v1/models/text").await.json().await, model);
    assert_eq!(
        client.get("/v1/models").await.json().await,
        list,
        "`created` is not stable"
    );

    let anthropic = client.header("anthropic-version", "2023-06-01");
    let list = anthropic.get("/v1/models").await.json().await;
    let model = &list["data"][1];
    assert_eq!(
        (&model["type"], &model["id"]),
        (&json!("model"), &json!("text"))
    );
    assert!(
        model["display_name"].is_string() && model["created_at"].is_string(),
        "{model}"
    );
    let ends = (&list["has_more"], &list["first_id"], &list["last_id"]);
    assert_eq!(ends, (&json!(false), &json!("other"), &json!("text")));
    let absent = anthropic.get("/v1/models/absent").await;
    assert_eq!(absent.status, 404);
    let absent = absent.json().await;
    assert_eq!(
        (&absent["type"], &absent["error"]["type"]),
        (&json!("error"), &json!("not_found_error"))
    );

    let narrow = Client::anonymous(gateway.proxy()).header("x-api-key", "sk-narrow");
    assert_eq!(
        narrow.get("/v1/models").await.json().await["data"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    assert_ne!(narrow.get("/v1/models/other").await.status, 200);
    assert_eq!(
        Client::anonymous(gateway.proxy())
            .get("/v1/models")
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn keys_that_expired_are_disabled_or_narrow_are_told_apart() {
    let (upstream, gateway) = house(|setup| {
        setup
            .key(
                "old",
                "sk-old",
                json!({"allowed_models": ["*"], "expires_at": "2020-01-01T00:00:00Z"}),
            )
            .key(
                "young",
                "sk-young",
                json!({"allowed_models": ["*"], "expires_at": "2999-01-01T00:00:00+02:00"}),
            )
            .key(
                "off",
                "sk-off",
                json!({"allowed_models": ["*"], "disabled": true}),
            )
            .key("none", "sk-none", json!({"allowed_models": []}))
    })
    .await;
    let absent = Value::Null;
    let table = [
        (
            "sk-old",
            401,
            json!("invalid_api_key"),
            json!("api_key_expired"),
        ),
        (
            "sk-off",
            401,
            json!("invalid_api_key"),
            json!("api_key_disabled"),
        ),
        ("sk-nobody", 401, json!("invalid_api_key"), absent.clone()),
        ("sk-none", 403, json!("permission_denied"), absent.clone()),
        ("sk-young", 200, absent.clone(), absent),
    ];
    for (key, status, kind, code) in table {
        let response = Client::anonymous(gateway.proxy())
            .header("x-api-key", key)
            .chat("text", "hi")
            .await;
        assert_eq!(response.status.as_u16(), status, "{key}");
        let error = response.json().await["error"].clone();
        assert_eq!((&error["type"], &error["code"]), (&kind, &code), "{key}");
    }
    assert_eq!(upstream.exchanges().len(), 1);
}

#[tokio::test]
async fn a_request_has_one_id_everywhere() {
    let (upstream, gateway) = house(|setup| {
        setup.config(json!({"proxy": {"request_id": {"accept_headers": ["x-first", "x-second"]}}}))
    })
    .await;
    let client = Client::new(gateway.proxy());
    let long = "x".repeat(257);
    let table = [
        (vec![("x-first", "one"), ("x-second", "two")], Some("one")),
        (vec![("x-second", "two")], Some("two")),
        (
            vec![("x-first", long.as_str()), ("x-second", "two")],
            Some("two"),
        ),
        (vec![("x-first", "has space")], None),
        (vec![("x-aisix-request-id", "not-accepted")], None),
    ];
    for (number, (headers, expected)) in table.into_iter().enumerate() {
        let client = headers
            .iter()
            .fold(client.clone(), |client, (name, value)| {
                client.header(name, value)
            });
        let response = client.chat("text", "hi").await;
        let id = response
            .header("x-aisix-request-id")
            .expect("always sent")
            .to_owned();
        match expected {
            Some(expected) => assert_eq!(id, expected),
            None => assert!(
                id.len() == 36 && id.as_bytes()[14] == b'4',
                "no UUID v4: {id}"
            ),
        }
        assert_eq!(response.header("x-request-id"), Some(id.as_str()));
        assert_eq!(response.header("x-aisix-call-id"), Some(id.as_str()));
        let sent = upstream.exchange(number).await.request;
        assert_eq!(sent.header("x-aisix-request-id"), Some(id.as_str()));
        gateway.access_log(&id).await;
    }
    let refused = client.get("/nowhere").await;
    assert!(refused.header("x-aisix-request-id").is_some());
    assert!(
        refused
            .header("server")
            .is_some_and(|server| server.starts_with("AISIX/"))
    );
}

#[tokio::test]
async fn advice_to_retry_reaches_the_client_and_nothing_private_does() {
    let (upstream, gateway) =
        house(|setup| setup.config(json!({"upstream": {"retries": 0}}))).await;
    let answer = || Reply::error(429, "limit", Some("slow_down"), "later");
    upstream.next(
        answer()
            .header("retry-after", "7")
            .header("retry-after-ms", "6500")
            .header("x-should-retry", "true")
            .header("openai-organization", "org-of-the-operator")
            .header("set-cookie", "a=b")
            .header("x-ratelimit-limit-requests", "10000")
            .header("server", "upstream"),
    );
    let response = Client::new(gateway.proxy()).chat("text", "hi").await;
    for (name, value) in [
        ("retry-after", Some("7")),
        ("retry-after-ms", Some("6500")),
        ("x-should-retry", Some("true")),
        ("openai-organization", None),
        ("set-cookie", None),
        ("x-ratelimit-limit-requests", None),
    ] {
        assert_eq!(response.header(name), value, "{name}");
    }
    assert_eq!(response.headers.get_all("server").iter().count(), 1);
    assert_eq!(response.status, 429);
    let error = response.json().await["error"].clone();
    assert_eq!(
        (&error["type"], &error["code"]),
        (&json!("upstream_error"), &json!("slow_down"))
    );
}

#[tokio::test]
async fn paths_are_rewritten_before_they_are_routed() {
    let rules = json!([
        {"match": "^/openai/(.*)$", "rewrite": "/v1/$1"},
        {"match": "^/v1/old$", "rewrite": "/v1/models"},
    ]);
    let (_upstream, gateway) =
        house(|setup| setup.config(json!({"proxy": {"url_rewrites": rules}}))).await;
    let client = Client::new(gateway.proxy());
    for (path, status) in [
        ("/openai/models", 200),
        ("/v1/old", 200),
        ("/openai/old", 404),
        ("/v1/models", 200),
    ] {
        assert_eq!(client.get(path).await.status.as_u16(), status, "{path}");
    }
    let body = json!({"model": "text", "messages": [{"role": "user", "content": "hi"}]});
    assert_eq!(
        client
            .post("/openai/chat/completions?a=b", &body)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn legacy_completions_and_embeddings_pass_unchanged() {
    let (upstream, gateway) = house(|setup| setup).await;
    let client = Client::new(gateway.proxy());
    let bodies = [
        (
            "/v1/completions",
            r#"{"model":"text", "prompt":"Once", "x":1.0}"#,
        ),
        ("/v1/embeddings", r#"{"input":"a","model":"text"}"#),
        ("/v1/embeddings", r#"{"input":["a","b"],"model":"text"}"#),
        ("/v1/embeddings", r#"{"input":[1,2,3],"model":"text"}"#),
        (
            "/v1/embeddings",
            r#"{"input":[[1,2],[3]],"model":"text","encoding_format":"base64"}"#,
        ),
    ];
    for (number, (path, body)) in bodies.into_iter().enumerate() {
        let response = client.post_bytes(path, body).await;
        assert_eq!(response.status, 200, "{body}");
        let request = upstream.exchange(number).await.request;
        assert_eq!(
            (request.path.as_str(), request.body.as_ref()),
            (path, body.as_bytes())
        );
    }
    for (path, body) in [
        ("/v1/embeddings", r#"{"model":"text"}"#),
        (CHAT, r#"{"messages":[]}"#),
    ] {
        assert_eq!(client.post_bytes(path, body).await.status, 400, "{path}");
    }
}

#[tokio::test]
async fn what_is_switched_off_is_off() {
    let (_upstream, gateway) =
        house(|setup| setup.config(json!({"observability": {"access_log": false}}))).await;
    let client = Client::new(gateway.proxy()).header("x-aisix-request-id", "quiet");
    assert_eq!(client.chat("text", "hi").await.status, 200);
    assert!(!gateway.printed().contains("quiet"));
    assert!(!gateway.printed().contains(gateway::KEY));
}
