//! Entities, keywords and expressions, and tokens that are turned back.

use aisix_core::testing::{self, Answer, Gate, Setup, Upstream};
use serde_json::{Value, json};

use crate::{ask::*, speech::*};

/// A chain with one element at this stage.
fn masking(stage: &str, settings: Value) -> Value {
    json!([{"name": "data_masking", "stage": stage, "settings": settings}])
}

/// A chain that hides addresses of e-mail in requests, and turns them back in answers.
fn reversible() -> Value {
    masking(
        "pre_request",
        json!({
            "predefined_entities": [{"entity": "email"}],
            "reversible_hashing": {"enabled": true, "secret": "s3cret"},
        }),
    )
}

/// What becomes of a text in a request.
async fn asked(settings: Value, text: &str) -> String {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, masking("pre_request", settings));
    upstream.answer(Answer::chat("hi"));
    let response = send(&gateway, testing::chat_request(text)).await;
    assert_eq!(response.status(), 200);
    let sent = upstream.last_request().json();
    sent["messages"][0]["content"].as_str().unwrap().to_owned()
}

/// The token that stands for an address in the last request.
async fn token(gateway: &aisix_core::Gateway, upstream: &Upstream, address: &str) -> String {
    upstream.answer(Answer::chat("hi"));
    send(gateway, testing::chat_request(address)).await;
    let sent = upstream.last_request().json();
    sent["messages"][0]["content"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn entities_have_masks_of_their_own() {
    let settings = json!({"predefined_entities": [
        {"entity": "email"}, {"entity": "credit_card", "mask_with": "<card>"},
        {"entity": "ssn", "mask_with": "#", "preserve_len": true}, {"entity": "uuid", "enabled": false}]});
    let text = "a@b.io 4111111111111111 078-05-1120 123e4567-e89b-12d3-a456-426614174000";
    let expected = "[MASKED_EMAIL] <card> ########### 123e4567-e89b-12d3-a456-426614174000";
    assert_eq!(asked(settings, text).await, expected);
}

#[tokio::test]
async fn all_entities_can_be_masked_but_some() {
    let settings = json!({"apply_all": true, "predefined_entities": [
        {"entity": "email", "mask_with": "@"}, {"entity": "date", "enabled": false}]});
    let text = "a@b.io, 192.168.0.1 on 2024-02-29";
    assert_eq!(asked(settings, text).await, "@, ***** on 2024-02-29");
}

#[tokio::test]
async fn rules_are_expressions_and_keywords_with_few_mistakes() {
    let rules = json!({"rules": [
        {"type": "keyword", "pattern": "Project Falcon", "mask_with": "[P]"},
        {"type": "regex", "pattern": r"id-(\d+)", "mask_with": "0", "preserve_len": true}]});
    let text = "projekt falcon, project  falcon, id-1234, project fulkan";
    let expected = "[P], [P], id-0000, project fulkan";
    assert_eq!(asked(rules.clone(), text).await, expected);
    let mut strict = rules;
    strict["max_edit_distance"] = json!(0);
    let expected = "projekt falcon, [P], id-0000, project fulkan";
    assert_eq!(asked(strict.clone(), text).await, expected);
    strict["max_edit_distance"] = json!(3);
    strict["similarity_threshold"] = json!(0.75);
    let loose = "[P], [P], id-0000, [P]";
    assert_eq!(asked(strict.clone(), text).await, loose);
    strict["similarity_threshold"] = json!(0.95);
    assert_eq!(asked(strict, text).await, expected);
}

#[tokio::test]
async fn answers_are_masked_in_every_dialect_and_streams_wherever_they_are_cut() {
    let settings = json!({"predefined_entities": [{"entity": "email"}], "rules": [
        {"type": "keyword", "pattern": "falcon"}]});
    for stage in ["pre_response", "post_response"] {
        let upstream = Upstream::new();
        let gateway = gateway(&upstream, masking(stage, settings.clone()));
        for request in requests("a@b.io", false) {
            upstream.answer(Answer::chat("to a@b.io, falcom"));
            let answer = testing::text(send(&gateway, request).await).await;
            assert!(answer.contains("to [MASKED_EMAIL], *****"), "{answer}");
            assert!(upstream.last_request().text().contains("a@b.io"));
        }
        for request in requests("hi", true) {
            upstream.answer(saying("to a@b.io, falcom"));
            let events = events(send(&gateway, request).await).await;
            assert_eq!(said(&events), "to [MASKED_EMAIL], *****");
        }
    }
}

#[tokio::test]
async fn what_is_hidden_from_the_upstream_comes_back_in_every_dialect() {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, reversible());
    let token = token(&gateway, &upstream, "a.b@example.com").await;
    assert!(
        token.starts_with("[EMAIL_") && token.len() == "[EMAIL_]".len() + 16,
        "{token}"
    );
    for request in requests("to a.b@example.com, c@d.io", false) {
        upstream.answer(Answer::chat(&format!("to {token}!")));
        let answer = testing::text(send(&gateway, request).await).await;
        assert!(answer.contains("to a.b@example.com!"), "{answer}");
        let sent = upstream.last_request();
        assert!(sent.text().contains(&format!("to {token}, [EMAIL_")));
        assert!(!sent.text().contains("example.com"));
    }
    for request in requests("to a.b@example.com", true) {
        upstream.answer(saying(&format!("to {token}, [EMAIL_{token}")));
        let events = events(send(&gateway, request).await).await;
        assert_eq!(said(&events), "to a.b@example.com, [EMAIL_a.b@example.com");
    }
}

#[tokio::test]
async fn a_token_comes_back_wherever_it_is_cut_and_where_a_tool_is_called_with_it() {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, reversible());
    let address = "\"q\"@x.y\\z a@b.io";
    let token = token(&gateway, &upstream, "a@b.io").await;
    for at in 0..=token.len() {
        let (one, two) = token.split_at(at);
        let stream = Answer::stream().role().content(one).content(two);
        upstream.answer(stream.finish().done());
        let [request, ..] = requests(address, true);
        let events = events(send(&gateway, request).await).await;
        assert_eq!(said(&events), "a@b.io", "cut at {at}");
    }
    for request in requests(address, true) {
        upstream.answer(calling(&json!({"to": token}).to_string()));
        let events = events(send(&gateway, request).await).await;
        assert_eq!(called_with(&events), json!({"to": "a@b.io"}));
    }
}

#[tokio::test]
async fn a_value_stays_what_it_was_in_json() {
    let upstream = Upstream::new();
    let settings = json!({
        "rules": [{"type": "regex", "pattern": r#"<[^>]*>"#}],
        "reversible_hashing": {"enabled": true, "secret": "s3cret"},
    });
    let gateway = gateway(&upstream, masking("pre_request", settings));
    let value = "<\"quoted\"\n\\ 😀>";
    let token = token(&gateway, &upstream, value).await;
    for request in requests(value, true) {
        upstream.answer(calling(&json!({"it": token}).to_string()));
        let events = events(send(&gateway, request).await).await;
        assert_eq!(called_with(&events), json!({"it": value}));
    }
}

#[tokio::test]
async fn a_token_of_another_call_is_not_turned_back() {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, reversible());
    let token = token(&gateway, &upstream, "a@b.io").await;
    for text in [token.as_str(), "[EMAIL_0123456789abcdef]"] {
        upstream.answer(Answer::chat(text));
        let response = send(&gateway, testing::chat_request("c@d.io")).await;
        assert_eq!(testing::text(response).await, testing::chat_answer(text));
        upstream.answer(saying(text));
        let [request, ..] = requests("c@d.io", true);
        let events = events(send(&gateway, request).await).await;
        assert_eq!(said(&events), text);
    }
}

#[tokio::test]
async fn tokens_depend_on_the_secret_and_on_nothing_else() {
    let upstream = Upstream::new();
    let one = gateway(&upstream, reversible());
    let same = gateway(&upstream, reversible());
    let mut chain = reversible();
    chain[0]["settings"]["reversible_hashing"]["secret"] = json!("other");
    let other = gateway(&upstream, chain);
    let first = token(&one, &upstream, "a@b.io").await;
    assert_eq!(first, token(&same, &upstream, "a@b.io").await);
    assert_ne!(first, token(&other, &upstream, "a@b.io").await);
    assert_ne!(first, token(&one, &upstream, "c@b.io").await);
}

#[tokio::test]
async fn without_tokens_nothing_comes_back() {
    let upstream = Upstream::new();
    let mut chain = reversible();
    chain[0]["settings"]["reversible_hashing"]["enabled"] = json!(false);
    let gateway = gateway(&upstream, chain);
    upstream.answer(Answer::chat("to [MASKED_EMAIL]"));
    let response = send(&gateway, testing::chat_request("a@b.io")).await;
    let sent = upstream.last_request().json();
    assert_eq!(sent["messages"][0]["content"], "[MASKED_EMAIL]");
    let answer = testing::text(response).await;
    assert!(answer.contains("to [MASKED_EMAIL]"), "{answer}");
}

#[tokio::test]
async fn what_comes_back_is_not_masked_again() {
    let upstream = Upstream::new();
    let mut chain = reversible();
    let mut answers = chain[0].clone();
    answers["id"] = json!("answers");
    answers["stage"] = json!("post_response");
    chain.as_array_mut().unwrap().push(answers);
    let gateway = gateway(&upstream, chain);
    let token = token(&gateway, &upstream, "a@b.io").await;
    upstream.answer(Answer::chat(&token));
    let response = send(&gateway, testing::chat_request("a@b.io")).await;
    assert!(testing::text(response).await.contains("a@b.io"));
}

#[tokio::test]
async fn only_what_could_be_a_token_is_held_back() {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, reversible());
    let gate = Gate::new();
    let stream = Answer::stream().role().content("me@b").content(" [EM");
    upstream.answer(stream.gate(&gate).content("ILY]").finish().done());
    let [request, ..] = requests("a@b.io", true);
    let mut body = send(&gateway, request).await.into_body();
    let mut seen = String::new();
    while !seen.contains("me@b") {
        seen += &testing::next_text(&mut body).await.unwrap();
    }
    assert!(!seen.contains("[EM"));
    gate.open();
    while let Some(text) = testing::next_text(&mut body).await {
        seen += &text;
    }
    assert!(seen.contains(" [EM") && seen.contains("ILY]"));
}

#[tokio::test]
async fn one_that_only_observes_tells_and_changes_nothing() {
    for chain in [
        reversible(),
        masking("post_response", json!({"apply_all": true})),
    ] {
        let mut chain = chain;
        chain[0]["mode"] = json!("observe");
        let upstream = Upstream::new();
        let marks = Marks::default();
        let setup = Setup::new().hooks(aisix_hooks::hooks());
        let setup = setup.model(json!({"plugins": chain}));
        let gateway = setup
            .builder(&upstream)
            .observe(marks.clone())
            .build()
            .unwrap();
        upstream.answer(saying("a@b.io"));
        let [request, ..] = requests("a@b.io", true);
        let events = events(send(&gateway, request).await).await;
        assert_eq!(said(&events), "a@b.io");
        assert!(upstream.last_request().text().contains("a@b.io"));
        let told = ("guardrail_would_mask", "data_masking".to_owned());
        assert_eq!(marks.take(), [told]);
    }
}

#[test]
fn settings_are_checked() {
    for (settings, expected) in [
        (
            json!({}),
            "`plugins[0].settings` need an entity, a rule, or `apply_all`",
        ),
        (
            json!({"predefined_entities": [{"entity": "emial"}]}),
            "predefined_entities[0].entity",
        ),
        (
            json!({"rules": [{"type": "regex", "pattern": "("}]}),
            "`plugins[0].settings.rules[0].pattern` is not a regular expression",
        ),
        (
            json!({"rules": [{"type": "keyword", "pattern": " "}]}),
            "`plugins[0].settings.rules[0].pattern` is a text without a word",
        ),
        (
            json!({"rules": [{"type": "regex", "pattern": "(?:a{1000}){1000}"}]}),
            "`plugins[0].settings.rules` take too much memory",
        ),
        (
            json!({"apply_all": true, "reversible_hashing": {"enabled": true}}),
            "`plugins[0].settings.reversible_hashing.secret` is required",
        ),
    ] {
        let said = wrong(masking("pre_request", settings));
        assert!(said.contains(expected), "{said}");
    }
}
