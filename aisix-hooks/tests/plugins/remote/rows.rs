//! Each of them as a guardrail: a row of its kind instead of an element of a chain.

use aisix_core::{
    config::Kind,
    testing::{self, Answer},
};

use super::*;
use crate::ask::*;

/// A row, and how its service is scripted.
struct Row {
    document: Value,
    /// Where the service is asked.
    url: &'static str,
    /// What it says about a request or an answer that must not pass.
    bad: Value,
}

/// A row of each kind with nothing but what it must have.
fn rows() -> Vec<Row> {
    let here = "https://guard.test";
    let safety = |kind: &str| json!({"kind": kind, "endpoint": here, "api_key": "k"});
    let severity = |category: &str| json!({"category": category, "severity": 2});
    let row = |document, url, bad| Row { document, url, bad };
    vec![
        row(
            json!({"kind": "openai_moderation", "api_key": "k", "endpoint": here}),
            "https://guard.test/moderations",
            json!({"results": [{"flagged": true, "categories": {"hate": true}}]}),
        ),
        row(
            json!({"kind": "lakera", "api_key": "k", "endpoint": here}),
            "https://guard.test/v2/guard",
            json!({"flagged": true}),
        ),
        row(
            safety("azure_content_safety"),
            "https://guard.test/contentsafety/text:shieldPrompt?api-version=2024-09-01",
            json!({"userPromptAnalysis": {"attackDetected": true},
                "documentsAnalysis": [{"attackDetected": true}]}),
        ),
        row(
            safety("azure_content_safety_text_moderation"),
            "https://guard.test/contentsafety/text:analyze?api-version=2024-09-01",
            json!({"categoriesAnalysis": [severity("Hate"), severity("Sexual"),
                severity("SelfHarm"), severity("Violence")]}),
        ),
        row(
            json!({"kind": "presidio", "analyzer_url": here, "anonymizer_url": here,
                "default_action": "block"}),
            "https://guard.test/analyze",
            json!([{"entity_type": "PERSON", "start": 0, "end": 2, "score": 0.9}]),
        ),
        row(
            json!({"kind": "bedrock", "guardrail_id": "g", "guardrail_version": "1",
                "region": "eu-west-1", "latency_mode": {"kind": "serial"},
                "aws_credentials": {"kind": "static", "access_key_id": "a", "secret_access_key": "s"}}),
            "https://bedrock-runtime.eu-west-1.amazonaws.com/guardrail/g/version/1/apply",
            json!({"action": "GUARDRAIL_INTERVENED", "outputs": [{"text": "Sorry."}],
                "assessments": [{"topicPolicy": {"topics": [{"action": "BLOCKED"}]}}]}),
        ),
    ]
}

/// A gateway with this row, and these fields over it.
fn peers(row: &Row, fields: &Value) -> Peers {
    let mut document = row.document.clone();
    let all = document.as_object_mut().unwrap();
    all.insert("name".to_owned(), json!("house rules"));
    all.extend(fields.as_object().unwrap().clone());
    Peers::with(Setup::new().add(Kind::Guardrail, "g", document))
}

fn message(what: &str) -> String {
    format!("{what} blocked by content policy (guardrail 'house rules')")
}

#[test]
fn there_is_a_row_for_every_kind_that_asks_a_service() {
    let hooks = aisix_hooks::hooks();
    let mut kinds: Vec<_> = hooks.describe().filter_map(|it| it.guardrail).collect();
    kinds.retain(|kind| !["keyword", "pii"].contains(kind));
    let mut tested: Vec<_> = rows()
        .iter()
        .map(|row| row.document["kind"].as_str().unwrap().to_owned())
        .collect();
    kinds.sort_unstable();
    tested.sort_unstable();
    assert_eq!(kinds, tested);
}

#[tokio::test]
async fn a_request_is_refused_in_its_dialect_and_goes_nowhere() {
    for row in rows() {
        for streams in [false, true] {
            for request in requests("hi", streams) {
                let what = format!("{} {}", row.document["kind"], request.uri());
                let peers = peers(&row, &json!({}));
                peers.says(&row.bad);
                let response = send(&peers.gateway, request).await;
                assert_eq!(response.status(), 422, "{what}");
                let answer = testing::json(response).await;
                assert_eq!(answer["error"]["message"], message("request"), "{what}");
                assert_eq!(peers.question().head.uri.to_string(), row.url, "{what}");
                assert!(peers.upstream.requests().is_empty(), "{what}");
            }
        }
    }
}

#[tokio::test]
async fn an_answer_is_refused_in_its_dialect_whole_or_as_a_stream() {
    for row in rows() {
        for streams in [false, true] {
            for request in requests("hi", streams) {
                let what = format!("{} {}", row.document["kind"], request.uri());
                let peers = peers(&row, &json!({"hook_point": "output"}));
                peers.says(&row.bad);
                peers.upstream.answer(match streams {
                    true => Answer::stream().role().content("Hello").finish().done(),
                    false => Answer::chat("Hello"),
                });
                let response = send(&peers.gateway, request).await;
                let expected = if streams { 200 } else { 422 };
                assert_eq!(response.status(), expected, "{what}");
                let answer = testing::text(response).await;
                assert!(answer.contains(&message("response")), "{what}: {answer}");
                assert!(!answer.contains("Hello"), "{what}: {answer}");
                assert_eq!(peers.question().head.uri.to_string(), row.url, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn one_that_monitors_refuses_nothing() {
    for row in rows() {
        let what = row.document["kind"].to_string();
        let peers = peers(&row, &json!({"enforcement_mode": "monitor"}));
        peers.says(&row.bad);
        peers.says(&row.bad);
        peers.upstream.answer(Answer::chat("Hello"));
        let response = send(&peers.gateway, testing::chat_request("hi")).await;
        let answer = testing::text(response).await;
        assert_eq!(answer, testing::chat_answer("Hello"), "{what}");
        let told = peers.mark("guardrail_would_block");
        assert_eq!(told.as_deref(), Some("house rules"), "{what}");
    }
}

#[tokio::test]
async fn what_becomes_of_failures_is_what_the_row_says() {
    for (fields, asked, answered) in [
        (json!({}), true, false),
        (
            json!({"fail_open": false, "output_fail_open": true}),
            false,
            true,
        ),
        (
            json!({"mandatory": true, "output_fail_open": true}),
            false,
            false,
        ),
    ] {
        for (point, passes) in [("input", asked), ("output", answered)] {
            for row in rows() {
                let mut fields = fields.clone();
                fields["hook_point"] = json!(point);
                let what = format!("{} {fields}", row.document["kind"]);
                let peers = peers(&row, &fields);
                peers.service.answer(Answer::unreachable());
                peers.upstream.answer(Answer::chat("Hello"));
                let response = send(&peers.gateway, testing::chat_request("hi")).await;
                let expected = if passes { 200 } else { 422 };
                assert_eq!(response.status(), expected, "{what}");
            }
        }
    }
}
