//! What holds for each of them: a service that does not answer, or answers anything else, holds nothing up, lets
//! nothing pass that must not, and keeps nobody.

use aisix_core::testing::{self, Answer, Ended};
use tokio::time::Instant;

use super::{driver::faults, *};
use crate::{ask::*, every::every_hook, services};

/// Each guard that asks a service, told to wait for 750 ms, with these settings; defaults count for others that
/// say what becomes of failures.
fn guards(settings: &Value) -> Vec<Value> {
    let asks = |hook: &Value| hook["settings"]["hook_point"].is_string();
    let mut guards: Vec<_> = every_hook().into_iter().filter(asks).collect();
    assert_eq!(guards.len(), 6);
    for guard in &mut guards {
        let all = guard["settings"].as_object_mut().unwrap();
        all.remove("fail_open");
        all.extend(settings.as_object().unwrap().clone());
        match all.contains_key("guardrail_id") {
            false => all.insert("timeout_ms".to_owned(), json!(750)),
            true => all.insert(
                "latency_mode".to_owned(),
                json!({"kind": "timed", "timeout_ms": 750}),
            ),
        };
    }
    guards
}

/// What the service of a guard says when it finds nothing.
fn harmless(guard: &Value) -> Value {
    let path = match guard["name"].as_str().unwrap() {
        "azure_content_safety" => {
            return json!({"documentsAnalysis": [{"attackDetected": false}]});
        }
        "azure_content_safety_text_moderation" => "/contentsafety/text:analyze",
        "lakera" => "/v2/guard",
        "openai_moderation" => "/v1/moderations",
        "presidio" => "/analyze",
        _ => "/apply",
    };
    services::harmless(path, b"{}")
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
    let settings = json!({"hook_point": point, "mandatory": true});
    guards(&settings).into_iter().flat_map(calls)
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

#[tokio::test(start_paused = true)]
async fn whatever_a_service_does_wrong_only_what_may_pass_does() {
    for (settings, passes) in [
        (json!({"hook_point": "input"}), true),
        (json!({"hook_point": "input", "fail_open": false}), false),
        (json!({"hook_point": "input", "mandatory": true}), false),
        (json!({"hook_point": "output"}), false),
        (
            json!({"hook_point": "output", "output_fail_open": true}),
            true,
        ),
        (
            json!({"hook_point": "output", "output_fail_open": true, "mandatory": true}),
            false,
        ),
    ] {
        for guard in guards(&settings) {
            for (fault, reason) in faults() {
                let what = format!("{guard} {reason}");
                let peers = Peers::new(guard.clone());
                peers.service.answer(fault);
                peers.upstream.answer(Answer::chat("Hello"));
                let response = send(&peers.gateway, testing::chat_request("hi")).await;
                let expected = if passes { 200 } else { 422 };
                assert_eq!(response.status(), expected, "{what}");
                let answer = testing::text(response).await;
                assert_eq!(answer.contains("Hello"), passes, "{what}: {answer}");
                let mark = match passes {
                    true => "guardrail_bypassed",
                    false => "guardrail_unavailable",
                };
                let told = format!("{}: {reason}", guard["name"].as_str().unwrap());
                assert_eq!(peers.mark(mark), Some(told), "{what}");
                assert_eq!(peers.service.requests().len(), 1, "{what}");
            }
        }
    }
}

/// The guards that ask again, and what their service says first to make them.
fn asking_again(settings: &Value) -> Vec<(Value, Value)> {
    let again = guards(settings).into_iter().filter_map(|guard| {
        let first = match guard["name"].as_str() {
            Some("presidio") => {
                json!([{"entity_type": "PERSON", "start": 0, "end": 2, "score": 0.9}])
            }
            Some("bedrock_guardrail") => json!({"action": "GUARDRAIL_INTERVENED",
                "outputs": [{"text": "both"}], "assessments": [{"sensitiveInformationPolicy":
                    {"piiEntities": [{"action": "ANONYMIZED"}]}}]}),
            _ => return None,
        };
        Some((guard, first))
    });
    again.collect()
}

fn two_texts() -> Request<Body> {
    let says = |text: &str| json!({"role": "user", "content": text});
    let body = json!({"model": testing::MODEL, "messages": [says("Jo"), says("hi")]});
    testing::request("/v1/chat/completions", body.to_string())
}

#[tokio::test(start_paused = true)]
async fn a_second_question_may_fail_as_the_first() {
    for (fail_open, status) in [(true, 200), (false, 422)] {
        let settings = json!({"hook_point": "input", "fail_open": fail_open});
        for (guard, first) in asking_again(&settings) {
            for (fault, reason) in faults() {
                let what = format!("{} {reason} {fail_open}", guard["name"]);
                let peers = Peers::new(guard.clone());
                peers.says(&first);
                peers.service.answer(fault);
                peers.upstream.answer(Answer::chat("Hello"));
                let response = send(&peers.gateway, two_texts()).await;
                assert_eq!(response.status(), status, "{what}");
                drop(response);
                let mark = match fail_open {
                    true => "guardrail_bypassed",
                    false => "guardrail_unavailable",
                };
                let told = format!("{}: {reason}", guard["name"].as_str().unwrap());
                assert_eq!(peers.mark(mark), Some(told), "{what}");
                assert_eq!(peers.service.requests().len(), 2, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_takes_the_second_question_along() {
    let settings = json!({"hook_point": "input"});
    let guards = asking_again(&settings);
    assert_eq!(guards.len(), 2);
    for (guard, first) in guards {
        let peers = Peers::new(guard);
        peers.says(&first);
        let mut question = peers.service.answer(Answer::new(200).head_stall());
        let mut call = Box::pin(send(&peers.gateway, two_texts()));
        tokio::select! {
            _ = &mut call => panic!("the service has not answered"),
            _ = question.request() => {}
        }
        drop(call);
        assert_eq!(question.ended().await, Ended::Dropped);
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_a_service_does_wrong_a_stream_says_nothing_in_any_dialect() {
    for guard in guards(&json!({"hook_point": "output"})) {
        for (index, name) in faults().into_iter().map(|(_, name)| name).enumerate() {
            for request in requests("hi", true) {
                let what = format!("{} {name} {}", guard["name"], request.uri());
                let peers = Peers::new(guard.clone());
                let fault = faults().swap_remove(index);
                peers.service.answer(fault.0);
                let stream = Answer::stream().role().content("Hel").content("lo");
                peers.upstream.answer(stream.finish().done());
                let answer = testing::text(send(&peers.gateway, request).await).await;
                assert!(answer.contains("response blocked by"), "{what}: {answer}");
                for hidden in ["Hel", "lo\"", "[DONE]", "message_stop"] {
                    assert!(!answer.contains(hidden), "{what}: {answer}");
                }
            }
        }
    }
}

/// A stream of so many words, each in an event as long as OpenAI's are.
fn words(count: usize) -> Answer {
    let event = json!({"id": "chatcmpl-CxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "object": "chat.completion.chunk",
        "created": 1_764_120_000, "model": "gpt-4o-2024-08-06", "service_tier": "default",
        "system_fingerprint": "fp_0123456789", "choices": [{"index": 0, "delta": {"content": " cat"},
            "logprobs": null, "finish_reason": null}]});
    let event = format!("data: {event}\n\n").into_bytes();
    let stream = Answer::stream().role();
    let stream = (0..count).fold(stream, |stream, _| stream.send(event.clone()));
    stream.finish().done()
}

#[tokio::test]
async fn an_ordinary_long_stream_passes_with_the_defaults() {
    for guard in guards(&json!({"hook_point": "output"})) {
        for request in requests("hi", true) {
            let what = format!("{} {}", guard["name"], request.uri());
            let peers = Peers::new(guard.clone());
            peers.says(&harmless(&guard));
            peers.says(&harmless(&guard));
            peers.upstream.answer(words(2_400));
            let answer = testing::text(send(&peers.gateway, request).await).await;
            let said = answer.matches(" cat\"").count();
            assert!(said >= 2_400, "{what}: {said} {}", answer.len());
            assert!(!peers.service.requests().is_empty(), "{what}");
            assert_eq!(peers.mark("guardrail_untold"), None, "{what}");
        }
    }
}
