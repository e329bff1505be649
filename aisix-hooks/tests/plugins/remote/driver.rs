//! What all of them do with a call, shown with one of them.

use std::time::Duration;

use aisix_core::testing::{self, Answer, Ended, Gate};
use serde_json::json;

use super::{
    openai_moderation::{guard, moderation},
    *,
};
use crate::ask::*;

/// Everything that a service can do wrong, and what it is called.
pub(super) fn faults() -> Vec<(Answer, &'static str)> {
    let json = "application/json";
    vec![
        (Answer::new(200).head_stall(), "timeout"),
        (Answer::new(200).send("{").stall(), "timeout"),
        (Answer::unreachable(), "unreachable"),
        (Answer::json(500, &json!({})), "status_5xx"),
        (Answer::json(429, &json!({})), "status_429"),
        (Answer::new(302).header("location", "/"), "status_3xx"),
        (Answer::body(200, json, "{\"resu").cut(), "broken_answer"),
        (Answer::body(200, json, "{\"resu"), "unreadable_answer"),
        (Answer::body(200, "text/html", "<p>"), "unreadable_answer"),
        (Answer::json(200, &json!([1])), "unreadable_answer"),
        (
            Answer::json(200, &json!({"results": 1})),
            "unreadable_answer",
        ),
        (Answer::new(200), "unreadable_answer"),
        (
            Answer::new(200).send(vec![b' '; 1 << 21]).stall(),
            "long_answer",
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_request_passes_when_the_service_fails_and_is_told_of() {
    for (fault, reason) in faults() {
        let peers = Peers::new(guard(json!({"hook_point": "input"})));
        peers.service.answer(fault);
        peers.upstream.answer(Answer::chat("hello"));
        let response = send(&peers.gateway, testing::chat_request("hi")).await;
        assert_eq!(response.status(), 200, "{reason}");
        drop(response);
        let told = format!("openai_moderation: {reason}");
        assert_eq!(peers.mark("guardrail_bypassed"), Some(told));
        assert_eq!(peers.service.requests().len(), 1, "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_wants_it_closed_gets_it_closed() {
    for (settings, what) in [
        (
            json!({"hook_point": "input", "fail_open": false}),
            "request",
        ),
        (json!({"hook_point": "input", "mandatory": true}), "request"),
        (json!({"hook_point": "output"}), "response"),
        (
            json!({"hook_point": "output", "output_fail_open": true, "mandatory": true}),
            "response",
        ),
    ] {
        for (fault, reason) in faults() {
            let peers = Peers::new(guard(settings.clone()));
            peers.service.answer(fault);
            peers.upstream.answer(Answer::chat("hello"));
            let response = send(&peers.gateway, testing::chat_request("hi")).await;
            assert_eq!(response.status(), 422, "{reason}");
            let answer = testing::json(response).await;
            let message =
                format!("{what} blocked by content policy (guardrail 'openai_moderation')");
            assert_eq!(answer["error"]["message"], message);
            let told = format!("openai_moderation: {reason}");
            assert_eq!(peers.mark("guardrail_unavailable"), Some(told));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_passes_when_that_is_wanted() {
    let settings = json!({"hook_point": "output", "output_fail_open": true});
    for (fault, reason) in faults() {
        let peers = Peers::new(guard(settings.clone()));
        peers.service.answer(fault);
        peers.upstream.answer(Answer::chat("hello"));
        let response = send(&peers.gateway, testing::chat_request("hi")).await;
        assert_eq!(
            testing::text(response).await,
            testing::chat_answer("hello"),
            "{reason}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_deadline_is_that_of_the_settings() {
    for (wait, expected) in [(700, 422), (800, 200)] {
        let settings = json!({"hook_point": "input", "timeout_ms": 750});
        let peers = Peers::new(guard(settings));
        let flagged = Answer::json(200, &moderation(1, true, 0.9));
        peers
            .service
            .answer(flagged.head_after(Duration::from_millis(wait)));
        peers.upstream.answer(Answer::chat("hello"));
        let response = send(&peers.gateway, testing::chat_request("hi")).await;
        assert_eq!(response.status(), expected);
    }
}

#[tokio::test]
async fn requests_and_answers_of_every_dialect_are_judged() {
    for index in 0..4 {
        for (flags_request, asked) in [(true, "request"), (false, "response")] {
            let peers = Peers::new(guard(json!({})));
            let request = requests("say it", false).into_iter().nth(index).unwrap();
            let path = request.uri().path().to_owned();
            peers.says(&moderation(1, flags_request, 0.9));
            peers.says(&moderation(1, true, 0.9));
            peers.upstream.answer(Answer::chat("it is said"));
            let response = send(&peers.gateway, request).await;
            assert_eq!(response.status(), 422, "{path}");
            let answer = testing::json(response).await;
            let message =
                format!("{asked} blocked by content policy (guardrail 'openai_moderation')");
            assert_eq!(answer["error"]["message"], message, "{path}");
            let questions = peers.service.requests();
            let inputs: Vec<_> = questions
                .iter()
                .map(|it| it.json()["input"].clone())
                .collect();
            let expected = [json!(["say it"]), json!(["it is said"])];
            assert_eq!(
                inputs,
                expected[..if flags_request { 1 } else { 2 }],
                "{path}"
            );
        }
    }
}

#[tokio::test]
async fn embeddings_are_judged_and_their_answers_are_not() {
    let peers = Peers::new(guard(json!({})));
    peers.says(&moderation(2, false, 0.0));
    let vectors = json!({"object": "list", "data": [{"index": 0, "embedding": [0.5]}]});
    peers.upstream.answer(Answer::json(200, &vectors));
    let body = json!({"model": testing::MODEL, "input": ["one", "two", "one", " "]});
    let request = testing::request("/v1/embeddings", body.to_string());
    let response = send(&peers.gateway, request).await;
    assert_eq!(response.status(), 200);
    // Equal texts are asked about once, and empty ones not at all.
    assert_eq!(peers.question().json()["input"], json!(["one", "two"]));
}

#[tokio::test]
async fn a_client_that_leaves_takes_the_question_along() {
    let peers = Peers::new(guard(json!({})));
    let mut question = peers.service.answer(Answer::new(200).head_stall());
    let call = send(&peers.gateway, testing::chat_request("hi"));
    let mut call = Box::pin(call);
    tokio::select! {
        _ = &mut call => panic!("the service has not answered"),
        _ = question.request() => {}
    }
    drop(call);
    assert_eq!(question.ended().await, Ended::Dropped);
}

#[tokio::test]
async fn one_that_watches_asks_beside_the_upstream_and_refuses_nothing() {
    let peers = Peers::new(guard(json!({"enforcement_mode": "monitor"})));
    let gate = Gate::new();
    let flagged = || Answer::json(200, &moderation(1, true, 0.9));
    peers.service.answer(flagged().head_gate(&gate));
    peers.service.answer(flagged());
    let mut upstream = peers.upstream.answer(Answer::chat("hello"));
    let opened = async {
        upstream.request().await;
        gate.open();
    };
    let call = send(&peers.gateway, testing::chat_request("hi"));
    let (response, ()) = tokio::join!(call, opened);
    assert_eq!(testing::text(response).await, testing::chat_answer("hello"));
    let marks = peers.marks.0.lock().unwrap();
    let name = "openai_moderation";
    let told = [
        ("guardrail_reason", format!("{name}: violence")),
        ("guardrail_would_block", name.to_owned()),
    ];
    assert_eq!(*marks, [told.clone(), told].concat());
}

#[tokio::test(start_paused = true)]
async fn one_that_watches_is_not_needed() {
    let peers = Peers::new(guard(
        json!({"enforcement_mode": "monitor", "mandatory": true}),
    ));
    peers.service.answer(Answer::new(200).head_stall());
    peers.service.answer(Answer::unreachable());
    peers.upstream.answer(Answer::chat("hello"));
    let response = send(&peers.gateway, testing::chat_request("hi")).await;
    assert_eq!(testing::text(response).await, testing::chat_answer("hello"));
}

#[tokio::test]
async fn credentials_are_told_to_nobody() {
    let peers = Peers::new(guard(json!({"fail_open": false})));
    let said = json!({"error": {"message": "wrong key sk-guard"}});
    peers.service.answer(Answer::json(401, &said));
    let response = send(&peers.gateway, testing::chat_request("hi")).await;
    let answer = testing::text(response).await;
    assert!(!answer.contains("sk-guard"), "{answer}");
    let marks = format!("{:?}", peers.marks.0.lock().unwrap());
    assert!(
        marks.contains("status_4xx") && !marks.contains("sk-guard"),
        "{marks}"
    );
}
