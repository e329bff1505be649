//! Guards as guardrails: rows instead of chains.

use aisix_core::{
    ErrorKind,
    config::{Change, Config, Entry, Kind},
    testing::{self, Answer, Endings, MODEL, Setup, Upstream},
};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::{ask::*, native};

/// A guardrail with one forbidden word.
fn words(name: &str, word: &str, members: Value) -> Value {
    let mut document = json!({"name": name, "kind": "keyword",
        "patterns": [{"kind": "literal", "value": word}]});
    let members = members.as_object().unwrap().clone();
    document.as_object_mut().unwrap().extend(members);
    document
}

fn setup(guardrails: impl IntoIterator<Item = Value>) -> Setup {
    let setup = Setup::new().hooks(aisix_hooks::hooks());
    let numbered = guardrails.into_iter().enumerate();
    numbered.fold(setup, |setup, (index, document)| {
        setup.add(Kind::Guardrail, &format!("g{index}"), document)
    })
}

fn message(what: &str, name: &str) -> String {
    format!("{what} blocked by content policy (guardrail '{name}')")
}

#[tokio::test]
async fn a_request_is_refused_in_its_dialect_and_goes_nowhere() {
    let upstream = Upstream::new();
    let gateway = setup([words("no words", "forbidden", json!({}))]).gateway(&upstream);
    for streams in [false, true] {
        for request in requests("say Forbidden", streams) {
            let path = request.uri().path().to_owned();
            let response = send(&gateway, request).await;
            assert_eq!(response.status(), 422, "{path}");
            let answer = testing::json(response).await;
            let expected = message("request", "no words");
            assert_eq!(answer["error"]["message"], expected, "{path}");
        }
    }
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn an_answer_is_refused_in_every_dialect() {
    let upstream = Upstream::new();
    let gateway = setup([words("no words", "forbidden", json!({}))]).gateway(&upstream);
    for request in requests("hi", false) {
        upstream.answer(Answer::chat("it is Forbidden."));
        let response = send(&gateway, request).await;
        assert_eq!(response.status(), 422);
        let answer = testing::json(response).await;
        assert_eq!(answer["error"]["message"], message("response", "no words"));
    }
    for request in requests("hi", true) {
        let path = request.uri().path().to_owned();
        let stream = Answer::stream().role().content("hello ").content("forbid");
        upstream.answer(stream.content("den word").finish().done());
        let answer = testing::text(send(&gateway, request).await).await;
        assert!(answer.contains("hello "), "{path}: {answer}");
        assert!(
            answer.contains(&message("response", "no words")),
            "{path}: {answer}"
        );
        assert!(!answer.contains("forbid"), "{path}: {answer}");
    }
}

#[tokio::test]
async fn one_that_monitors_and_one_that_is_off_refuse_nothing() {
    let upstream = Upstream::new();
    let monitors = words(
        "watches",
        "forbidden",
        json!({"enforcement_mode": "monitor"}),
    );
    let off = words("off", "forbidden", json!({"enabled": false}));
    let gateway = setup([monitors.clone(), off]).gateway(&upstream);
    for streams in [false, true] {
        for request in requests("forbidden", streams) {
            upstream.answer(match streams {
                true => Answer::stream().role().content("forbidden").finish().done(),
                false => Answer::chat("forbidden"),
            });
            let response = send(&gateway, request).await;
            assert_eq!(response.status(), 200);
            assert!(testing::text(response).await.contains("forbidden"));
        }
    }
    // Whoever blocks counts, wherever it stands.
    let blocks = words("blocks", "forbidden", json!({}));
    for both in [[monitors.clone(), blocks.clone()], [blocks, monitors]] {
        let gateway = setup(both).gateway(&upstream);
        let response = send(&gateway, testing::chat_request("forbidden")).await;
        assert_eq!(response.status(), 422);
        let answer = testing::json(response).await;
        assert_eq!(answer["error"]["message"], message("request", "blocks"));
    }
}

#[tokio::test]
async fn a_guardrail_looks_where_it_is_told_to_and_takes_what_all_have() {
    for (point, asked, answered) in [("input", 422, 200), ("output", 200, 422)] {
        let upstream = Upstream::new();
        let members = json!({"hook_point": point, "fail_open": false, "mandatory": true, "direction": "both"});
        let gateway = setup([words("w", "forbidden", members)]).gateway(&upstream);
        for (ask, answer, expected) in [("forbidden", "hi", asked), ("hi", "forbidden", answered)] {
            upstream.answer(Answer::chat(answer));
            let response = send(&gateway, testing::chat_request(ask)).await;
            assert_eq!(response.status(), expected, "{point}: {ask} {answer}");
        }
    }
}

#[tokio::test]
async fn a_row_that_is_wrong_is_reported_and_the_others_serve() {
    let upstream = Upstream::new();
    let config: Config = setup([words("good", "forbidden", json!({}))]).config();
    for (members, expected) in [
        (
            json!({"patterns": [{"kind": "regex", "value": "("}]}),
            "`patterns[0].value` is not a regular expression that is understood",
        ),
        (json!({"patterns": null}), "`patterns` is required"),
        (json!({"kind": "nothing"}), "`kind` is unknown; there are: "),
    ] {
        let row = Entry::new(Kind::Guardrail, "bad", words("bad", "word", members));
        let report = config.apply([Change::Put(row)]).to_string();
        assert!(
            report.starts_with(&format!("guardrails/bad: {expected}")),
            "{report}"
        );
        assert_eq!(config.status().rejected.len(), 1);
    }
    let lenient = words("more", "other", json!({"colour": "red"}));
    let report = config.apply([Change::Put(Entry::new(Kind::Guardrail, "more", lenient))]);
    assert_eq!(report.to_string(), "guardrails/more: `colour` is not known");
    let gateway = aisix_core::Gateway::builder(config).transport(upstream.clone());
    let gateway = gateway.build().unwrap();
    for (word, name) in [("forbidden", "good"), ("other", "more")] {
        let response = send(&gateway, testing::chat_request(word)).await;
        let answer = testing::json(response).await;
        assert_eq!(answer["error"]["message"], message("request", name));
    }
}

#[tokio::test]
async fn every_guard_serves_its_kind() {
    let here = "https://guard.example";
    let rows = [
        json!({"kind": "keyword", "patterns": []}),
        json!({"kind": "pii", "detectors": [{"type": "api_key", "action": "block"}]}),
        json!({"kind": "openai_moderation", "api_key": "k"}),
        json!({"kind": "lakera", "api_key": "k"}),
        json!({"kind": "presidio", "analyzer_url": here, "anonymizer_url": here}),
        json!({"kind": "azure_content_safety", "endpoint": here, "api_key": "k"}),
        json!({"kind": "azure_content_safety_text_moderation", "endpoint": here, "api_key": "k"}),
        json!({"kind": "bedrock", "guardrail_id": "g", "guardrail_version": "1", "region": "us-east-1",
            "aws_credentials": {"kind": "static", "access_key_id": "a", "secret_access_key": "s"},
            "latency_mode": {"kind": "serial"}}),
    ];
    let hooks = aisix_hooks::hooks();
    let mut kinds: Vec<_> = hooks.describe().filter_map(|it| it.guardrail).collect();
    for mut row in rows {
        let kind = row["kind"].as_str().unwrap().to_owned();
        assert!(kinds.contains(&kind.as_str()), "{kind}");
        kinds.retain(|it| *it != kind);
        for (field, value) in [
            ("name", json!("one")),
            ("fail_open", json!(false)),
            ("mandatory", json!(true)),
            ("enforcement_mode", json!("monitor")),
        ] {
            row[field] = value;
        }
        let config = setup([]).config();
        let report = config.apply([Change::Put(Entry::new(Kind::Guardrail, "g", row))]);
        assert!(report.into_result().is_ok(), "{kind}");
        assert!(config.status().rejected.is_empty(), "{kind}");
    }
    assert!(kinds.is_empty(), "without a row: {kinds:?}");
}

#[tokio::test]
async fn a_guard_that_only_refuses_sees_what_another_would_take_out() {
    let upstream = Upstream::new();
    let masks = json!({"name": "pii", "kind": "pii", "created_at": "2000-01-01T00:00:00Z",
        "detectors": [{"type": "email"}]});
    let gateway = setup([masks.clone()]).gateway(&upstream);
    upstream.answer(Answer::chat("write to b@example.com"));
    let response = send(&gateway, testing::chat_request("I am a@example.com")).await;
    let answer = testing::json(response).await;
    let said = &answer["choices"][0]["message"]["content"];
    assert_eq!(said, "write to [EMAIL_REDACTED]");
    let sent = String::from_utf8(upstream.requests()[0].body.to_vec()).unwrap();
    assert!(sent.contains("I am [EMAIL_REDACTED]"), "{sent}");

    for point in ["input", "output"] {
        let refuses = words("words", "example.com", json!({"hook_point": point}));
        let gateway = setup([masks.clone(), refuses]).gateway(&upstream);
        upstream.answer(Answer::chat("write to b@example.com"));
        let response = send(&gateway, testing::chat_request("I am a@example.com")).await;
        assert_eq!(response.status(), 422, "{point}");
    }
}

#[tokio::test]
async fn a_stream_that_is_refused_has_failed_and_numbers_its_last_event_on() {
    let upstream = Upstream::new();
    for request in requests("hi", true) {
        let path = request.uri().path().to_owned();
        let endings = Endings::new();
        let gateway = setup([words("no words", "forbidden", json!({}))]).builder(&upstream);
        let gateway = gateway.observe(endings.clone()).build().unwrap();
        let stream = Answer::stream().role().content("hello ").content("forbid");
        upstream.answer(stream.content("den word").finish().done());
        let answer = testing::text(send(&gateway, request).await).await;
        let ending = endings.only();
        let told = (ending.word, ending.error, ending.status.unwrap().as_u16());
        assert_eq!(told, ("failed", Some(ErrorKind::Blocked), 200), "{path}");
        let data = answer
            .lines()
            .filter_map(|line| line.strip_prefix("data: "));
        let events = data.filter_map(|data| serde_json::from_str::<Value>(data).ok());
        let numbers = events.filter_map(|event| event["sequence_number"].as_u64());
        let numbers: Vec<u64> = numbers.collect();
        assert_eq!(numbers.len() > 2, path == "/v1/responses", "{answer}");
        let in_order = numbers
            .iter()
            .enumerate()
            .all(|(at, number)| at as u64 == *number);
        assert!(in_order, "{path}: {numbers:?}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_with_the_last_event_of_a_refused_stream_has_not_left_early() {
    let upstream = Upstream::new();
    let endings = Endings::new();
    let gateway = setup([words("no words", "forbidden", json!({}))]).builder(&upstream);
    let gateway = gateway.observe(endings.clone()).build().unwrap();
    upstream.answer(Answer::stream().role().content("forbidden").finish().done());
    let request = requests("hi", true).into_iter().next().unwrap();
    let mut body = send(&gateway, request).await.into_body();
    loop {
        let frame = body.frame().await.unwrap().unwrap();
        let data = frame.into_data().unwrap();
        if data.starts_with(b"event: error") {
            break;
        }
    }
    drop(body);
    assert_eq!(endings.only().word, "failed");
}

#[tokio::test]
async fn counting_tokens_is_not_guarded() {
    let row = words("no words", "forbidden", json!({}));
    let upstream = Upstream::new();
    let setup = native::setup(json!([])).add(Kind::Guardrail, "g", row);
    let gateway = setup.gateway(&upstream);
    let message = json!({"role": "user", "content": "forbidden"});
    let ask = |path: &str| {
        let body = json!({"model": MODEL, "max_tokens": 9, "messages": [message]});
        testing::request(path, body.to_string())
    };
    assert_eq!(send(&gateway, ask("/v1/messages")).await.status(), 422);
    upstream.answer(Answer::json(200, &json!({"input_tokens": 3})));
    let counted = send(&gateway, ask("/v1/messages/count_tokens")).await;
    assert_eq!(counted.status(), 200);
    assert_eq!(testing::json(counted).await["input_tokens"], 3);
}
