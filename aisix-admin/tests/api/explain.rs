//! What would become of a request, for administrators.

use aisix_core::{
    explain::Explainer,
    testing::{API_KEY, MODEL, Setup, UPSTREAM_KEY, Upstream},
};
use serde_json::{Value, json};

use crate::ask::*;

const EXPLAIN: &str = "/aisix/admin/explain";

fn desk(upstream: &Upstream) -> Desk {
    let setup = Setup::new()
        .api_key(json!({"rate_limit": {"rpm": 5}}))
        .model(json!({"allowed_cidrs": ["192.0.2.0/24"]}));
    let explainer = Explainer::new(setup.builder(upstream));
    Desk::built(|builder| builder.explainer(explainer))
}

#[tokio::test]
async fn a_request_is_explained_by_key_and_by_its_id() {
    let upstream = Upstream::new();
    let desk = desk(&upstream);
    for who in [json!({"key": API_KEY}), json!({"key_id": "caller"})] {
        let mut body = who;
        body["model"] = MODEL.into();
        body["client"] = "192.0.2.7".into();
        let answer = desk.ask("POST", EXPLAIN, body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json["outcome"], json!({"sent": true}), "{answer:?}");
        assert_eq!(answer.json["caller"]["id"], "caller");
        assert_eq!(answer.json["limits"]["list"][0]["rates"][0]["used"], 0);
        for secret in [API_KEY, UPSTREAM_KEY] {
            assert!(!answer.text.contains(secret), "{answer:?}");
        }
    }
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn that_it_would_be_refused_is_an_answer() {
    let desk = desk(&Upstream::new());
    let far = json!({"key": API_KEY, "model": MODEL, "client": "2001:db8::1"});
    let answer = desk.ask("POST", EXPLAIN, far).await;
    assert_eq!(answer.status, 200);
    let outcome = &answer.json["outcome"];
    let facts = [
        &outcome["sent"],
        &outcome["stage"],
        &outcome["status"],
        &outcome["code"],
    ];
    assert_eq!(
        facts,
        [
            &json!(false),
            &json!("admit"),
            &json!(403),
            &json!("ip_restricted")
        ]
    );
    assert_eq!(outcome["answer"]["error"]["code"], "ip_restricted");
    assert_eq!(answer.json["limits"], Value::Null);
    let stranger = json!({"key": "sk-private-stranger", "model": MODEL});
    let answer = desk.ask("POST", EXPLAIN, stranger).await;
    assert_eq!(
        (answer.status, &answer.json["outcome"]["status"]),
        (200, &json!(401))
    );
    assert!(!answer.text.contains("sk-private"), "{answer:?}");
}

#[tokio::test]
async fn body_path_and_headers_are_those_of_the_request() {
    let desk = desk(&Upstream::new());
    let turns = json!([{"role": "user", "content": "hi"}]);
    let body = json!({"model": MODEL, "max_tokens": 5, "top_k": 3, "messages": turns});
    for (path, body) in [
        ("operation", body.clone()),
        ("path", Value::String(body.to_string())),
    ] {
        let asked = json!({
            "key": API_KEY, path: "/v1/messages", "body": body, "client": "192.0.2.7",
            "headers": {"x-aisix-request-id": "mine"},
        });
        let answer = desk.ask("POST", EXPLAIN, asked).await;
        assert_eq!(
            answer.json["request"]["operation"], "messages",
            "{answer:?}"
        );
        assert_eq!(answer.json["request"]["body"], "given");
        let upstream = &answer.json["targets"][0]["upstream"];
        assert_eq!(upstream["fidelity"], "translated", "{answer:?}");
        assert_eq!(upstream["dropped"], json!(["top_k"]));
    }
    let broken = json!({"key": API_KEY, "body": "{", "client": "192.0.2.7"});
    let answer = desk.ask("POST", EXPLAIN, broken).await;
    assert_eq!(answer.json["outcome"]["stage"], "ingest", "{answer:?}");
}

#[tokio::test]
async fn a_question_without_sense_is_refused_by_the_name_of_its_member() {
    let desk = desk(&Upstream::new());
    for (members, field) in [
        (json!({"model": MODEL}), "key"),
        (json!({"key": API_KEY, "key_id": "caller"}), "key"),
        (json!({"key": 7}), "key"),
        (json!({"key_id": "nobody", "model": MODEL}), "key_id"),
        (json!({"key": API_KEY}), "model"),
        (
            json!({"key": API_KEY, "body": {"model": "a"}, "model": "b"}),
            "model",
        ),
        (json!({"key": API_KEY, "model": MODEL, "body": []}), "body"),
        (
            json!({"key": API_KEY, "model": MODEL, "operation": "x"}),
            "operation",
        ),
        (
            json!({"key": API_KEY, "operation": "/a", "path": "/b"}),
            "path",
        ),
        (json!({"key": API_KEY, "client": "here"}), "client"),
        (json!({"key": API_KEY, "headers": []}), "headers"),
        (json!({"key": API_KEY, "headers": {"a b": ""}}), "headers"),
        (json!({"key": API_KEY, "headers": {"a": 1}}), "headers.a"),
        (
            json!({"key": API_KEY, "headers": {"X-API-Key": "sk-2"}}),
            "headers.x-api-key",
        ),
        (
            json!({"key": API_KEY, "model": MODEL, "modle": ""}),
            "modle",
        ),
    ] {
        let answer = desk.ask("POST", EXPLAIN, members).await;
        assert_eq!(
            (answer.status, &answer.json["field"]),
            (400, &json!(field)),
            "{answer:?}"
        );
        assert!(!answer.text.contains("sk-"), "{answer:?}");
    }
    let answer = desk
        .ask("POST", &format!("{EXPLAIN}?dry_run=true"), json!({}))
        .await;
    assert_eq!(
        (answer.status, &answer.json["field"]),
        (400, &json!("dry_run"))
    );
    assert_eq!(desk.get(EXPLAIN).await.status, 405);
}

#[tokio::test]
async fn without_an_explainer_and_without_a_key_there_is_no_explanation() {
    let asked = json!({"key": API_KEY, "model": MODEL});
    assert_eq!(Desk::new().ask("POST", EXPLAIN, asked).await.status, 501);
    let request = http::Request::post(EXPLAIN)
        .body(aisix_core::body::Body::empty())
        .unwrap();
    assert_eq!(Desk::new().send(request).await.status, 401);
}
