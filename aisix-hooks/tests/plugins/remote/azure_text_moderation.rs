use aisix_core::testing::{self, Answer, Gate, MODEL};
use serde_json::json;

use super::*;
use crate::ask::*;

const URL: &str = "https://guard.test/contentsafety/text:analyze?api-version=2024-09-01";

fn guard(settings: Value) -> Value {
    let defaults = json!({"api_key": "az-guard", "endpoint": "https://guard.test/"});
    element("azure_content_safety_text_moderation", defaults, settings)
}

fn severities(violence: u8) -> Value {
    json!({"blocklistsMatch": [], "categoriesAnalysis": [
        {"category": "Hate", "severity": 0}, {"category": "Sexual", "severity": 0},
        {"category": "SelfHarm", "severity": 0}, {"category": "Violence", "severity": violence}]})
}

fn conversation() -> Request<Body> {
    let body = json!({"model": MODEL, "messages": [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "yes"},
        {"role": "user", "content": [{"type": "text", "text": "two"}]},
    ]});
    testing::request("/v1/chat/completions", body.to_string())
}

#[tokio::test]
async fn the_question_is_that_of_the_documentation() {
    let settings = json!({"hook_point": "input", "blocklist_names": ["mine"]});
    let peers = Peers::new(guard(settings));
    peers.says(&severities(0));
    peers.upstream.answer(Answer::chat("hello"));
    assert_eq!(send(&peers.gateway, conversation()).await.status(), 200);
    assert_asked(
        &peers.question(),
        URL,
        &[("ocp-apim-subscription-key", "az-guard")],
        &json!({"text": "one\ntwo", "categories": ["Hate", "Sexual", "SelfHarm", "Violence"],
            "blocklistNames": ["mine"], "haltOnBlocklistHit": false,
            "outputType": "FourSeverityLevels"}),
    );
}

#[tokio::test]
async fn what_is_asked_is_what_the_settings_say() {
    let settings = json!({"hook_point": "input", "text_source": "concatenate_all_content",
        "categories": ["Violence"], "output_type": "EightSeverityLevels",
        "halt_on_blocklist_hit": true});
    let peers = Peers::new(guard(settings));
    peers.says(&severities(0));
    peers.upstream.answer(Answer::chat("hello"));
    assert_eq!(send(&peers.gateway, conversation()).await.status(), 200);
    let expected = json!({"text": "be kind\none\nyes\ntwo", "categories": ["Violence"],
        "haltOnBlocklistHit": true, "outputType": "EightSeverityLevels"});
    assert_eq!(peers.question().json(), expected);
}

#[tokio::test]
async fn the_users_texts_are_found_in_every_dialect() {
    for request in requests("hi", false) {
        let path = request.uri().path().to_owned();
        let peers = Peers::new(guard(json!({"hook_point": "input"})));
        peers.says(&severities(0));
        peers.upstream.answer(Answer::chat("hello"));
        assert_eq!(send(&peers.gateway, request).await.status(), 200, "{path}");
        assert_eq!(peers.question().json()["text"], "hi", "{path}");
    }
}

#[tokio::test]
async fn thresholds_and_blocklists_decide() {
    let hit = json!({"blocklistsMatch": [{"blocklistName": "mine", "blocklistItemId": "1",
        "blocklistItemText": "told"}], "categoriesAnalysis": []});
    let of = |category: &str| json!({category: 6});
    for (settings, answer, expected) in [
        (json!({}), severities(2), 422),
        (json!({}), severities(1), 200),
        (json!({"severity_threshold": 4}), severities(2), 200),
        (
            json!({"severity_threshold_by_category": of("Violence")}),
            severities(4),
            200,
        ),
        (
            json!({"severity_threshold_by_category": of("Violence")}),
            severities(6),
            422,
        ),
        (
            json!({"severity_threshold_by_category": of("Hate")}),
            severities(4),
            422,
        ),
        (json!({"categories": ["Hate"]}), severities(6), 200),
        (json!({}), hit, 422),
        (
            json!({"fail_open": false}),
            json!({"categoriesAnalysis": []}),
            422,
        ),
        (json!({"fail_open": false}), json!({}), 422),
    ] {
        let mut element = guard(settings);
        element["settings"]["hook_point"] = json!("input");
        let peers = Peers::new(element.clone());
        peers.says(&answer);
        peers.upstream.answer(Answer::chat("hello"));
        let response = send(&peers.gateway, testing::chat_request("hi")).await;
        assert_eq!(response.status(), expected, "{element} {answer}");
    }
}

#[tokio::test]
async fn long_texts_are_asked_about_in_windows_that_overlap() {
    let settings = json!({"hook_point": "input", "window_size": 4, "window_overlap_size": 1});
    let peers = Peers::new(guard(settings));
    peers.says(&severities(0));
    peers.says(&severities(0));
    peers.says(&severities(6));
    let response = send(&peers.gateway, testing::chat_request("äbcdefgh")).await;
    assert_eq!(response.status(), 422);
    let questions = peers.service.requests();
    let texts: Vec<_> = questions
        .iter()
        .map(|it| it.json()["text"].clone())
        .collect();
    assert_eq!(texts, ["äbcd", "defg", "gh"]);
}

#[tokio::test]
async fn four_questions_at_most_are_under_way() {
    let settings = json!({"hook_point": "input", "window_size": 1, "window_overlap_size": 0});
    let peers = Peers::new(guard(settings));
    let gate = Gate::new();
    let harmless = || Answer::json(200, &severities(0)).head_gate(&gate);
    let mut exchanges: Vec<_> = (0..6).map(|_| peers.service.answer(harmless())).collect();
    peers.upstream.answer(Answer::chat("hello"));
    let call = send(&peers.gateway, testing::chat_request("abcdef"));
    let seen = async {
        exchanges[3].request().await;
        tokio::task::yield_now().await;
        let seen = peers.service.requests().len();
        gate.open();
        seen
    };
    let (response, seen) = tokio::join!(call, seen);
    assert_eq!((response.status().as_u16(), seen), (200, 4));
    assert_eq!(peers.service.requests().len(), 6);
}

/// The settings of a guard on streams with a small window.
fn windows(settings: Value) -> Value {
    let mut element =
        guard(json!({"hook_point": "output", "window_size": 8, "window_overlap_size": 2}));
    for (name, value) in settings.as_object().unwrap() {
        element["settings"][name] = value.clone();
    }
    element
}

#[tokio::test]
async fn a_stream_goes_on_window_by_window() {
    for request in requests("hi", true) {
        let path = request.uri().path().to_owned();
        let peers = Peers::new(windows(json!({})));
        let gate = Gate::new();
        let stream = Answer::stream()
            .role()
            .content("abcd")
            .content("efghi")
            .gate(&gate);
        peers.upstream.answer(stream.content("jk").finish().done());
        peers.says(&severities(0));
        peers.says(&severities(0));
        peers.says(&severities(6));
        let mut body = send(&peers.gateway, request).await.into_body();
        let mut seen = String::new();
        while !seen.contains("efghi") {
            seen += &testing::next_text(&mut body).await.unwrap();
        }
        gate.open();
        while let Some(text) = testing::next_text(&mut body).await {
            seen += &text;
        }
        assert!(
            seen.contains("response blocked by content policy"),
            "{path}: {seen}"
        );
        assert!(!seen.contains("jk"), "{path}: {seen}");
        let questions = peers.service.requests();
        let texts: Vec<_> = questions
            .iter()
            .map(|it| it.json()["text"].clone())
            .collect();
        // Nine characters have come, one more than a window; the last two of them are asked about again.
        assert_eq!(texts[0], "abcdefgh", "{path}");
        assert_eq!(texts[1], "ghi", "{path}");
        assert!(
            texts[2].as_str().unwrap().starts_with("hijk"),
            "{path}: {texts:?}"
        );
    }
}

#[tokio::test]
async fn a_stream_may_be_asked_about_at_its_end() {
    let peers = Peers::new(windows(json!({"stream_processing_mode": "buffer_full"})));
    let stream = Answer::stream().role().content("abcd").content("efghi");
    peers.upstream.answer(stream.finish().done());
    peers.says(&severities(0));
    peers.says(&severities(6));
    let [request, ..] = requests("hi", true);
    let answer = testing::text(send(&peers.gateway, request).await).await;
    assert!(!answer.contains("abcd"), "{answer}");
    assert!(
        answer.contains("response blocked by content policy"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_window_that_becomes_too_large_is_judged_early() {
    // 8 characters are 32 bytes of text at most, and 512 bytes of events.
    let peers = Peers::new(windows(json!({"max_buffer_bytes": 1})));
    let pad = "-".repeat(300);
    let mut stream = Answer::stream().role();
    for text in ["a", "b", "c", "d"] {
        let event =
            json!({"choices": [{"index": 0, "delta": {"content": text}}], "pad": pad}).to_string();
        stream = stream.send(format!("data: {event}\n\n").into_bytes());
        peers.says(&severities(0));
    }
    peers.upstream.answer(stream.finish().done());
    let [request, ..] = requests("hi", true);
    let answer = testing::text(send(&peers.gateway, request).await).await;
    assert!(answer.ends_with("data: [DONE]\n\n"), "{answer}");
    let questions = peers.service.requests();
    let texts: Vec<_> = questions
        .iter()
        .map(|it| it.json()["text"].clone())
        .collect();
    assert_eq!(texts, ["ab", "abcd"]);
}

#[tokio::test]
async fn overlaps_of_many_texts_are_held_back_as_far_as_they_may() {
    let peers = Peers::new(windows(json!({"max_buffer_bytes": 1})));
    let choices = (0..40).map(|index| json!({"index": index, "delta": {"content": "ab"}}));
    let event = json!({"choices": choices.collect::<Vec<_>>()});
    let stream = Answer::stream().role();
    let stream = stream.send(format!("data: {event}\n\n").into_bytes());
    (0..4).for_each(|_| drop(peers.says(&severities(0))));
    peers.upstream.answer(stream.stall());
    let [request, ..] = requests("hi", true);
    let answer = testing::text(send(&peers.gateway, request).await).await;
    assert!(
        answer.contains("response blocked by content policy"),
        "{answer}"
    );
}
