//! Conversations that stay where they are.

use std::collections::BTreeSet;

use aisix_core::{
    Gateway,
    body::Body,
    config::resource::KeyHash,
    explain::{Explainer, Question},
    testing::{self, API_KEY, Answer, Gate, Upstream},
};
use serde_json::json;

use super::*;

fn upstream() -> Upstream {
    let upstream = Upstream::new();
    for model in ["up-a", "up-b", "up-c"] {
        upstream.always(model, Answer::chat("hello"));
    }
    upstream
}

fn affine() -> Value {
    json!({"strategy": "round_robin", "prefix_affinity": true})
}

fn chat(messages: &Value) -> http::Request<Body> {
    let body = json!({"model": GROUP, "messages": messages});
    testing::request(CHAT, body.to_string())
}

/// A conversation after so many turns.
fn conversation(number: usize, turns: usize) -> Value {
    let mut messages = vec![
        json!({"role": "system", "content": "You are brief."}),
        json!({"role": "user", "content": format!("question {number}")}),
    ];
    for turn in 0..turns {
        messages.push(json!({"role": "assistant", "content": format!("answer {turn}")}));
        messages.push(json!({"role": "user", "content": format!("and {turn}?")}));
    }
    messages.into()
}

#[tokio::test]
async fn a_conversation_stays_with_its_target_as_it_grows_and_conversations_are_spread() {
    let upstream = upstream();
    let gateway = setup(affine()).gateway(&upstream);
    let mut homes = BTreeSet::new();
    for number in 0..12 {
        let before = asked(&upstream).len();
        for turns in 0..4 {
            let request = chat(&conversation(number, turns));
            testing::text(send(&gateway, request).await).await;
        }
        let asked = asked(&upstream).split_off(before);
        assert!(
            asked.iter().all(|it| *it == asked[0]),
            "{number}: {asked:?}"
        );
        homes.insert(asked[0].clone());
    }
    assert_eq!(homes.len(), 3);
}

#[tokio::test]
async fn marks_of_a_cache_and_parts_do_not_make_it_another_conversation() {
    let upstream = upstream();
    let gateway = setup(affine()).gateway(&upstream);
    for number in 0..8 {
        let before = asked(&upstream).len();
        let text = format!("question {number}");
        let contents = [
            json!(text),
            json!([{"type": "text", "text": text}]),
            json!([{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]),
        ];
        for content in contents {
            let request = chat(&json!([{"role": "user", "content": content}]));
            testing::text(send(&gateway, request).await).await;
        }
        let asked = asked(&upstream).split_off(before);
        assert!(
            asked.iter().all(|it| *it == asked[0]),
            "{number}: {asked:?}"
        );
    }
}

#[tokio::test]
async fn a_mark_at_a_picture_does_not_count_and_the_picture_does() {
    let upstream = upstream();
    let gateway = setup(affine()).gateway(&upstream);
    let mut homes = BTreeSet::new();
    for number in 0..8 {
        let before = asked(&upstream).len();
        let picture =
            json!({"type": "image_url", "image_url": {"url": format!("https://x/{number}")}});
        let mut marked = picture.clone();
        marked["cache_control"] = json!({"type": "ephemeral"});
        for part in [picture, marked] {
            let request = chat(&json!([{"role": "user", "content": [part]}]));
            testing::text(send(&gateway, request).await).await;
        }
        let asked = asked(&upstream).split_off(before);
        assert_eq!(asked[0], asked[1], "{number}");
        homes.insert(asked[0].clone());
    }
    assert!(homes.len() > 1);
}

#[tokio::test]
async fn without_affinity_the_strategy_decides() {
    let upstream = upstream();
    let gateway = setup(json!({"strategy": "round_robin"})).gateway(&upstream);
    for turns in 0..3 {
        let request = chat(&conversation(1, turns));
        testing::text(send(&gateway, request).await).await;
    }
    assert_eq!(asked(&upstream), ["a", "b", "c"]);
}

#[tokio::test]
async fn a_home_that_is_much_busier_than_the_others_takes_no_more() {
    let upstream = upstream();
    let routing = json!({"strategy": "failover", "prefix_affinity": true});
    let gateway = setup(routing).gateway(&upstream);
    testing::text(send(&gateway, chat(&conversation(1, 0))).await).await;
    let home = asked(&upstream).remove(0);
    let gate = Gate::new();
    let mut streams = Vec::new();
    for _ in 0..2 {
        let script = Answer::stream()
            .role()
            .content("x")
            .gate(&gate)
            .finish()
            .done();
        drop(upstream.answer_for(&format!("up-{home}"), script));
        let body = json!({"model": GROUP, "stream": true, "messages": conversation(1, 0)});
        streams.push(send(&gateway, testing::request(CHAT, body.to_string())).await);
    }
    assert_eq!(asked(&upstream), [&*home; 3], "one, and one besides");
    testing::text(send(&gateway, chat(&conversation(1, 1))).await).await;
    // Of two calls a third is 0.67: three quarters more than one are too many. The strategy takes over.
    assert_eq!(asked(&upstream)[3], "a");
    assert_ne!(home, "a", "or else this shows nothing");
    drop(streams);
    testing::text(send(&gateway, chat(&conversation(1, 2))).await).await;
    assert_eq!(asked(&upstream)[4], home, "it has room again");
}

#[tokio::test]
async fn when_the_home_fails_another_takes_over() {
    let upstream = upstream();
    let gateway = setup(affine()).gateway(&upstream);
    testing::text(send(&gateway, chat(&conversation(1, 0))).await).await;
    let home = asked(&upstream).remove(0);
    drop(upstream.answer_for(&format!("up-{home}"), Answer::refusal(500, "no")));
    for turns in 1..3 {
        let response = send(&gateway, chat(&conversation(1, turns))).await;
        assert_eq!(response.status(), 200);
    }
    let asked = asked(&upstream);
    assert_eq!(asked[1], home);
    assert!(
        asked[2..].iter().all(|it| *it != home),
        "it rests: {asked:?}"
    );
}

#[tokio::test]
async fn an_explanation_tells_where_the_conversation_is_at_home() {
    for (affinity, times) in [(true, 1), (false, 0)] {
        let routing = json!({"prefix_affinity": affinity});
        let builder = setup(routing).builder(&Upstream::new());
        let question = Question::new().key(API_KEY).model(GROUP);
        let explained = Explainer::new(builder).explain(question).await.unwrap();
        let told = explained.to_json().to_string();
        let found = told.matches("the conversation is at home there");
        assert_eq!(found.count(), times, "{told}");
    }
}

/// Where the same conversations are at home for the caller of this key.
async fn homes(gateway: &Gateway, key: &str) -> Vec<String> {
    let mut homes = Vec::new();
    for number in 0..12 {
        let mut request = chat(&conversation(number, 0));
        let bearer = format!("Bearer {key}").parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        let response = send(gateway, request).await;
        assert_eq!(response.status(), 200);
        homes.push(header(&response, "x-aisix-served-by").to_owned());
    }
    homes
}

#[tokio::test]
async fn callers_with_keys_of_their_own_have_homes_of_their_own() {
    let upstream = upstream();
    let hash = KeyHash::of("sk-other").to_hex();
    let other = json!({"key_hash": hash, "allowed_models": ["*"]});
    let setup = setup(affine()).add(Kind::ApiKey, "other", other);
    let gateway = setup.gateway(&upstream);
    let own = homes(&gateway, API_KEY).await;
    assert_eq!(homes(&gateway, API_KEY).await, own);
    assert_ne!(homes(&gateway, "sk-other").await, own);
}

#[tokio::test]
async fn conversations_of_every_dialect_stay_where_they_are() {
    let upstream = upstream();
    let gateway = setup(affine()).gateway(&upstream);
    let said = |role: &str, text: &str| json!({"role": role, "content": text});
    let in_gemini = |role: &str, text: &str| json!({"role": role, "parts": [{"text": text}]});
    for number in 0..6 {
        let first = format!("question {number}");
        let ask = |turns: bool| {
            let grown = |first: Value, rest: [Value; 2]| match turns {
                true => [vec![first], rest.to_vec()].concat(),
                false => vec![first],
            };
            let messages = grown(
                said("user", &first),
                [said("assistant", "a"), said("user", "b")],
            );
            let contents = grown(
                in_gemini("user", &first),
                [in_gemini("model", "a"), in_gemini("user", "b")],
            );
            [
                (
                    "/v1/messages".to_owned(),
                    json!({"model": GROUP, "max_tokens": 9, "system": "Be brief.", "messages": messages}),
                ),
                (
                    "/v1/responses".to_owned(),
                    json!({"model": GROUP, "store": false, "instructions": "Be brief.", "input": messages}),
                ),
                (
                    format!("/v1beta/models/{GROUP}:generateContent"),
                    json!({"systemInstruction": {"parts": [{"text": "Be brief."}]}, "contents": contents}),
                ),
            ]
        };
        for (before, after) in ask(false).into_iter().zip(ask(true)) {
            let mut served_by = Vec::new();
            for (path, body) in [&before, &after, &after] {
                let response = send(&gateway, testing::request(path, body.to_string())).await;
                assert_eq!(response.status(), 200, "{path}");
                served_by.push(header(&response, "x-aisix-served-by").to_owned());
            }
            assert!(
                served_by.iter().all(|it| *it == served_by[0]),
                "{before:?}: {served_by:?}"
            );
        }
    }
}
