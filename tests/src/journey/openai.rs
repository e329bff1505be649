//! An upstream of OpenAI or DeepSeek that says what a journey needs.

use serde_json::json;

use super::{
    Provider,
    facts::refusals,
    said::{Call, Said, TEXT, say},
};
use crate::upstream::{
    Answer, Flavour, Framing, Output, Reply, Request, Script, Step, Upstream, message,
};

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
    let text = || Answer::text(TEXT.iter().copied());
    upstream.on("cut-midway", text().after(2, Step::Cut));
    let stalls = move |request: &Request| match of_responses(request) {
        true => Output::text(TEXT).after(5, Step::Stall).reply_to(request),
        false => text().after(2, Step::Stall).reply_to(request),
    };
    upstream.on("stalls", Script::new(stalls));
    upstream.on("never", Reply::never());
    upstream
}

fn of_responses(request: &Request) -> bool {
    request.path.ends_with("/responses")
}

fn reply(said: &Said, request: &Request) -> Reply {
    match of_responses(request) {
        true => output(said).reply_to(request),
        false => answer(said).reply_to(request),
    }
}

fn output(said: &Said) -> Output {
    let thinking = match said.thoughts {
        [] => Output::nothing(),
        thoughts => Output::nothing().and_thinking(thoughts),
    };
    let text = match said.text {
        [] => thinking,
        text => thinking.and_text(text),
    };
    let call =
        |output: Output, Call(id, name, arguments): &Call| output.and_calling(id, name, arguments);
    said.calls.iter().fold(text, call)
}

fn answer(said: &Said) -> Answer {
    let answer = Answer::text(said.text.iter().copied()).reasoning(said.thoughts);
    let call =
        |answer: Answer, Call(id, name, arguments): &Call| answer.and_calling(id, name, arguments);
    said.calls.iter().fold(answer, call)
}

fn fails_midway(request: &Request) -> Reply {
    if of_responses(request) {
        let mut events = Output::text(TEXT).events(&request.json());
        // The first piece of text is the fifth event.
        events.truncate(5);
        events.push(
            json!({"type": "error", "code": "server_error", "message": "the model broke down",
            "param": null, "sequence_number": 5}),
        );
        return message::events(&events);
    }
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
