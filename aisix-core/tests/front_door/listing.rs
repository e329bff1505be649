//! `/v1/models`, `/livez`, `/readyz`.

use aisix_core::{
    Gateway,
    body::Body,
    config::{Config, resource::Kind},
    testing::{self, Setup, Upstream},
};
use http::Request;
use serde_json::{Value, json};

use crate::ask::*;

fn several() -> Gateway {
    let model = |name: &str| json!({"display_name": name, "provider": "plain", "model_name": "m", "provider_key_id": "key"});
    Setup::new()
        .api_key(json!({"allowed_models": ["a*", "test-model", "b/c"]}))
        .add(Kind::Model, "1", model("b/c"))
        .add(Kind::Model, "2", model("alpha"))
        .add(Kind::Model, "3", model("a*"))
        .add(Kind::Model, "4", model("secret"))
        .gateway(&Upstream::new())
}

fn anthropic(mut request: Request<Body>) -> Request<Body> {
    let version = http::HeaderValue::from_static("2023-06-01");
    request.headers_mut().insert("anthropic-version", version);
    request
}

fn ids(list: &Value) -> Vec<&str> {
    let data = list["data"].as_array().unwrap().iter();
    data.map(|model| model["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_list_holds_what_the_caller_may_use_in_order() {
    let (status, list) = refusal(send(&several(), get("/v1/models")).await).await;
    assert_eq!(status, 200);
    assert_eq!(list["object"], "list");
    assert_eq!(ids(&list), ["alpha", "b/c", "test-model"]);
    let first = &list["data"][0];
    assert_eq!(
        (&first["object"], &first["owned_by"]),
        (&json!("model"), &json!("plain"))
    );
    let again = testing::json(send(&several(), get("/v1/models")).await).await;
    assert_eq!(list, again, "created is stable");
}

#[tokio::test]
async fn anthropic_callers_get_their_own_shape() {
    let response = send(&several(), anthropic(get("/v1/models"))).await;
    assert!(response.headers().contains_key("request-id"));
    let list = testing::json(response).await;
    assert_eq!(ids(&list), ["alpha", "b/c", "test-model"]);
    assert_eq!(list["data"][0]["type"], "model");
    assert_eq!(
        (&list["has_more"], &list["first_id"]),
        (&json!(false), &json!("alpha"))
    );

    let (status, body) = refusal(send(&several(), anthropic(get("/v1/models/secret"))).await).await;
    assert_eq!(status, 404);
    let expected = json!({"type": "not_found_error", "message": "model \"secret\" not found"});
    assert_eq!(body, json!({"type": "error", "error": expected}));
}

#[tokio::test]
async fn one_model_is_found_by_its_whole_name() {
    for (path, id) in [
        ("/v1/models/b/c", "b/c"),
        ("/v1/models/b%2Fc", "b/c"),
        ("/v1/models/alpha", "alpha"),
        ("/v1/models/another", "another"),
    ] {
        let model = testing::json(send(&several(), get(path)).await).await;
        assert_eq!(
            (&model["id"], &model["object"]),
            (&json!(id), &json!("model")),
            "{path}"
        );
    }
    for hidden in ["/v1/models/secret", "/v1/models/nothing"] {
        assert_eq!(
            send(&several(), get(hidden)).await.status(),
            404,
            "{hidden}"
        );
    }
}

#[tokio::test]
async fn listing_needs_a_caller_and_probes_do_not() {
    let stranger = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    assert_eq!(send(&several(), stranger("/v1/models")).await.status(), 401);
    for probe in ["/livez", "/readyz"] {
        let response = send(&several(), stranger(probe)).await;
        assert_eq!(response.status(), 200);
        assert_eq!(testing::text(response).await, "ok");
    }
    let verbose = send(&several(), stranger("/readyz?verbose")).await;
    assert!(
        testing::text(verbose)
            .await
            .ends_with("readyz check passed\n")
    );
}

#[tokio::test]
async fn a_gateway_is_ready_with_a_configuration_and_until_it_drains() {
    let empty = Gateway::builder(Config::builder().build());
    let empty = empty.transport(Upstream::new()).build().unwrap();
    assert_eq!(send(&empty, get("/readyz")).await.status(), 503);
    assert_eq!(send(&empty, get("/livez")).await.status(), 200);

    let gateway = several();
    gateway.drain().begin();
    assert_eq!(send(&gateway, get("/readyz")).await.status(), 503);
    assert_eq!(
        send(&gateway, get("/v1/models")).await.status(),
        200,
        "it still serves"
    );
}
