//! An upstream of OpenAI or DeepSeek that says what a journey needs.

use serde_json::json;

use super::{
    Provider,
    facts::refusals,
    said::{Call, Said, TEXT, say},
};
use crate::upstream::{Answer, Flavour, Framing, Reply, Request, Script, Step, Upstream};

pub(super) async fn scripted(provider: Provider) -> Upstream {
    let upstream = Upstream::start(match provider {
        Provider::DeepSeek => Flavour::DeepSeek,
        _ => Flavour::OpenAi,
    })
    .await;
    say(&upstream, reply);
    upstream.on("embed", Answer::text(TEXT.iter().copied()));
    for (model, status) in refusals(provider) {
        let code = (model == "bad-400").then_some("context_length_exceeded");
        let refusal = Reply::error(
            status,
            "upstream_says_no",
            code,
            &format!("no, says {model}"),
        );
        let refusal = refusal.header("x-request-id", "req_upstream");
        upstream.on(
            model,
            if status == 429 {
                refusal.header("retry-after", "7")
            } else {
                refusal
            },
        );
    }
    upstream.on("fails-midway", Script::new(fails_midway));
    upstream.on("cut-midway", answer(&TEXT_ONLY).after(2, Step::Cut));
    upstream.on("stalls", answer(&TEXT_ONLY).after(2, Step::Stall));
    upstream.on("never", Reply::never());
    upstream
}

const TEXT_ONLY: Said = Said {
    thoughts: &[],
    text: TEXT,
    calls: &[],
};

fn reply(said: &Said, request: &Request) -> Reply {
    answer(said).reply_to(request)
}

fn answer(said: &Said) -> Answer {
    let answer = Answer::text(said.text.iter().copied()).reasoning(said.thoughts);
    let call =
        |answer: Answer, Call(id, name, arguments): &Call| answer.and_calling(id, name, arguments);
    said.calls.iter().fold(answer, call)
}

fn fails_midway(_: &Request) -> Reply {
    let events = [
        json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{"index": 0, "delta": {"content": "Hel"}, "finish_reason": null}]}),
        json!({"error": {"message": "the model broke down", "type": "server_error", "code": null}}),
    ];
    let framing = Framing {
        done: false,
        ..Framing::default()
    };
    framing.reply(&events)
}
