//! Who comes in, and what is turned away.

use aisix_core::{body::Body, config::Kind};
use http::Request;
use serde_json::{Value, json};

use crate::ask::*;

#[tokio::test]
async fn a_key_is_wanted_before_anything_is_told() {
    let desk = Desk::new();
    let cases: &[(&[(&str, &str)], u16)] = &[
        (&[], 401),
        (&[("authorization", "Bearer wrong")], 401),
        (&[("authorization", "Basic YWRtaW4=")], 401),
        (&[("authorization", "Bearer ")], 401),
        (
            &[("authorization", "Bearer wrong"), ("x-api-key", ADMIN_KEY)],
            401,
        ),
        (&[("authorization", "Bearer admin-key-of-the-tests")], 200),
        (&[("authorization", "bEaReR another-admin-key")], 200),
        (&[("authorization", ADMIN_KEY)], 200),
        (&[("x-api-key", ADMIN_KEY)], 200),
    ];
    for (headers, status) in cases {
        for path in ["/aisix/admin/models", "/admin/v1/models"] {
            let mut request = Request::get(path);
            for (name, value) in *headers {
                request = request.header(*name, *value);
            }
            let answer = desk.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, *status, "{headers:?}");
            if *status == 401 {
                assert_eq!(answer.message(), "missing or wrong admin key");
                assert_eq!(answer.headers["www-authenticate"], "Bearer");
            }
        }
    }
    // What does not exist is not told apart from what does.
    let stranger = Request::get("/aisix/admin/secrets")
        .body(Body::empty())
        .unwrap();
    assert_eq!(desk.send(stranger).await.status, 401);
}

#[tokio::test]
async fn paths_and_methods_that_do_not_exist_are_told_apart() {
    let desk = Desk::new().with_model().await;
    for path in [
        "/",
        "/aisix/admin",
        "/aisix/admin/",
        "/aisix/admin/colours",
        "/aisix/admin/models/",
        "/aisix/admin/models/m/x",
        "/aisix/admin/models/../provider_keys/up",
        "/aisix/admin//models",
        "/aisix/admin/models/%ff",
        "/aisix/admin/MODELS",
        "/admin/v1/nothing",
    ] {
        let answer = desk.get(path).await;
        assert_eq!(
            (answer.status, answer.message()),
            (404, "no such path"),
            "{path}"
        );
    }
    for path in ["%2e%2e", "m%2f..%2f..%2fprovider_keys%2fup", "m%00"] {
        let answer = desk.get(&format!("/aisix/admin/models/{path}")).await;
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
        assert!(answer.message().starts_with("Model with ID "), "{answer:?}");
    }
    let answer = desk.ask("DELETE", "/aisix/admin/models", Value::Null).await;
    assert_eq!(
        (answer.status, answer.headers["allow"].to_str().unwrap()),
        (405, "GET, HEAD, POST")
    );
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let answer = desk.ask(method, "/admin/v1/models/m", json!({})).await;
        assert_eq!(
            answer.status, 405,
            "{method}: the older surface is read only"
        );
    }
}

#[tokio::test]
async fn bodies_that_make_no_sense_are_refused_plainly() {
    let desk = Desk::new();
    let send = async |content_type: &str, body: String| {
        let request = Request::post("/aisix/admin/provider_keys")
            .header("authorization", format!("Bearer {ADMIN_KEY}"))
            .header("content-type", content_type);
        desk.send(request.body(Body::from(body)).unwrap()).await
    };
    let json = "application/json";
    for (content_type, body, status, message) in [
        ("text/plain", "{}", 415, "`Content-Type: application/json`"),
        (
            "application/x-www-form-urlencoded",
            "a=b",
            415,
            "Content-Type",
        ),
        (json, "", 400, "Invalid JSON: it ends too early"),
        (
            json,
            "{\"api_key\": \"top-secret\"",
            400,
            "Invalid JSON: it ends too early",
        ),
        (
            json,
            "{\"api_key\": top-secret}",
            400,
            "Invalid JSON: it is not well-formed",
        ),
        (json, "[]", 400, "Invalid JSON: the body must be an object"),
        (json, "null", 400, "must be an object"),
        (json, "{}", 400, "`display_name` is required"),
        (
            "application/json; charset=utf-8",
            "{}",
            400,
            "`api_key` is required",
        ),
    ] {
        let answer = send(content_type, body.to_owned()).await;
        assert_eq!(answer.status, status, "{body}: {answer:?}");
        assert!(answer.message().contains(message), "{body}: {answer:?}");
        assert!(!answer.text.contains("top-secret"), "{answer:?}");
    }
    let deep = format!("{}{}", "{\"a\":".repeat(10_000), "1");
    assert_eq!(send(json, deep).await.status, 400);
    let huge = format!("{{\"display_name\": \"{}\"}}", "x".repeat(2 * 1024 * 1024));
    let answer = send(json, huge).await;
    assert_eq!(
        (answer.status, answer.message()),
        (413, "the body is larger than 2 MiB")
    );
    assert!(
        desk.get("/aisix/admin/history").await.json["list"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_misspelt_parameter_is_not_passed_over() {
    let desk = Desk::new();
    let answer = desk
        .ask(
            "POST",
            "/aisix/admin/provider_keys?dryrun=true",
            provider_key("a"),
        )
        .await;
    assert_eq!(
        (answer.status, &answer.json["field"]),
        (400, &json!("dryrun"))
    );
    let answer = desk
        .ask(
            "POST",
            "/aisix/admin/provider_keys?dry_run=yes",
            provider_key("a"),
        )
        .await;
    assert_eq!(
        (answer.status, &answer.json["field"]),
        (400, &json!("dry_run"))
    );
    let answer = desk.get("/aisix/admin/provider_keys?colour=red").await;
    assert_eq!(answer.message(), "`colour` is not a known parameter");
    let answer = desk.get("/aisix/admin/provider_keys?page=0").await;
    assert_eq!(
        (answer.status, &answer.json["field"]),
        (400, &json!("page"))
    );
    // Nobody finds out a secret by asking whether it is this.
    let answer = desk
        .get(&format!("/aisix/admin/provider_keys?api_key={SECRET}"))
        .await;
    assert_eq!(answer.status, 400);
    assert_eq!(
        desk.get("/aisix/admin/provider_keys").await.json["total"],
        0
    );
}

#[tokio::test]
async fn health_is_told_only_where_a_gateway_is_followed() {
    let desk = Desk::new();
    for path in ["/admin/v1/health", "/admin/v1/models/status"] {
        let answer = desk.get(path).await;
        assert_eq!(answer.status, 501, "{path}");
        let request = Request::get(path).body(Body::empty()).unwrap();
        assert_eq!(desk.send(request).await.status, 401, "{path}");
        let posted = desk.ask("POST", path, json!({})).await;
        assert_eq!(
            (posted.status, &posted.headers["allow"]),
            (405, &"GET, HEAD".parse().unwrap())
        );
    }
}

#[tokio::test]
async fn the_description_needs_no_key_and_names_every_path_that_is_served() {
    let desk = Desk::new().with_model().await;
    for path in [
        "/openapi.json",
        "/admin/openapi.json",
        "/openapi",
        "/admin/openapi-scalar",
    ] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        assert_eq!(desk.send(request).await.status, 200, "{path}");
    }
    let document = desk.get("/openapi.json").await.json;
    assert_eq!(document["openapi"], "3.1.0");
    assert!(!document["components"]["schemas"]["models"]["properties"].is_null());
    let mut operations = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let path = path.replace("{id}", "unknown-id");
            let answer = desk.ask(&method.to_uppercase(), &path, json!({})).await;
            assert!(
                answer.text.is_empty() || answer.status != 405,
                "{method} {path}"
            );
            assert_ne!(answer.json["error_msg"], "no such path", "{method} {path}");
            operations += 1;
        }
    }
    assert_eq!(operations, Kind::ALL.len() * 8 + 13);
}
