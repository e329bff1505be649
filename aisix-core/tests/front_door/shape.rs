//! The provider key's `request` and `response` blocks.

use aisix_core::testing::{self, Answer, Setup, Upstream};
use serde_json::{Value, json};

use crate::ask::*;

/// What the upstream gets of `body` with this provider key.
async fn sent(key: Value, body: &str) -> String {
    let upstream = Upstream::new();
    upstream.answer(Answer::chat("hello"));
    let gateway = Setup::new().provider_key(key).gateway(&upstream);
    assert_eq!(
        send(&gateway, testing::request(CHAT, body.to_owned()))
            .await
            .status(),
        200
    );
    upstream.last_request().text().to_owned()
}

#[tokio::test]
async fn requests_are_reshaped_member_by_member() {
    let rename = json!({"request": {"param_renames": {"max_tokens": "max_completion_tokens"}}});
    let clamp =
        json!({"request": {"param_constraints": {"temperature_min": 0.5, "temperature_max": 1}}});
    let defaults = json!({"request": {"default_body_fields": {"seed": 7, "user": {"a": 1}}}});
    let both = json!({"request": {
        "param_renames": {"temperature": "temp"}, "param_constraints": {"temperature_max": 1},
    }});
    let texts = json!({"response": {"content_list_to_string": true}});
    let m = r#""model":"test-model","messages":[{}]"#;
    let text = r#"{"type":"text","text":"a\n"}, {"type":"text","text":"é"}"#;
    let image = r#"{"type":"image_url","image_url":{}}"#;
    for (key, body, expected) in [
        (
            &rename,
            format!(r#"{{{m},"max_tokens": 5}}"#),
            format!(r#"{{{m},"max_completion_tokens": 5}}"#),
        ),
        (
            &rename,
            format!(r#"{{"max_tokens":5,{m},"max_completion_tokens":6}}"#),
            format!(r#"{{"max_tokens":5,{m},"max_completion_tokens":6}}"#),
        ),
        (
            &clamp,
            format!(r#"{{{m},"temperature":2}}"#),
            format!(r#"{{{m},"temperature":1}}"#),
        ),
        (
            &clamp,
            format!(r#"{{{m},"temperature":0}}"#),
            format!(r#"{{{m},"temperature":0.5}}"#),
        ),
        (
            &clamp,
            format!(r#"{{{m},"temperature":0.70}}"#),
            format!(r#"{{{m},"temperature":0.70}}"#),
        ),
        (&clamp, format!(r#"{{{m}}}"#), format!(r#"{{{m}}}"#)),
        (
            &both,
            format!(r#"{{{m},"temperature":2}}"#),
            format!(r#"{{{m},"temp":1}}"#),
        ),
        (
            &defaults,
            format!(r#"{{{m},"seed":0}}"#),
            format!(r#"{{{m},"seed":0,"user":{{"a":1}}}}"#),
        ),
        (
            &defaults,
            format!(r#"{{{m}}}"#),
            format!(r#"{{{m},"seed":7,"user":{{"a":1}}}}"#),
        ),
        (
            &texts,
            format!(
                r#"{{"model":"test-model","messages":[{{"content":[{text}]}},{{"content":"as it is"}},{{"content":[{image}]}}]}}"#
            ),
            format!(
                r#"{{"model":"test-model","messages":[{{"content":"a\n\né"}},{{"content":"as it is"}},{{"content":[{image}]}}]}}"#
            ),
        ),
    ] {
        assert_eq!(sent(key.clone(), &body).await, renamed(&expected));
    }
}

#[tokio::test]
async fn reasoning_gets_the_name_that_clients_know() {
    let key = json!({"response": {"reasoning_field": "delta.reasoning"}});
    let upstream = Upstream::new();
    let gateway = Setup::new().provider_key(key).gateway(&upstream);

    let event = |name: &str| json!({"choices": [{"index": 0, "delta": {name: "hm"}}]});
    upstream.answer(Answer::stream().event(&event("reasoning")).finish().done());
    let text = testing::text(stream(&gateway).await).await;
    assert!(
        text.starts_with(&format!("data: {}\n\n", event("reasoning_content"))),
        "{text}"
    );

    let whole = |name: &str| json!({"choices": [{"message": {"content": "x", name: "hm"}}]});
    upstream.answer(Answer::json(200, &whole("reasoning")));
    assert_eq!(
        testing::json(chat(&gateway).await).await,
        whole("reasoning_content")
    );
}

#[tokio::test]
async fn a_done_marker_is_what_the_provider_key_says() {
    let unfinished = || Answer::stream().content("x");
    let finished = || Answer::stream().content("x").finish();
    for (marker, answer, complete) in [
        ("required", finished().done(), true),
        ("required", finished(), false),
        ("optional", finished(), true),
        ("optional", unfinished(), false),
        ("none", unfinished(), true),
        ("none", finished(), true),
    ] {
        let upstream = Upstream::new();
        upstream.answer(answer);
        let key = json!({"response": {"stream_done_marker": marker}});
        let gateway = Setup::new().provider_key(key).gateway(&upstream);
        let text = testing::text(stream(&gateway).await).await;
        assert_eq!(
            text.ends_with("data: [DONE]\n\n"),
            complete,
            "{marker}: {text}"
        );
        assert_eq!(
            text.contains("stream_aborted"),
            !complete,
            "{marker}: {text}"
        );
    }
}
