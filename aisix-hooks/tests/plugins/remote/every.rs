//! What holds for each of them: a service that never answers holds nothing up, and keeps nobody.

use aisix_core::testing::{self, Answer, Ended};
use tokio::time::Instant;

use super::*;
use crate::{ask::*, every::every_hook};

/// Each guard that asks a service, told to wait for 750 ms and to let nothing pass that was not judged.
fn guards(point: &str) -> Vec<Value> {
    let asks = |hook: &Value| hook["settings"]["hook_point"].is_string();
    let mut guards: Vec<_> = every_hook().into_iter().filter(asks).collect();
    assert_eq!(guards.len(), 6);
    for guard in &mut guards {
        let settings = &mut guard["settings"];
        settings["hook_point"] = json!(point);
        settings["mandatory"] = json!(true);
        match settings["guardrail_id"].is_null() {
            true => settings["timeout_ms"] = json!(750),
            false => settings["latency_mode"] = json!({"kind": "timed", "timeout_ms": 750}),
        }
    }
    guards
}

/// A call in each dialect, whole and as a stream, to each guard; its service never answers.
fn unanswered(point: &str) -> impl Iterator<Item = (String, Peers, Exchange, Request<Body>)> {
    let calls = |guard: Value| {
        let calls = [false, true].map(|streams| requests("hi", streams).map(|it| (streams, it)));
        let calls = calls.into_iter().flatten();
        calls.map(move |(streams, request)| {
            let peers = Peers::new(guard.clone());
            let question = peers.service.answer(Answer::new(200).head_stall());
            peers.upstream.answer(match streams {
                true => Answer::stream().role().content("Hello").finish().done(),
                false => Answer::chat("Hello"),
            });
            let what = format!("{} {}", guard["name"], request.uri());
            (what, peers, question, request)
        })
    };
    guards(point).into_iter().flat_map(calls)
}

#[tokio::test(start_paused = true)]
async fn a_service_that_never_answers_is_waited_for_as_long_as_is_said() {
    for point in ["input", "output"] {
        for (what, peers, mut question, request) in unanswered(point) {
            let started = Instant::now();
            let answer = testing::text(send(&peers.gateway, request).await).await;
            assert_eq!(started.elapsed().as_millis(), 750, "{what}");
            assert!(answer.contains("blocked by content policy"), "{what}");
            assert!(!answer.contains("Hello"), "{what}: {answer}");
            assert_eq!(question.ended().await, Ended::Dropped, "{what}");
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_takes_the_question_along() {
    for point in ["input", "output"] {
        for (what, peers, mut question, request) in unanswered(point) {
            let mut call = Box::pin(async {
                let response = send(&peers.gateway, request).await;
                testing::text(response).await
            });
            tokio::select! {
                answer = &mut call => panic!("{what}: {answer}"),
                _ = question.request() => {}
            }
            drop(call);
            assert_eq!(question.ended().await, Ended::Dropped, "{what}");
        }
    }
}
