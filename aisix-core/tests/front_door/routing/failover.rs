//! What becomes of a call when a target fails.

use std::time::Duration;

use aisix_core::{
    ErrorKind,
    call::AttemptKind,
    testing::{self, Answer, Endings, Upstream},
};
use serde_json::json;

use super::*;

#[tokio::test(start_paused = true)]
async fn the_next_target_takes_over_without_a_pause_and_the_answer_tells() {
    let upstream = Upstream::new();
    upstream.answer_for("up-a", Answer::refusal(500, "no"));
    upstream.answer_for("up-b", Answer::unreachable());
    upstream.answer_for("up-c", Answer::chat("hello"));
    let endings = Endings::new();
    let builder = setup(json!({})).builder(&upstream).observe(endings.clone());
    let before = tokio::time::Instant::now();
    let response = send(&builder.build().unwrap(), ask_group()).await;
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "x-aisix-served-by"), "c");
    assert_eq!(header(&response, "x-aisix-attempts"), "3");
    assert_eq!(
        testing::json(response).await["choices"][0]["message"]["content"],
        "hello"
    );
    assert_eq!(asked(&upstream), ["a", "b", "c"]);
    let kinds: Vec<_> = endings
        .records()
        .iter()
        .map(|it| (it.number, it.kind, it.model.name().to_string(), it.error))
        .collect();
    assert_eq!(
        kinds,
        [
            (
                1,
                AttemptKind::Initial,
                "a".to_owned(),
                Some(ErrorKind::Upstream)
            ),
            (
                2,
                AttemptKind::Fallback,
                "b".to_owned(),
                Some(ErrorKind::Transport)
            ),
            (3, AttemptKind::Fallback, "c".to_owned(), None),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_another_target_would_say_too_is_told_at_once() {
    for status in [400, 404, 409, 413, 422] {
        let upstream = Upstream::new();
        upstream.answer(Answer::refusal(status, "your mistake"));
        let (got, body) =
            refusal(send(&setup(json!({})).gateway(&upstream), ask_group()).await).await;
        assert_eq!((got, upstream.requests().len()), (status, 1), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_the_targets_own_fault_goes_on_to_the_next() {
    for failure in [
        Answer::refusal(401, "bad key"),
        Answer::refusal(403, "not yours"),
        Answer::refusal(408, "slow"),
        Answer::refusal(500, "no"),
        Answer::refusal(503, "no"),
        Answer::refusal(529, "no"),
        Answer::unreachable(),
        Answer::body(200, "text/html", "<html>"),
        Answer::new(200).send("{").cut(),
    ] {
        let upstream = Upstream::new();
        upstream.answer_for("up-a", failure.clone());
        upstream.answer_for("up-b", Answer::chat("hello"));
        let other = json!({"display_name": "other", "api_key": "sk-other"});
        let own = |name: &str| match name {
            "a" => json!({}),
            _ => json!({"provider_key_id": "other"}),
        };
        let setup = setup_with(json!({}), own).add(Kind::ProviderKey, "other", other);
        let response = send(&setup.gateway(&upstream), ask_group()).await;
        assert_eq!(response.status(), 200, "{failure:?}");
        assert_eq!(header(&response, "x-aisix-served-by"), "b", "{failure:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstreams_limit_goes_on_only_where_that_is_wanted() {
    for (routing, status) in [
        (json!({}), 429),
        (json!({"retry_on_429": true}), 200),
        (json!({"fallback_on_statuses": [429]}), 200),
    ] {
        let upstream = Upstream::new();
        upstream.answer_for("up-a", Answer::refusal(429, "slow down"));
        upstream.answer_for("up-b", Answer::chat("hello"));
        let response = send(&setup(routing.clone()).gateway(&upstream), ask_group()).await;
        assert_eq!(response.status(), status, "{routing}");
    }
}

#[tokio::test(start_paused = true)]
async fn statuses_can_be_named_that_go_on_too() {
    let upstream = Upstream::new();
    upstream.answer_for("up-a", Answer::refusal(404, "no such model"));
    upstream.answer_for("up-b", Answer::chat("hello"));
    let gateway = setup(json!({"fallback_on_statuses": [404]})).gateway(&upstream);
    assert_eq!(
        header(&send(&gateway, ask_group()).await, "x-aisix-served-by"),
        "b"
    );
}

#[tokio::test(start_paused = true)]
async fn fallbacks_have_a_bound_and_the_last_error_is_told() {
    let upstream = Upstream::new();
    for model in ["up-a", "up-b", "up-c"] {
        upstream.always(model, Answer::refusal(500, "no"));
    }
    let gateway = setup(json!({"max_fallbacks": 1, "retries": 0})).gateway(&upstream);
    let response = send(&gateway, ask_group()).await;
    assert_eq!(header(&response, "x-aisix-attempts"), "2");
    assert_eq!(
        refusal(response).await,
        (502, refused_upstream("upstream returned 500"))
    );
    assert_eq!(asked(&upstream), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_target_is_asked_again_first_where_somebody_says_so() {
    for (routing, model, expected) in [
        // Nobody says it: the last one is asked again as often as the gateway does.
        (
            json!({"max_fallbacks": 1}),
            json!({}),
            vec!["a", "b", "b", "b"],
        ),
        (
            json!({"max_fallbacks": 1, "retries": 1}),
            json!({}),
            vec!["a", "a", "b", "b"],
        ),
        (
            json!({"max_fallbacks": 1, "retries": 1}),
            json!({"retries": 0}),
            vec!["a", "b"],
        ),
    ] {
        let upstream = Upstream::new();
        for model in ["up-a", "up-b"] {
            upstream.always(model, Answer::refusal(500, "no"));
        }
        let gateway = setup_with(routing.clone(), |_| model.clone()).gateway(&upstream);
        send(&gateway, ask_group()).await;
        assert_eq!(asked(&upstream), expected, "{routing} {model}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_goes_on_and_each_target_has_its_own_time() {
    let upstream = Upstream::new();
    upstream.answer_for("up-a", Answer::chat("late").head_stall());
    upstream.answer_for(
        "up-b",
        Answer::chat("hello").head_after(Duration::from_millis(900)),
    );
    let gateway = setup_with(json!({}), |_| json!({"timeout": 1_000})).gateway(&upstream);
    let before = tokio::time::Instant::now();
    let response = send(&gateway, ask_group()).await;
    assert_eq!(header(&response, "x-aisix-served-by"), "b");
    assert_eq!(before.elapsed(), Duration::from_millis(1_900));
}

#[tokio::test(start_paused = true)]
async fn one_deadline_holds_for_all_attempts() {
    let upstream = Upstream::new();
    for model in ["up-a", "up-b", "up-c"] {
        upstream.always(
            model,
            Answer::chat("late")
                .head_after(Duration::from_secs(1))
                .head_stall(),
        );
    }
    let gateway = setup_with(json!({"deadline_ms": 2_500}), |_| json!({"timeout": 1_000}));
    let before = tokio::time::Instant::now();
    let (status, _) = refusal(send(&gateway.gateway(&upstream), ask_group()).await).await;
    assert_eq!(
        (status, before.elapsed()),
        (504, Duration::from_millis(2_500))
    );
    assert_eq!(asked(&upstream), ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_fails_before_its_content_is_taken_over_unseen() {
    let failures = [
        Answer::stream().role().cut(),
        Answer::stream()
            .role()
            .event(&json!({"error": {"message": "overloaded", "type": "server_error"}})),
        Answer::stream().send("data: {\"half").cut(),
        Answer::stream().send("garbage\n\n").cut(),
    ];
    for failure in failures {
        let upstream = Upstream::new();
        upstream.answer_for("up-a", failure.clone());
        upstream.answer_for(
            "up-b",
            Answer::stream().role().content("hello").finish().done(),
        );
        let gateway = setup(json!({})).gateway(&upstream);
        let response = send(&gateway, ask_group_with(&json!({"stream": true}))).await;
        assert_eq!(header(&response, "x-aisix-served-by"), "b", "{failure:?}");
        let text = testing::text(response).await;
        assert!(
            text.contains("hello") && text.ends_with("data: [DONE]\n\n"),
            "{text}"
        );
        assert!(!text.contains("error"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_after_its_content_is_not_begun_again() {
    let upstream = Upstream::new();
    upstream.answer_for("up-a", Answer::stream().role().content("hel").cut());
    let response = send(
        &setup(json!({})).gateway(&upstream),
        ask_group_with(&json!({"stream": true})),
    )
    .await;
    let text = testing::text(response).await;
    assert!(
        text.contains("hel") && text.contains("\"error\"") && !text.contains("[DONE]"),
        "{text}"
    );
    assert_eq!(asked(&upstream), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn many_targets_are_not_an_endless_number_of_attempts() {
    let targets: Vec<_> = (0..40).map(|n| json!({"model": format!("m{n}")})).collect();
    let mut setup = setup(json!({"targets": targets}));
    let upstream = Upstream::new();
    for n in 0..40 {
        let model = json!({"display_name": format!("m{n}"), "provider": "plain",
            "model_name": format!("up-{n}"), "provider_key_id": "key"});
        setup = setup.add(Kind::Model, &format!("m{n}"), model);
        upstream.always(&format!("up-{n}"), Answer::refusal(500, "no"));
    }
    let response = send(&setup.gateway(&upstream), ask_group()).await;
    assert_eq!(
        (response.status().as_u16(), upstream.requests().len()),
        (502, 16)
    );
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_when_the_deadline_has_passed() {
    let upstream = Upstream::new();
    upstream.always("up-a", Answer::chat("late").head_stall());
    upstream.always("up-b", Answer::chat("hello"));
    let gateway = setup(json!({"deadline_ms": 1_000})).gateway(&upstream);
    let response = send(&gateway, ask_group()).await;
    assert_eq!(header(&response, "x-aisix-attempts"), "1");
    assert_eq!(response.status(), 504);
    assert_eq!(asked(&upstream), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn hooks_take_their_part_of_the_deadline() {
    let upstream = Upstream::new();
    upstream.always("up-a", Answer::chat("late").head_stall());
    let slow = aisix_core::hook::from_fn(async |call, next: aisix_core::hook::Next| {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        next.run(call).await
    });
    let builder = setup(json!({"deadline_ms": 2_000})).builder(&upstream);
    let gateway = builder.hook(slow).build().unwrap();
    let before = tokio::time::Instant::now();
    assert_eq!(send(&gateway, ask_group()).await.status(), 504);
    assert_eq!(before.elapsed(), Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_is_tried_again_where_somebody_has_set_retries() {
    for (model, status) in [
        (json!({"timeout": 1_000}), 504),
        (json!({"timeout": 1_000, "retries": 1}), 200),
    ] {
        let upstream = Upstream::new();
        upstream.answer_for("up-a", Answer::chat("late").head_stall());
        upstream.always("up-a", Answer::chat("hello"));
        let routing = json!({"targets": [{"model": "a"}]});
        let gateway = setup_with(routing, |_| model.clone()).gateway(&upstream);
        assert_eq!(
            send(&gateway, ask_group()).await.status(),
            status,
            "{model}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_status_that_is_named_is_tried_again_too() {
    let upstream = Upstream::new();
    upstream.always("up-a", Answer::refusal(404, "no such model"));
    upstream.always("up-b", Answer::chat("hello"));
    let routing = json!({"fallback_on_statuses": [404], "retries": 1});
    send(&setup(routing).gateway(&upstream), ask_group()).await;
    assert_eq!(asked(&upstream), ["a", "a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn the_time_of_the_group_holds_for_targets_that_name_none() {
    let upstream = Upstream::new();
    for model in ["up-a", "up-b"] {
        upstream.always(model, Answer::chat("late").head_stall());
    }
    upstream.always("up-c", Answer::chat("hello"));
    let own = |name: &str| match name {
        "b" => json!({"timeout": 3_000}),
        _ => json!({}),
    };
    let timed = json!({"display_name": "timed", "timeout": 1_000,
        "routing": {"targets": [{"model": "a"}, {"model": "b"}, {"model": "c"}]}});
    let setup = setup_with(json!({}), own).add(Kind::Model, "timed", timed);
    let ask = testing::request(CHAT, chat_body(&json!({"model": "timed"})));
    let before = tokio::time::Instant::now();
    assert_eq!(send(&setup.gateway(&upstream), ask).await.status(), 200);
    assert_eq!(before.elapsed(), Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn retries_do_not_multiply_what_a_failing_upstream_bears() {
    let sick = json!({"cooldown": {"enabled": true}});
    for request in [
        || ask_group(),
        || testing::request(CHAT, chat_body(&json!({"model": "a"}))),
    ] {
        let upstream = Upstream::new();
        for model in ["up-a", "up-b", "up-c"] {
            upstream.always(
                model,
                Answer::refusal(503, "no").header("retry-after", "60"),
            );
        }
        let routing = json!({"retries": 0});
        let gateway = setup_with(routing, |name| match name {
            "a" => json!({"retries": 5}),
            _ => sick.clone(),
        });
        let gateway = gateway.gateway(&upstream);
        let calls = (0..300).map(|_| send(&gateway, request()));
        for response in futures_util::future::join_all(calls).await {
            assert_eq!(response.status(), 502);
        }
        // 300 calls, a fifth of them again, and ten a second for ten seconds. Without a bound it is 1800.
        let most = 300 + 60 + 100 + 300;
        assert!(
            upstream.requests().len() <= most,
            "{}",
            upstream.requests().len()
        );
    }
}

#[tokio::test]
async fn attempts_tell_their_own_tokens_and_times() {
    let upstream = Upstream::new();
    let wait = Duration::from_millis(30);
    upstream.answer_for("up-a", Answer::refusal(500, "no").head_after(wait));
    let stream = Answer::stream()
        .role()
        .content("x")
        .finish()
        .usage(7, 5)
        .done();
    upstream.answer_for("up-b", stream);
    let endings = Endings::new();
    let gateway = setup(json!({})).builder(&upstream).observe(endings.clone());
    let response = send(
        &gateway.build().unwrap(),
        ask_group_with(&json!({"stream": true})),
    )
    .await;
    testing::text(response).await;
    let records = endings.records();
    let tokens = records.iter().map(|it| it.usage.map(|usage| usage.total()));
    assert_eq!(tokens.collect::<Vec<_>>(), [None, Some(12)]);
    let first_token = endings.only().first_token.unwrap();
    assert!(first_token >= wait + records[1].first_token.unwrap());
    assert_eq!(records[0].first_token, None);
}
