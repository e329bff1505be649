//! Headers and bodies that are changed.

use aisix_core::testing::{self, Answer, MODEL, Setup, Upstream};
use http::{Request, Response};
use serde_json::{Value, json};

use crate::{ask::*, native};

fn chain(settings: Value) -> Value {
    json!([{"name": "transform", "settings": settings}])
}

fn on_model(settings: Value) -> Setup {
    let setup = Setup::new().hooks(aisix_hooks::hooks());
    setup.model(json!({"plugins": chain(settings)}))
}

fn with(
    mut request: Request<aisix_core::body::Body>,
    headers: &[(&'static str, &'static str)],
) -> Request<aisix_core::body::Body> {
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    request
}

fn values<'h>(headers: &'h http::HeaderMap, name: &str) -> Vec<&'h str> {
    let values = headers.get_all(name).iter();
    values.map(|value| value.to_str().unwrap()).collect()
}

fn of<B>(response: &Response<B>, name: &str) -> Vec<String> {
    values(response.headers(), name)
        .into_iter()
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn headers_of_requests_reach_the_upstream_as_they_are_changed() {
    let upstream = Upstream::new();
    let headers = json!({
        "rename": {"x-old": "x-new", "x-absent": "x-other"},
        "remove": ["x-gone"],
        "set": {"x-key": "${request.api_key.id} of ${model.name}", "x-team": "${request.api_key.team_id}"},
        "add": {"x-list": "b", "x-up": "${provider_key.name}"}});
    let setup = on_model(json!({"request": {"headers": headers}}));
    let gateway = setup
        .provider_key(json!({"request": {"forward_client_headers": ["x-*"]}}))
        .gateway(&upstream);
    upstream.answer(Answer::chat("hello"));
    let request = with(
        testing::chat_request("hi"),
        &[
            ("x-old", "1"),
            ("x-old", "2"),
            ("x-new", "0"),
            ("x-gone", "g"),
            ("x-kept", "k"),
            ("x-key", "mine"),
            ("x-team", "theirs"),
            ("x-list", "a"),
        ],
    );
    assert_eq!(send(&gateway, request).await.status(), 200);
    let sent = upstream.last_request();
    let sent = &sent.head.headers;
    for (name, expected) in [
        ("x-old", vec![]),
        ("x-new", vec!["1", "2"]),
        ("x-other", vec![]),
        ("x-gone", vec![]),
        ("x-kept", vec!["k"]),
        ("x-key", vec!["caller of test-model"]),
        ("x-team", vec![]),
        ("x-list", vec!["a", "b"]),
        ("x-up", vec!["key"]),
    ] {
        assert_eq!(values(sent, name), expected, "{name}");
    }
}

#[tokio::test]
async fn headers_that_are_set_reach_an_upstream_that_is_forwarded_none() {
    let upstream = Upstream::new();
    let headers = json!({"set": {"x-mine": "1"}});
    let gateway = on_model(json!({"request": {"headers": headers}})).gateway(&upstream);
    upstream.answer(Answer::chat("hello"));
    let request = with(testing::chat_request("hi"), &[("x-theirs", "2")]);
    assert_eq!(send(&gateway, request).await.status(), 200);
    let sent = upstream.last_request();
    assert_eq!(sent.header("x-mine"), Some("1"));
    assert_eq!(sent.header("x-theirs"), None);
}

#[tokio::test]
async fn headers_of_every_answer_change_by_the_chain_of_the_gateway() {
    let upstream = Upstream::new();
    let headers = json!({"set": {"x-who": "${request.api_key.id}", "x-model": "${model.name}"}, "add": {"x-list": "b"},
        "rename": {"x-request-id": "x-trace"}});
    let gateway = of_gateway(chain(json!({"response": {"headers": headers}}))).gateway(&upstream);
    let stream =
        json!({"model": MODEL, "stream": true, "messages": [{"role": "user", "content": "hi"}]});
    let path = "/v1/chat/completions";
    for (request, status, model) in [
        (testing::chat_request("hi"), 200, vec![MODEL]),
        (testing::request(path, stream.to_string()), 200, vec![MODEL]),
        (
            testing::request(path, r#"{"model": "unknown"}"#),
            400,
            vec![],
        ),
    ] {
        upstream.answer(Answer::stream().content("hello").finish().done());
        let response = send(&gateway, request).await;
        assert_eq!(response.status(), status);
        assert_eq!(of(&response, "x-who"), ["caller"]);
        assert_eq!(of(&response, "x-model"), model);
        assert_eq!(of(&response, "x-list"), ["b"]);
    }
}

#[tokio::test]
async fn on_a_model_headers_change_on_answers_to_its_calls_and_refusals() {
    let upstream = Upstream::new();
    let setup = on_model(json!({"response": {"headers": {"set": {"x-a": "${model.name}"}}}}));
    let gateway = setup.gateway(&upstream);
    upstream.answer(Answer::chat("hello"));
    let response = send(&gateway, testing::chat_request("hi")).await;
    assert_eq!(
        (response.status().as_u16(), of(&response, "x-a")),
        (200, vec![MODEL.to_owned()])
    );
    upstream.answer(Answer::refusal(400, "no"));
    let response = send(&gateway, testing::chat_request("hi")).await;
    assert_eq!(
        (response.status().as_u16(), of(&response, "x-a")),
        (400, vec![MODEL.to_owned()])
    );
}

#[tokio::test]
async fn a_body_is_patched_and_the_rest_of_it_stays_byte_for_byte() {
    let upstream = Upstream::new();
    let body = json!([
        {"op": "test", "path": "/model", "value": MODEL},
        {"op": "remove", "path": "/logit_bias"},
        {"op": "move", "from": "/max_tokens", "path": "/max_completion_tokens"},
        {"op": "copy", "from": "/seed", "path": "/metadata/seed"},
        {"op": "replace", "path": "/messages/0/content", "value": "I am \"${request.api_key.id}\""},
        {"op": "add", "path": "/messages/-", "value": {"role": "user", "content": ["é", 1, null]}},
        {"op": "add", "path": "/user", "value": "${request.api_key.user_id}"}]);
    let gateway = on_model(json!({"request": {"body": body}})).gateway(&upstream);
    upstream.answer(Answer::chat("hello"));
    let request = r#"{ "seed":12345678901234567890123,"model":"test-model" , "logit_bias":{}, "temperature": 1e400,
        "messages":[ {"role" : "user", "content": "hi", "role" : "user"} ],"max_tokens": 1.0, "metadata":{}, "user": "me"}"#;
    let request = testing::request("/v1/chat/completions", request);
    assert_eq!(send(&gateway, request).await.status(), 200);
    let expected = r#"{ "seed":12345678901234567890123,"model":"upstream-model" , "temperature": 1e400,
        "messages":[ {"role" : "user", "content": "I am \"caller\"", "role" : "user"},{"role":"user","content":["é",1,null]} ],"metadata":{"seed":12345678901234567890123}, "user": null,"max_completion_tokens":1.0}"#;
    assert_eq!(upstream.last_request().text(), expected);
}

#[tokio::test]
async fn bodies_of_every_dialect_are_patched() {
    let body =
        json!([{"op": "add", "path": "/metadata", "value": {"user_id": "${request.api_key.id}"}}]);
    let patch = || {
        json!({"request": {"body": body}, "response": {"body": [
        {"op": "add", "path": "/by", "value": "${model.name}"}]}})
    };
    for request in requests("hi", false) {
        let upstream = Upstream::new();
        let gateway = on_model(patch()).gateway(&upstream);
        upstream.answer(Answer::chat("hello"));
        let path = request.uri().path().to_owned();
        let response = send(&gateway, request).await;
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(testing::json(response).await["by"], MODEL, "{path}");
        if path.ends_with("completions") {
            assert_eq!(
                upstream.last_request().json()["metadata"]["user_id"],
                "caller"
            );
        }
    }
}

#[tokio::test]
async fn an_answer_is_patched_and_a_stream_is_not() {
    let patch = json!({"response": {"body": [{"op": "add", "path": "/by", "value": "me"}]}});
    for streams in [false, true] {
        for request in requests("hi", streams) {
            let upstream = Upstream::new();
            let marks = Marks::default();
            let builder = on_model(patch.clone()).builder(&upstream);
            let gateway = builder.observe(marks.clone()).build().unwrap();
            upstream.answer(match streams {
                true => Answer::stream().role().content("hello").finish().done(),
                false => Answer::chat("hello"),
            });
            let path = request.uri().path().to_owned();
            let answer = testing::text(send(&gateway, request).await).await;
            assert!(answer.contains("hello"), "{path}: {answer}");
            let is_patched = answer.contains(r#""by":"me""#);
            assert_eq!(is_patched, !streams, "{path}: {answer}");
            let told = ("transform_skipped", "transform: a stream".to_owned());
            assert_eq!(marks.take().contains(&told), streams, "{path}");
        }
    }
}

#[tokio::test]
async fn a_stream_that_is_there_as_a_whole_is_one_too() {
    let upstream = Upstream::new();
    let patch = json!({"response": {"body": [{"op": "add", "path": "/by", "value": "me"}]}, "on_mismatch": "refuse"});
    let cache = json!({"name": "cache", "settings": {"streaming": true}});
    let setup = Setup::new().hooks(aisix_hooks::hooks());
    let plugins = json!([chain(patch)[0], cache]);
    let gateway = setup.model(json!({"plugins": plugins})).gateway(&upstream);
    upstream.answer(Answer::stream().role().content("hello").finish().done());
    for cached in ["miss", "hit"] {
        let [request, ..] = requests("hi", true);
        let response = send(&gateway, request).await;
        assert_eq!(of(&response, "x-aisix-cache"), [cached]);
        let answer = testing::text(response).await;
        assert!(answer.contains("hello"), "{cached}: {answer}");
    }
}

#[tokio::test]
async fn headers_change_in_every_dialect_and_on_streams() {
    let set = |name: &str| json!({"headers": {"set": {name: "${model.name}"}}});
    let settings = json!({"request": set("x-asked"), "response": set("x-answered")});
    for streams in [false, true] {
        for request in requests("hi", streams) {
            let upstream = Upstream::new();
            let gateway = on_model(settings.clone()).gateway(&upstream);
            upstream.answer(match streams {
                true => Answer::stream().role().content("hello").finish().done(),
                false => Answer::chat("hello"),
            });
            let path = request.uri().path().to_owned();
            let response = send(&gateway, request).await;
            assert_eq!(of(&response, "x-answered"), [MODEL], "{path}");
            assert!(testing::text(response).await.contains("hello"), "{path}");
            let sent = upstream.last_request();
            assert_eq!(sent.header("x-asked"), Some(MODEL), "{path}");
        }
    }
}

#[tokio::test]
async fn requests_go_out_patched_in_their_own_dialect() {
    let body = json!([
        {"op": "add", "path": "/metadata", "value": {"a": r"\${b}"}}, {"op": "remove", "path": "/x"}]);
    for request in requests("hi", false) {
        let upstream = Upstream::new();
        let plugins = chain(json!({"request": {"body": body}}));
        let gateway = native::gateway(&upstream, plugins);
        let (head, asked) = request.into_parts();
        let path = head.uri.path().to_owned();
        let asked = testing::text(Response::new(asked)).await;
        let (before, _) = asked.rsplit_once('}').unwrap();
        let asked = format!(r#"{before},"x":1,"big":1e400,"x":2}}"#);
        upstream.answer(Answer::json(400, &json!({})));
        let request = Request::from_parts(head, asked.into());
        assert_eq!(send(&gateway, request).await.status(), 400, "{path}");
        let sent = upstream.last_request();
        let before = before.replace(MODEL, testing::UPSTREAM_MODEL);
        let expected = format!(r#"{before},"big":1e400,"metadata":{{"a":"${{b}}"}}}}"#);
        assert_eq!(sent.text(), expected, "{path}");
    }
}

#[tokio::test]
async fn bodies_of_refusals_stay_as_they_are() {
    let upstream = Upstream::new();
    let patch = json!({"response": {"body": [{"op": "add", "path": "/by", "value": "me"}]}, "on_mismatch": "refuse"});
    let gateway = on_model(patch).gateway(&upstream);
    upstream.answer(Answer::refusal(404, "no such thing"));
    let response = send(&gateway, testing::chat_request("hi")).await;
    assert_eq!(response.status(), 404);
    let said = testing::json(response).await;
    assert_eq!(said["error"]["message"], "no such thing");
    assert_eq!(said["by"], Value::Null);
}

#[tokio::test]
async fn what_a_patch_does_not_fit_passes_as_it_is_or_is_refused() {
    let request = |value: &str| {
        json!([
        {"op": "add", "path": "/seed", "value": 1},
        {"op": "test", "path": "/user", "value": value}])
    };
    let response = json!([{"op": "remove", "path": "/nowhere"}]);
    for (refuse, status, body) in [
        (false, 200, request("you")),
        (true, 400, request("you")),
        (true, 502, request("me")),
    ] {
        let upstream = Upstream::new();
        let marks = Marks::default();
        let on_mismatch = if refuse { "refuse" } else { "pass" };
        let setup = on_model(
            json!({"request": {"body": body}, "response": {"body": response}, "on_mismatch": on_mismatch}),
        );
        let gateway = setup
            .builder(&upstream)
            .observe(marks.clone())
            .build()
            .unwrap();
        upstream.answer(Answer::chat("hello"));
        let asked =
            json!({"model": MODEL, "user": "me", "messages": [{"role": "user", "content": "hi"}]});
        let asked = asked.to_string();
        let answer = send(
            &gateway,
            testing::request("/v1/chat/completions", asked.clone()),
        )
        .await;
        assert_eq!(answer.status(), status, "{on_mismatch}");
        let answer = testing::text(answer).await;
        match status {
            200 => {
                assert_eq!(answer, testing::chat_answer("hello"));
                let sent = asked.replace(MODEL, testing::UPSTREAM_MODEL);
                assert_eq!(
                    upstream.last_request().text(),
                    sent,
                    "no operation was carried out"
                );
                let told = |what: &str| ("transform_skipped", format!("transform: {what}"));
                let expected = [
                    told("another value stands there"),
                    told("there is no such place"),
                ];
                assert_eq!(marks.take(), expected);
            }
            400 => {
                assert!(
                    answer.contains("the request does not fit transform 'transform'"),
                    "{answer}"
                );
                assert!(upstream.requests().is_empty());
            }
            _ => assert!(answer.contains("the response does not fit"), "{answer}"),
        }
    }
}

#[tokio::test]
async fn a_request_that_is_none_any_more_goes_nowhere() {
    let upstream = Upstream::new();
    let body = json!([{"op": "replace", "path": "/messages", "value": "x"}]);
    let gateway = on_model(json!({"request": {"body": body}})).gateway(&upstream);
    let response = send(&gateway, testing::chat_request("hi")).await;
    assert_eq!(response.status(), 400);
    let said = testing::json(response).await;
    let message = said["error"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("after transform 'transform': "),
        "{message}"
    );
    assert!(upstream.requests().is_empty());
}

#[test]
fn settings_are_checked() {
    let body = |change: Value| json!({"request": {"body": [change]}});
    let headers = |change: Value| json!({"response": {"headers": change}});
    for (settings, expected) in [
        (
            json!({}),
            "settings.request` or `response` must say what to change",
        ),
        (
            body(json!({"op": "replace", "path": "/model", "value": "x"})),
            "request.body[0].path` cannot be in `/model`",
        ),
        (
            body(json!({"op": "remove", "path": "/model/x"})),
            "request.body[0].path` cannot be in `/model`",
        ),
        (
            body(json!({"op": "move", "from": "/model", "path": "/x"})),
            "request.body[0].from` cannot be in `/model`",
        ),
        (
            body(json!({"op": "add", "path": "/stream", "value": true})),
            "request.body[0].path` cannot be in `/stream`",
        ),
        (
            body(json!({"op": "replace", "path": "", "value": {}})),
            "request.body[0].path` must lead to a member",
        ),
        (
            body(json!({"op": "add", "path": "a"})),
            "request.body[0].path` is no JSON Pointer",
        ),
        (
            body(json!({"op": "copy", "path": "/a"})),
            "request.body[0].from` is required",
        ),
        (
            body(json!({"op": "add", "path": "/a", "value": [{"b": "${me}"}]})),
            "request.body[0].value` has the unknown variable",
        ),
        (
            body(json!({"op": "increase", "path": "/a"})),
            "request.body[0].op`",
        ),
        (
            headers(json!({"set": {"authorization": "x"}})),
            "response.headers.set.authorization` is a reserved header",
        ),
        (
            headers(json!({"add": {"content-length": "1"}})),
            "response.headers.add.content-length` is a reserved header",
        ),
        (
            headers(json!({"rename": {"authorization": "x-a"}})),
            "response.headers.rename.authorization` is a reserved header",
        ),
        (
            headers(json!({"rename": {"x-a": "cookie"}})),
            "response.headers.rename.x-a` is a reserved header",
        ),
        (
            headers(json!({"remove": ["a b"]})),
            "response.headers.remove[0]` is not the name",
        ),
        (
            headers(json!({"set": {"x": "a\nb"}})),
            "response.headers.set.x` holds a character",
        ),
    ] {
        let said = wrong(chain(settings));
        assert!(said.contains(expected), "{said}");
    }
}
