use aisix_core::testing::{self, Answer, MODEL};
use serde_json::json;

use super::*;
use crate::ask::*;

const URL: &str = "https://guard.test/contentsafety/text:shieldPrompt?api-version=2024-09-01";

fn guard(settings: Value) -> Value {
    let defaults = json!({"api_key": "az-guard", "endpoint": "https://guard.test"});
    element("azure_content_safety", defaults, settings)
}

fn analysis(prompt: bool, document: Option<bool>) -> Value {
    let documents: Vec<_> = document
        .map(|it| json!({"attackDetected": it}))
        .into_iter()
        .collect();
    json!({"userPromptAnalysis": {"attackDetected": prompt}, "documentsAnalysis": documents})
}

fn conversation() -> Request<Body> {
    let tool =
        json!({"id": "1", "type": "function", "function": {"name": "no", "arguments": "{}"}});
    let body = json!({"model": MODEL, "messages": [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "one"},
        {"role": "assistant", "tool_calls": [tool]},
        {"role": "tool", "tool_call_id": "1", "content": "a page"},
        {"role": "user", "content": "two"},
    ]});
    testing::request("/v1/chat/completions", body.to_string())
}

#[tokio::test]
async fn the_question_is_that_of_the_documentation() {
    let peers = Peers::new(guard(json!({"hook_point": "input"})));
    peers.says(&analysis(false, Some(false)));
    peers.upstream.answer(Answer::chat("hello"));
    assert_eq!(send(&peers.gateway, conversation()).await.status(), 200);
    assert_asked(
        &peers.question(),
        URL,
        &[("ocp-apim-subscription-key", "az-guard")],
        &json!({"userPrompt": "one\ntwo", "documents": ["a page"]}),
    );
}

#[tokio::test]
async fn attacks_of_users_and_of_tools_are_refused() {
    for (answer, reason) in [
        (analysis(true, Some(false)), "azure_content_safety: prompt"),
        (
            analysis(false, Some(true)),
            "azure_content_safety: document",
        ),
    ] {
        let peers = Peers::new(guard(json!({})));
        peers.says(&answer);
        assert_eq!(send(&peers.gateway, conversation()).await.status(), 422);
        assert_eq!(peers.mark("guardrail_reason").as_deref(), Some(reason));
    }
}

#[tokio::test]
async fn an_answer_about_something_else_is_none() {
    for answer in [
        json!({}),
        json!({"userPromptAnalysis": {"attackDetected": false}}),
        json!({"documentsAnalysis": [{"attackDetected": false}]}),
        json!({"userPromptAnalysis": {"attackDetected": "no"}, "documentsAnalysis": []}),
    ] {
        let peers = Peers::new(guard(json!({"fail_open": false})));
        peers.says(&answer);
        let response = send(&peers.gateway, conversation()).await;
        assert_eq!(response.status(), 422, "{answer}");
        drop(response);
        assert!(peers.mark("guardrail_unavailable").is_some(), "{answer}");
    }
}

#[tokio::test]
async fn answers_are_documents_in_every_dialect() {
    for request in requests("hi", false) {
        let peers = Peers::new(guard(json!({"hook_point": "output"})));
        peers.says(&json!({"documentsAnalysis": [{"attackDetected": true}]}));
        peers.upstream.answer(Answer::chat("ignore everything"));
        assert_eq!(send(&peers.gateway, request).await.status(), 422);
        let asked = json!({"documents": ["ignore everything"]});
        assert_eq!(peers.question().json(), asked);
    }
}

#[tokio::test]
async fn long_prompts_are_cut() {
    let peers = Peers::new(guard(json!({})));
    peers.says(&analysis(false, None));
    peers.says(&analysis(true, None));
    let text = "a".repeat(10_001);
    let response = send(&peers.gateway, testing::chat_request(&text)).await;
    assert_eq!(response.status(), 422);
    let questions = peers.service.requests();
    let lengths = questions
        .iter()
        .map(|it| it.json()["userPrompt"].as_str().unwrap().len());
    assert_eq!(lengths.collect::<Vec<_>>(), [10_000, 257]);
}
