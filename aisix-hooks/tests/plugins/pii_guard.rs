//! What tells about people, and secrets.

use aisix_core::testing::{self, Answer, Gate, MODEL, Setup, Upstream};
use serde_json::{Value, json};

use crate::{ask::*, speech::*};

/// A chain with one guard, which masks addresses of e-mail.
fn guard(members: Value) -> Value {
    let mut settings = json!({"detectors": [{"type": "email"}]});
    for (name, value) in members.as_object().unwrap() {
        settings[name] = value.clone();
    }
    json!([{"name": "pii_guard", "settings": settings}])
}

#[tokio::test]
async fn a_request_is_masked_and_every_other_byte_stays() {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, guard(json!({})));
    let body = |text: &str, number: &str| {
        format!(
            r#"{{ "model" : "{MODEL}","x":1.0e0, "messages":[{{"role":"user","content":[{{"type":"text","text":"{text}"}}, {{"type":"image_url","image_url":{{"url":"data:a@b.io"}}}}]}},{{"role":"assistant","tool_calls":[{{"id":"1","type":"function","function":{{"name":"f","arguments":"{{\"to\":{number}}}"}}}}]}}]}}"#
        )
    };
    upstream.answer(Answer::chat("hi"));
    let sent = body(
        r"\u00e9 to a.b@example.com!\n",
        r#"[1, \"\\n\\u0061@b.io\"]"#,
    );
    send(&gateway, testing::request("/v1/chat/completions", sent)).await;
    let expected = body(
        r"é to [EMAIL_REDACTED]!\n",
        r#"[1, \"\\n[EMAIL_REDACTED]\"]"#,
    );
    let expected = expected.replace(MODEL, testing::UPSTREAM_MODEL);
    assert_eq!(upstream.last_request().text(), expected);
}

#[tokio::test]
async fn requests_are_masked_in_every_dialect() {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, guard(json!({})));
    for request in requests("to a.b@example.com!", false) {
        let path = request.uri().path().to_owned();
        upstream.answer(Answer::chat("hi"));
        assert_eq!(send(&gateway, request).await.status(), 200, "{path}");
        let sent = upstream.last_request();
        assert!(sent.text().contains("to [EMAIL_REDACTED]!"), "{path}");
        assert!(!sent.text().contains("example.com"), "{path}");
    }
}

#[tokio::test]
async fn answers_are_masked_in_every_dialect() {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, guard(json!({})));
    for request in requests("hi", false) {
        upstream.answer(Answer::chat("to a.b@example.com!"));
        let answer = testing::text(send(&gateway, request).await).await;
        assert!(answer.contains("to [EMAIL_REDACTED]!"), "{answer}");
        assert!(!answer.contains("example.com"), "{answer}");
    }
}

#[tokio::test]
async fn streams_are_masked_in_every_dialect_wherever_they_are_cut() {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, guard(json!({})));
    for request in requests("hi", true) {
        let path = request.uri().path().to_owned();
        upstream.answer(saying("to a.b@example.com, a@b, c@d.io"));
        let events = events(send(&gateway, request).await).await;
        let expected = "to [EMAIL_REDACTED], a@b, [EMAIL_REDACTED]";
        assert_eq!(said(&events), expected, "{path}");
        // Responses say it again, as a whole, when it has come to its end.
        let all = Value::from(events).to_string();
        assert!(
            !all.contains("example.com") && !all.contains("c@d.io"),
            "{path}: {all}"
        );
    }
}

#[tokio::test]
async fn what_tools_are_called_with_stays_json_in_every_dialect() {
    let upstream = Upstream::new();
    let cards = json!({"detectors": [{"type": "email"}, {"type": "bank_card"}]});
    let gateway = gateway(&upstream, guard(cards));
    for request in requests("hi", true) {
        let path = request.uri().path().to_owned();
        upstream.answer(calling(
            r#"{"to": "x\n\u0061@b.io", "card": 4111111111111111, "n": 1}"#,
        ));
        let events = events(send(&gateway, request).await).await;
        let arguments = called_with(&events);
        assert_eq!(arguments["to"], "x\n[EMAIL_REDACTED]", "{path}");
        assert_eq!(arguments["n"], 1, "{path}");
        assert_eq!(arguments["card"], "[BANK_CARD_REDACTED]", "{path}");
        let all = Value::from(events).to_string();
        assert!(!all.contains("a@b.io"), "{path}: {all}");
    }
}

#[tokio::test]
async fn a_stream_goes_on_where_nothing_can_become_an_entity() {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, guard(json!({})));
    let gate = Gate::new();
    let stream = Answer::stream().role().content("hello ").content("me");
    upstream.answer(stream.gate(&gate).content("@b.io now").finish().done());
    let [request, ..] = requests("hi", true);
    let mut body = send(&gateway, request).await.into_body();
    let mut seen = String::new();
    while !seen.contains("hello ") {
        seen += &testing::next_text(&mut body).await.unwrap();
    }
    assert!(!seen.contains("me"));
    gate.open();
    while let Some(text) = testing::next_text(&mut body).await {
        seen += &text;
    }
    assert!(seen.contains("[EMAIL_REDACTED]") && seen.contains(" now"));
}

#[tokio::test]
async fn blocking_beats_masking() {
    let settings = json!({
        "detectors": [{"type": "bank_card", "action": "block"}],
        "custom_patterns": [{"name": "all", "regex": "pay .*"}]});
    let blocked = "blocked by content policy (guardrail 'pii_guard')";
    for request in requests("pay 4111 1111 1111 1111", false) {
        let upstream = Upstream::new();
        let gateway = gateway(&upstream, guard(settings.clone()));
        let response = send(&gateway, request).await;
        assert_eq!(response.status(), 422);
        assert!(testing::text(response).await.contains(blocked));
        assert!(upstream.requests().is_empty());
    }
    for request in requests("hi", true) {
        let upstream = Upstream::new();
        let gateway = gateway(&upstream, guard(settings.clone()));
        upstream.answer(saying("I pay 4111 1111 1111 1111 now."));
        let answer = testing::text(send(&gateway, request).await).await;
        assert!(answer.contains(blocked), "{answer}");
        assert!(!answer.contains("REDACTED") && !answer.contains("[DONE]"));
    }
}

#[tokio::test]
async fn expressions_have_groups_and_replacements() {
    let upstream = Upstream::new();
    let patterns = json!({"custom_patterns": [
        {"name": "Version", "regex": r#"version: (\d+)"#},
        {"name": "gone", "regex": "secret ", "replacement": ""},
        {"name": "stars", "regex": "b+", "replacement": "***"}]});
    let gateway = gateway(&upstream, guard(patterns));
    upstream.answer(Answer::chat("hi"));
    let text = "version: 12, secret abba a@b.io";
    send(&gateway, testing::chat_request(text)).await;
    let sent = upstream.last_request();
    let expected = "version: [VERSION_REDACTED], a***a [EMAIL_REDACTED]";
    assert_eq!(sent.json()["messages"][0]["content"], expected);
}

#[tokio::test]
async fn it_masks_where_it_is_told_to() {
    for (point, asks, answers) in [("input", true, false), ("output", false, true)] {
        let upstream = Upstream::new();
        let gateway = gateway(&upstream, guard(json!({"hook_point": point})));
        upstream.answer(Answer::chat("a@b.io"));
        let response = send(&gateway, testing::chat_request("a@b.io")).await;
        let answer = testing::text(response).await;
        assert_eq!(answer.contains("REDACTED"), answers, "{point}");
        let sent = upstream.last_request();
        assert_eq!(sent.text().contains("REDACTED"), asks, "{point}");
    }
}

#[tokio::test]
async fn one_that_only_watches_tells_and_changes_nothing() {
    let mut observes = guard(json!({}));
    observes[0]["mode"] = json!("observe");
    for (chain, streams, found) in [
        (
            guard(json!({"enforcement_mode": "monitor"})),
            true,
            "guardrail_would_mask",
        ),
        (observes, false, "guardrail_would_mask"),
        (
            guard(json!({"enforcement_mode": "monitor", "default_action": "block"})),
            true,
            "guardrail_would_block",
        ),
        (guard(json!({})), true, "guardrail_masked"),
    ] {
        let upstream = Upstream::new();
        let marks = Marks::default();
        let setup = Setup::new().hooks(aisix_hooks::hooks());
        let setup = setup.model(json!({"plugins": chain}));
        let gateway = setup
            .builder(&upstream)
            .observe(marks.clone())
            .build()
            .unwrap();
        upstream.answer(match streams {
            true => saying("a@b.io"),
            false => Answer::chat("a@b.io"),
        });
        let [request, ..] = requests("a@b.io", streams);
        let answer = testing::text(send(&gateway, request).await).await;
        assert_eq!(answer.contains("REDACTED"), found == "guardrail_masked");
        let told = (found, "pii_guard".to_owned());
        let mut marks = marks.take();
        marks.retain(|(name, _)| *name != "guardrail_held_bytes");
        assert_eq!(marks, [told.clone(), told]);
    }
}

#[tokio::test]
async fn every_detector_has_a_token_of_its_own() {
    let key = "-----BEGIN PRIVATE KEY-----\nMIIa+/=\n-----END PRIVATE KEY-----";
    for (detector, text) in [
        ("email", "a.b@example.com"),
        ("china_mobile", "+86 138 1234 5678"),
        ("china_id_card", "11010519491231002X"),
        ("bank_card", "6228 4800 1234 5671"),
        ("us_ssn", "078-05-1120"),
        ("ip_address", "192.168.0.1"),
        ("ip_address", "2001:db8::1"),
        ("api_key", "sk-0123456789abcdefghijklmn"),
        ("jwt", "eyJhbGciOi.eyJzdWIiOi.abc_-9"),
        ("private_key", key),
    ] {
        let upstream = Upstream::new();
        let detectors = json!({"detectors": [{"type": detector}]});
        let gateway = gateway(&upstream, guard(detectors));
        upstream.answer(Answer::chat("hi"));
        let asked = testing::chat_request(&format!("it is {text}, 1"));
        send(&gateway, asked).await;
        let sent = upstream.last_request().json();
        let token = detector.to_uppercase();
        let expected = format!("it is [{token}_REDACTED], 1");
        assert_eq!(sent["messages"][0]["content"], expected);
    }
}

#[tokio::test]
async fn what_is_not_right_in_its_checksum_passes() {
    let upstream = Upstream::new();
    let detectors = ["china_id_card", "bank_card", "us_ssn"].map(|kind| json!({"type": kind}));
    let gateway = gateway(&upstream, guard(json!({"detectors": detectors})));
    upstream.answer(Answer::chat("hi"));
    let text = "110105194912310021, 6228 4800 1234 5672, 000-05-1120";
    send(&gateway, testing::chat_request(text)).await;
    let sent = upstream.last_request().json();
    assert_eq!(sent["messages"][0]["content"], text);
}

#[tokio::test]
async fn actions_of_their_own_come_before_the_default_and_a_refusal_names_the_guard() {
    let upstream = Upstream::new();
    let gateway = gateway(
        &upstream,
        guard(json!({"name": "people", "default_action": "block",
            "detectors": [{"type": "email", "action": "mask"}, {"type": "us_ssn"}],
            "custom_patterns": [{"name": "a", "regex": "beta", "action": "mask"}, {"name": "b", "regex": "omega"}]})),
    );
    upstream.answer(Answer::chat("hi"));
    send(&gateway, testing::chat_request("a@b.io beta")).await;
    let sent = upstream.last_request().json();
    let expected = "[EMAIL_REDACTED] [A_REDACTED]";
    assert_eq!(sent["messages"][0]["content"], expected);
    for text in ["078-05-1120", "omega"] {
        let response = send(&gateway, testing::chat_request(text)).await;
        assert_eq!(response.status(), 422);
        let said = testing::text(response).await;
        assert!(said.contains("(guardrail 'people')"), "{said}");
    }
}

#[tokio::test]
async fn the_probabilities_of_tokens_do_not_tell_what_was_masked() {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, guard(json!({})));
    let told = |text: &str| json!({"content": [{"token": text, "logprob": -0.5}]});
    let mut answer: Value = serde_json::from_str(&testing::chat_answer("to a@b.io")).unwrap();
    answer["choices"][0]["logprobs"] = told("a@b.io");
    upstream.answer(Answer::json(200, &answer));
    let answer = testing::text(send(&gateway, testing::chat_request("hi")).await).await;
    assert!(answer.contains("to [EMAIL_REDACTED]") && !answer.contains("a@b"));
    let piece = |text: &str| {
        json!({"id": "c", "object": "chat.completion.chunk", "choices": [
        {"index": 0, "delta": {"content": text}, "logprobs": told(text), "finish_reason": null}]})
    };
    let stream = Answer::stream().role().event(&piece("to "));
    let stream = stream.event(&piece("me@b")).event(&piece(".io"));
    upstream.answer(stream.event(&piece(", now")).finish().done());
    let [request, ..] = requests("hi", true);
    let events = events(send(&gateway, request).await).await;
    assert_eq!(said(&events), "to [EMAIL_REDACTED], now");
    let tokens = events
        .iter()
        .filter_map(|event| event.pointer("/choices/0/logprobs/content/0/token"));
    assert_eq!(tokens.collect::<Vec<_>>(), ["to ", ", now"]);
}

#[tokio::test]
async fn more_than_may_be_held_back_is_refused() {
    let upstream = Upstream::new();
    let settings = json!({"detectors": [{"type": "private_key"}], "max_buffer_bytes": 4_000});
    let gateway = gateway(&upstream, guard(settings));
    let key = format!("-----BEGIN PRIVATE KEY-----{}", "a".repeat(100));
    let exchange = upstream.answer(saying(&key));
    let [request, ..] = requests("hi", true);
    let answer = testing::text(send(&gateway, request).await).await;
    assert!(
        answer.contains("response blocked by content policy"),
        "{answer}"
    );
    assert!(!answer.contains("BEGIN") && exchange.has_ended().is_some());
}

#[test]
fn settings_are_checked() {
    for (settings, expected) in [
        (
            json!({"detectors": [{"type": "emial"}]}),
            "detectors[0].type",
        ),
        (
            json!({"custom_patterns": [{"name": "a", "regex": "("}]}),
            "`plugins[0].settings.custom_patterns[0].regex` is not a regular expression",
        ),
        (
            json!({"custom_patterns": [{"name": "a", "regex": "a*"}]}),
            "`plugins[0].settings.custom_patterns[0].regex` matches a text without a character",
        ),
        (
            json!({"custom_patterns": [{"name": "a", "regex": "(?:a{1000}){1000}"}]}),
            "`plugins[0].settings.custom_patterns` take too much memory",
        ),
        (
            json!({"custom_patterns": [{"name": "a", "regex": "a", "action": "block", "replacement": "b"}]}),
            "`plugins[0].settings.custom_patterns[0].replacement` is only possible",
        ),
        (
            json!({"on_buffer_exceeded": "fail_open"}),
            "on_buffer_exceeded",
        ),
        (json!({"max_buffer_bytes": 0}), "max_buffer_bytes"),
    ] {
        let said = wrong(json!([{"name": "pii_guard", "settings": settings}]));
        assert!(said.contains(expected), "{said}");
    }
}
