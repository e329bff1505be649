//! An upstream of Gemini's own API that says what a journey needs.

use serde_json::{Value, json};

use super::{
    Provider,
    facts::refusals,
    said::{Call, Said, TEXT, say},
};
use crate::upstream::{
    Candidate, Flavour, Reply, Request, Script, Step, Upstream,
    candidate::{self, refusal, retry_info},
};

pub(super) async fn scripted() -> Upstream {
    let upstream = Upstream::start(Flavour::Gemini).await;
    say(&upstream, |said, request| {
        candidate(said, request).reply_to(request)
    });
    upstream.on("embed", Candidate::text(TEXT));
    for (model, status) in refusals(Provider::Gemini) {
        let word = match status {
            400 => "INVALID_ARGUMENT",
            403 => "PERMISSION_DENIED",
            404 => "NOT_FOUND",
            409 => "ABORTED",
            429 => "RESOURCE_EXHAUSTED",
            500 => "INTERNAL",
            _ => "UNAVAILABLE",
        };
        let details = match model {
            "key-401" => vec![json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "API_KEY_INVALID", "domain": "googleapis.com"})],
            "limited-429" => vec![retry_info("7s")],
            _ => Vec::new(),
        };
        upstream.on(
            model,
            refusal(status, word, &format!("no, says {model}"), &details),
        );
    }
    upstream.on("fails-midway", Script::new(fails_midway));
    upstream.on("stalls", Candidate::text(TEXT).after(1, Step::Stall));
    upstream.on("never", Reply::never());
    upstream
}

/// From the third generation on, the first call has a signature, without which it is not taken back.
fn candidate(said: &Said, request: &Request) -> Candidate {
    let signs = request.path.contains("/gemini-3-");
    let said_first = Candidate::text(&[])
        .and_thinking(said.thoughts)
        .and_text(said.text);
    said.calls
        .iter()
        .enumerate()
        .fold(said_first, |candidate, (index, Call(_, name, args))| {
            let args: Value = serde_json::from_str(&args.concat()).expect("arguments are JSON");
            let signature = (signs && index == 0).then_some("c2lnbmVk");
            candidate.and_calling(name, &args, signature)
        })
}

fn fails_midway(request: &Request) -> Reply {
    let model = request.model().unwrap_or_default();
    let text = json!({"content": {"role": "model", "parts": [{"text": "Hel"}]}, "index": 0});
    let events = [
        json!({"candidates": [text], "modelVersion": model, "responseId": "scripted"}),
        json!({"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}),
    ];
    match request.path.ends_with("?alt=sse") {
        true => candidate::events(&events),
        false => candidate::array(&events),
    }
}
