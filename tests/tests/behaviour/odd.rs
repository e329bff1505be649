//! What providers get wrong, and what callers must hear all the same.
//!
//! Callers of the provider's own dialect get its answer as it came, and are left out here.

use aisix_tests::upstream::{Answer, Flavour, Framing, Reply, message};
use serde_json::{Value, json};

use crate::{
    house::{Cell, run},
    provider::{ANTHROPIC, GEMINI, OPENAI, Provider},
    said::{Question, Stop, named},
};

/// Runs for those whose answers are translated.
async fn translated(provider: &Provider, behaviour: impl AsyncFn(&Cell<'_>)) {
    run(provider, async |cell| {
        if !cell.is_verbatim() {
            behaviour(cell).await;
        }
    })
    .await;
}

fn start() -> Value {
    let message = json!({"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 4, "output_tokens": 1}});
    json!({"type": "message_start", "message": message})
}

fn open(index: u64, block: Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn text(index: u64, text: &str) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": text}})
}

fn input(index: u64, piece: &str) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": {"type": "input_json_delta", "partial_json": piece}})
}

fn close(index: u64) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

fn end(reason: &str) -> [Value; 2] {
    let delta = json!({"stop_reason": reason, "stop_sequence": null});
    let end = json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 3}});
    [end, json!({"type": "message_stop"})]
}

fn call(id: &str) -> Value {
    json!({"type": "tool_use", "id": id, "name": "weather", "input": {}})
}

fn nothing() -> Value {
    json!({"type": "text", "text": ""})
}

/// The whole stream of a greeting, with these events before the `at`-th of its own.
fn greeting(at: usize, more: &[Value]) -> Reply {
    let mut events = vec![
        start(),
        open(0, nothing()),
        text(0, "Hel"),
        text(0, "lo"),
        close(0),
    ];
    events.extend(end("end_turn"));
    events.splice(at..at, more.iter().cloned());
    message::events(&events)
}

#[tokio::test]
async fn events_that_do_not_belong_there_are_passed_over() {
    translated(&ANTHROPIC, async |cell| {
        let unknown = json!({"type": "never_heard_of", "index": 0, "delta": {"text": "x"}});
        let usage = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}});
        let block = [open(1, json!({"type": "never_heard_of", "data": "x"})), close(1)];
        let table: [(&str, Reply); 5] = [
            ("two message_start", greeting(1, &[start()])),
            ("text after message_stop", greeting(7, &[text(0, "!")])),
            ("usage twice", greeting(5, &[usage])),
            ("an unknown event", greeting(2, &[unknown])),
            ("an unknown block", greeting(5, &block)),
        ];
        for (what, reply) in table {
            cell.replies(reply);
            let heard = cell.hear(&Question::new("hi")).await;
            assert_eq!((heard.said.text.as_str(), heard.broken), ("Hello", None), "{cell}: {what}");
            let output = heard.said.tokens.map(|tokens| tokens.output);
            assert_eq!(output, Some(3), "{cell}: {what}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_unknown_stop_reason_is_an_end() {
    translated(&ANTHROPIC, async |cell| {
        let mut events = vec![start(), open(0, nothing()), text(0, "Hello"), close(0)];
        events.extend(end("never_heard_of"));
        cell.replies(message::events(&events));
        let heard = cell.hear(&Question::new("hi")).await;
        assert_eq!(
            (heard.said.stop, heard.broken),
            (Some(Stop::End), None),
            "{cell}"
        );
    })
    .await;
}

#[tokio::test]
async fn calls_that_interleave_come_one_after_the_other() {
    let (one, two) = (json!({"city": "Paris"}), json!({"city": "Rome"}));
    let wanted = [("weather", &one), ("weather", &two)];
    translated(&OPENAI, async |cell| {
        let chunk = |delta: Value, finish: Value| {
            json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
                "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
        };
        let named_call = |index: u64, id: &str| {
            json!({"index": index, "id": id, "type": "function", "function": {"name": "weather", "arguments": ""}})
        };
        let piece = |index: u64, text: &str| json!({"index": index, "function": {"arguments": text}});
        let calls = [named_call(0, "a"), named_call(1, "b"), piece(1, "{\"city\":"), piece(0, "{\"city\":\"Pa"), piece(1, "\"Rome\"}"), piece(0, "ris\"}")];
        let mut events = vec![chunk(json!({"role": "assistant"}), Value::Null)];
        events.extend(calls.iter().map(|call| chunk(json!({"tool_calls": [call]}), Value::Null)));
        events.push(chunk(json!({}), json!("tool_calls")));
        cell.replies(Framing::default().reply(&events));
        let heard = cell.hear(&Question::new("hi").with_tools()).await;
        assert_eq!((named(&heard.said.calls).as_slice(), heard.broken), (wanted.as_slice(), None), "{cell}");
    })
    .await;
}

/// What Anthropic never does is not guessed at: half an answer that says so is better than a wrong one.
#[tokio::test]
async fn blocks_that_interleave_and_a_second_message_break_the_stream() {
    translated(&ANTHROPIC, async |cell| {
        let crossed = [
            start(),
            open(0, nothing()),
            open(1, call("b")),
            text(0, "Hel"),
            input(1, "{}"),
            close(1),
            close(0),
        ];
        let crossed = [crossed.as_slice(), &end("tool_use")].concat();
        for reply in [message::events(&crossed), greeting(3, &[start()])] {
            cell.replies(reply.clone());
            let response = cell
                .send(&Question {
                    streamed: true,
                    ..Question::new("hi")
                })
                .await;
            if response.status != 200 {
                assert_eq!(response.status, 502, "{cell}");
                continue;
            }
            let stream = response.text().await;
            let heard = cell.caller.stream(&stream, true);
            let heard = heard.unwrap_or_else(|wrong| panic!("{cell}: {wrong}\n{stream}"));
            assert!(
                heard.broken.is_some() && heard.said.stop.is_none(),
                "{cell}: {stream}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_block_that_is_never_closed_ends_with_the_answer() {
    translated(&ANTHROPIC, async |cell| {
        for (block, said) in [(nothing(), "text"), (call("a"), "call")] {
            let mut events = vec![start(), open(0, block)];
            events.push(if said == "text" {
                text(0, "Hello")
            } else {
                input(0, "{}")
            });
            events.extend(end("end_turn"));
            cell.replies(message::events(&events));
            let heard = cell.hear(&Question::new("hi").with_tools()).await;
            assert_eq!(heard.broken, None, "{cell}: {said}");
            assert_eq!(
                heard.said.text.as_str(),
                if said == "text" { "Hello" } else { "" },
                "{cell}"
            );
            assert_eq!(
                heard.said.calls.len(),
                usize::from(said == "call"),
                "{cell}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn arguments_that_are_nothing_are_an_empty_object() {
    translated(&OPENAI, async |cell| {
        for pieces in [&[""][..], &[]] {
            cell.replies(Answer::calling("call_1", "weather", pieces));
            for streamed in [false, true] {
                let question = Question {
                    streamed,
                    ..Question::new("hi").with_tools()
                };
                let said = cell.ask(&question).await;
                assert_eq!(
                    named(&said.calls),
                    [("weather", &json!({}))],
                    "{cell}, streamed: {streamed}"
                );
            }
        }
    })
    .await;
}

#[tokio::test]
async fn arguments_that_are_no_json_reach_the_caller_all_the_same() {
    const NONSENSE: &str = "{\"city\": Paris";
    translated(&OPENAI, async |cell| {
        cell.replies(Answer::calling(
            "call_1",
            "weather",
            &["{\"city\": Par", "is"],
        ));
        for streamed in [false, true] {
            let question = Question {
                streamed,
                ..Question::new("hi").with_tools()
            };
            // A stream has told half of them before anybody knows, where they are told in pieces.
            if streamed && cell.caller.name() == "messages" {
                let stream = cell.send(&question).await.text().await;
                assert!(
                    stream.contains("Par") && stream.contains("message_stop"),
                    "{cell}: {stream}"
                );
                continue;
            }
            let said = cell.ask(&question).await;
            let wrapped = json!({"arguments": NONSENSE});
            assert_eq!(
                named(&said.calls),
                [("weather", &wrapped)],
                "{cell}, streamed: {streamed}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_candidate_without_parts_is_an_end_without_words() {
    translated(&GEMINI, async |cell| {
        assert_eq!(cell.provider.flavour, Flavour::Gemini);
        let usage = json!({"promptTokenCount": 12, "thoughtsTokenCount": 3, "totalTokenCount": 15});
        for candidate in [
            json!({"finishReason": "MAX_TOKENS", "index": 0}),
            json!({"content": {"role": "model"}, "finishReason": "MAX_TOKENS"}),
        ] {
            cell.replies(Reply::json(
                &json!({"candidates": [candidate], "usageMetadata": usage, "modelVersion": "m"}),
            ));
            let said = cell.ask(&Question::new("hi")).await;
            assert_eq!(
                (said.text.as_str(), said.stop),
                ("", Some(Stop::Length)),
                "{cell}"
            );
        }
    })
    .await;
}
