//! An upstream of Anthropic that says what a journey needs.

use serde_json::json;

use super::{
    Provider,
    facts::refusals,
    said::{Call, Said, TEXT, say},
};
use crate::upstream::{Flavour, Message, Reply, Request, Step, Upstream, message};

pub(super) async fn scripted() -> Upstream {
    let upstream = Upstream::start(Flavour::Anthropic).await;
    say(&upstream, reply);
    for (model, status) in refusals(Provider::Anthropic) {
        let kind = match status {
            400 => "invalid_request_error",
            401 => "authentication_error",
            402 => "billing_error",
            403 => "permission_error",
            404 => "not_found_error",
            429 => "rate_limit_error",
            529 => "overloaded_error",
            _ => "api_error",
        };
        let refusal = message::refusal(status, kind, &format!("no, says {model}"));
        upstream.on(
            model,
            if status == 429 {
                refusal.header("retry-after", "7")
            } else {
                refusal
            },
        );
    }
    let start = json!({"id": "m", "type": "message", "role": "assistant", "model": "fails-midway", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 4, "output_tokens": 1}});
    let events = [
        json!({"type": "message_start", "message": start}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}}),
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
    ];
    upstream.on("fails-midway", message::events(&events));
    upstream.on("stalls", Message::text(TEXT).after(4, Step::Stall));
    upstream.on("never", Reply::never());
    upstream
}

fn reply(said: &Said, request: &Request) -> Reply {
    if request.path.contains("/count_tokens") {
        return Reply::json(&json!({"input_tokens": 12})).header("request-id", "req_scripted");
    }
    let first = match said.thoughts {
        [] => Message::nothing(),
        thoughts => Message::thinking(thoughts, "c2lnbmVk"),
    };
    let text = match said.text {
        [] => first,
        text => first.and_text(text),
    };
    let call =
        |message: Message, Call(id, name, input): &Call| message.and_calling(id, name, input);
    said.calls.iter().fold(text, call).reply_to(request)
}
