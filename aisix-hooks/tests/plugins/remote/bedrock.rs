use aisix_core::testing::{self, Answer, MODEL};
use serde_json::json;

use super::*;
use crate::ask::*;

const URL: &str =
    "https://bedrock-runtime.eu-west-1.amazonaws.com/guardrail/gr1/version/DRAFT/apply";

fn guard(settings: Value) -> Value {
    let defaults = json!({"guardrail_id": "gr1", "guardrail_version": "DRAFT", "region": "eu-west-1",
        "aws_credentials": {"kind": "static", "access_key_id": "AKID", "secret_access_key": "hidden"},
        "latency_mode": {"kind": "serial"}, "hook_point": "input"});
    element("bedrock_guardrail", defaults, settings)
}

fn intervened(outputs: &[&str], assessment: Value) -> Value {
    let outputs: Vec<_> = outputs.iter().map(|text| json!({"text": text})).collect();
    json!({"usage": {"topicPolicyUnits": 1}, "action": "GUARDRAIL_INTERVENED",
        "actionReason": "told", "outputs": outputs, "assessments": [assessment]})
}

fn anonymized() -> Value {
    json!({"sensitiveInformationPolicy": {"regexes": [], "piiEntities": [
        {"match": "Jo", "type": "NAME", "action": "ANONYMIZED", "detected": true}]}})
}

fn two_messages() -> Request<Body> {
    let messages =
        json!([{"role": "user", "content": "I am Jo"}, {"role": "user", "content": "hi"}]);
    let body = json!({"model": MODEL, "messages": messages});
    testing::request("/v1/chat/completions", body.to_string())
}

#[tokio::test]
async fn the_question_is_that_of_the_documentation_and_signed() {
    let peers = Peers::new(guard(json!({})));
    peers.says(&json!({"usage": {}, "action": "NONE", "outputs": [], "assessments": []}));
    peers.upstream.answer(Answer::chat("hello"));
    assert_eq!(send(&peers.gateway, two_messages()).await.status(), 200);
    let question = peers.question();
    let date = question.header("x-amz-date").unwrap();
    let authorization = question.header("authorization").unwrap();
    let scope = format!("{}/eu-west-1/bedrock/aws4_request", &date[..8]);
    let expected = format!(
        "AWS4-HMAC-SHA256 Credential=AKID/{scope}, SignedHeaders=content-type;host;x-amz-date, Signature="
    );
    let signature = authorization.strip_prefix(&expected).unwrap();
    assert_eq!(signature.len(), 64);
    assert_asked(
        &question,
        URL,
        &[("x-amz-date", date), ("authorization", authorization)],
        &json!({"source": "INPUT", "content": [
            {"text": {"text": "I am Jo"}}, {"text": {"text": "hi"}}]}),
    );
}

#[tokio::test]
async fn a_guardrail_may_be_named_by_its_arn() {
    let arn = "arn:aws:bedrock:eu-west-1:123456789012:guardrail/gr1";
    let peers = Peers::new(guard(json!({"guardrail_id": arn})));
    peers.says(&json!({"action": "NONE"}));
    peers.upstream.answer(Answer::chat("hello"));
    assert_eq!(send(&peers.gateway, two_messages()).await.status(), 200);
    let escaped = "arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012%3Aguardrail%2Fgr1";
    let url = URL.replace("gr1", escaped);
    assert_eq!(peers.question().head.uri.to_string(), url);
}

#[tokio::test]
async fn what_is_blocked_is_refused_and_so_is_what_cannot_be_told_from_it() {
    let blocked = |policy: &str, list: &str| json!({policy: {list: [{"action": "BLOCKED"}]}});
    let mut both = anonymized();
    both["wordPolicy"] = json!({"customWords": [{"match": "x", "action": "BLOCKED"}]});
    for assessment in [
        blocked("topicPolicy", "topics"),
        blocked("contentPolicy", "filters"),
        blocked("wordPolicy", "managedWordLists"),
        blocked("sensitiveInformationPolicy", "piiEntities"),
        both,
        json!({}),
        json!(1),
    ] {
        let peers = Peers::new(guard(json!({})));
        peers.says(&intervened(&["Sorry."], assessment.clone()));
        let response = send(&peers.gateway, testing::chat_request("hi")).await;
        assert_eq!(response.status(), 422, "{assessment}");
        drop(response);
        assert!(peers.mark("guardrail_blocked").is_some(), "{assessment}");
    }
}

#[tokio::test]
async fn what_was_taken_out_is_taken_out() {
    let peers = Peers::new(guard(json!({})));
    peers.says(&intervened(&["I am {NAME}", "hi"], anonymized()));
    peers.upstream.answer(Answer::chat("hello"));
    assert_eq!(send(&peers.gateway, two_messages()).await.status(), 200);
    let sent = peers.upstream.last_request().json();
    let texts = ["I am {NAME}", "hi"];
    assert_eq!(
        [
            &sent["messages"][0]["content"],
            &sent["messages"][1]["content"]
        ],
        texts
    );
    assert_eq!(peers.service.requests().len(), 1);
}

#[tokio::test]
async fn texts_that_came_back_as_one_are_asked_about_alone() {
    let peers = Peers::new(guard(json!({})));
    peers.says(&intervened(&["I am {NAME} hi"], anonymized()));
    peers.says(&intervened(&["I am {NAME}"], anonymized()));
    peers.says(&json!({"action": "NONE", "outputs": [], "assessments": []}));
    peers.upstream.answer(Answer::chat("hello"));
    assert_eq!(send(&peers.gateway, two_messages()).await.status(), 200);
    let sent = peers.upstream.last_request().json();
    let texts = ["I am {NAME}", "hi"];
    assert_eq!(
        [
            &sent["messages"][0]["content"],
            &sent["messages"][1]["content"]
        ],
        texts
    );
}

#[tokio::test]
async fn answers_are_output() {
    let peers = Peers::new(guard(json!({"hook_point": "output"})));
    peers.says(&intervened(&["I am {NAME}"], anonymized()));
    peers.upstream.answer(Answer::chat("I am Jo"));
    let response = send(&peers.gateway, testing::chat_request("hi")).await;
    assert_eq!(
        testing::text(response).await,
        testing::chat_answer("I am {NAME}")
    );
    let expected = json!({"source": "OUTPUT", "content": [{"text": {"text": "I am Jo"}}]});
    assert_eq!(peers.question().json(), expected);
}

#[tokio::test(start_paused = true)]
async fn how_long_it_waits_is_said_by_its_mode() {
    for (mode, wait, expected) in [
        (json!({"kind": "timed", "timeout_ms": 300}), 299, 422),
        (json!({"kind": "timed", "timeout_ms": 300}), 301, 200),
        (json!({"kind": "serial"}), 59_000, 422),
        (json!({"kind": "serial"}), 61_000, 200),
    ] {
        let peers = Peers::new(guard(json!({"latency_mode": mode})));
        let blocked = Answer::json(200, &intervened(&["Sorry."], json!({})));
        let wait = std::time::Duration::from_millis(wait);
        peers.service.answer(blocked.head_after(wait));
        peers.upstream.answer(Answer::chat("hello"));
        let response = send(&peers.gateway, testing::chat_request("hi")).await;
        assert_eq!(response.status(), expected, "{wait:?}");
    }
}

#[test]
fn settings_are_checked() {
    for (settings, expected) in [
        (
            json!({"guardrail_id": "a?b"}),
            "`plugins[0].settings.guardrail_id` may have letters",
        ),
        (
            json!({"guardrail_version": "1/b"}),
            "`plugins[0].settings.guardrail_version` may have letters",
        ),
        (
            json!({"region": "a.evil.test/"}),
            "`plugins[0].settings.region` may have letters",
        ),
        (
            json!({"latency_mode": {"kind": "timed", "timeout_ms": 99}}),
            "`plugins[0].settings.latency_mode",
        ),
        (
            json!({"aws_credentials": {"kind": "role"}}),
            "`plugins[0].settings.aws_credentials",
        ),
    ] {
        let said = wrong(json!([guard(settings)]));
        assert!(said.contains(expected), "{said}");
    }
}
