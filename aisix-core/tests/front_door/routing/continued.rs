//! Streams that break after content, where another target goes on with the text.

use std::time::Duration;

use aisix_core::{
    Gateway,
    config::Config,
    explain::{Explainer, Question},
    testing::{self, Answer, Endings, Upstream, next_text},
    wire::Usage,
};
use serde_json::{Value, json};

use super::{
    dialects::{BOTH, Read, Speaks, registry},
    *,
};

const SECOND: Duration = Duration::from_secs(1);
const TEXTS: [&str; 3] = ["The quick ", "brown fox", " "];

/// A gateway whose first target speaks this dialect, and whose others go on with what was said.
fn gateway(first: Speaks, second: Speaks, upstream: &Upstream) -> (Gateway, Config, Endings) {
    gateway_with(json!({}), first, second, upstream)
}

/// The same, with members added to the routing.
fn gateway_with(
    mut routing: Value,
    first: Speaks,
    second: Speaks,
    upstream: &Upstream,
) -> (Gateway, Config, Endings) {
    routing["continue_on_break"] = json!(true);
    let members = |name: &str| {
        let provider = match (name, second) {
            ("a", _) => first.provider(),
            (_, Speaks::Chat) => "prefix",
            (_, Speaks::Messages) => "messages",
        };
        json!({"provider": provider, "stream_timeout": 30_000})
    };
    let endings = Endings::new();
    let setup = setup_with(routing, members);
    let config = setup.providers(registry()).config();
    let builder = Gateway::builder(config.clone()).transport(upstream.clone());
    let gateway = builder.observe(endings.clone()).build().unwrap();
    (gateway, config, endings)
}

async fn read(gateway: &Gateway, caller: Speaks) -> (Read, String) {
    let text = testing::text(send(gateway, caller.request()).await).await;
    (caller.read(&text), text)
}

/// The first stream, until the event with this number, and half of that.
fn begun(speaks: Speaks, until: usize, half: bool) -> Answer {
    let events = speaks.events("one", &TEXTS);
    let whole = events[..until].iter().cloned();
    let answer = whole.fold(Answer::stream(), Answer::send);
    match half {
        true => answer.send(events[until][..events[until].len() / 2].to_owned()),
        false => answer,
    }
}

#[tokio::test(start_paused = true)]
async fn another_target_goes_on_wherever_the_stream_breaks() {
    for caller in BOTH {
        for (first, second) in [
            (Speaks::Chat, Speaks::Chat),
            (Speaks::Chat, Speaks::Messages),
            (Speaks::Messages, Speaks::Chat),
            (Speaks::Messages, Speaks::Messages),
        ] {
            let preamble = first.preamble();
            for said in 1..=TEXTS.len() {
                for half in [false, true] {
                    for end in ["cut", "end", "error", "stall"] {
                        let case = format!("{caller:?} {first:?} {second:?} {said} {half} {end}");
                        let upstream = Upstream::new();
                        let begun = begun(first, preamble + said, half);
                        let begun = match end {
                            "cut" => begun.cut(),
                            "error" if !half => begun.send(first.error()),
                            "stall" => begun.stall(),
                            _ => begun,
                        };
                        upstream.answer_for("up-a", begun);
                        // It repeats all that was said, and goes on.
                        let before: String = TEXTS[..said].concat();
                        let again = second.stream("two", &[&before, "jumps", " over"]);
                        let short = second.stream("two", &["jumps", " over"]);
                        let repeats = before.len() >= 12;
                        upstream.answer_for("up-b", if repeats { again } else { short });
                        let (gateway, config, endings) = gateway(first, second, &upstream);
                        let (read, text) = read(&gateway, caller).await;
                        assert_eq!(read.text, format!("{before}jumps over"), "{case}: {text}");
                        assert!(read.is_done && !read.has_failed, "{case}: {text}");
                        assert_eq!((read.begun, read.finish.len()), (1, 1), "{case}: {text}");
                        assert_eq!(text.matches(": continued\n\n").count(), 1, "{case}: {text}");
                        assert_eq!(
                            text.matches("[DONE]").count(),
                            usize::from(caller == Speaks::Chat)
                        );
                        assert_eq!(asked(&upstream), ["a", "b"], "{case}");
                        // The text goes along without the white space at its end.
                        let last = upstream.last_request().json()["messages"].clone();
                        let last = last.as_array().unwrap().last().unwrap().clone();
                        let mut given = json!({"role": "assistant", "content": before.trim_end()});
                        if second == Speaks::Chat {
                            given["prefix"] = json!(true);
                        }
                        assert_eq!(last, given, "{case}");
                        // Each attempt has its own usage, and the reply that of both.
                        let usages: Vec<Usage> = endings
                            .records()
                            .iter()
                            .map(|it| it.usage.unwrap())
                            .collect();
                        let sum = usages[0] + usages[1];
                        let ending = endings.only();
                        assert_eq!(
                            (ending.word, ending.usage),
                            ("success", Some(sum)),
                            "{case}"
                        );
                        assert_eq!(
                            read.usage,
                            (sum.input_total(), sum.output_total()),
                            "{case}"
                        );
                        assert_eq!(under_way(&config), 0, "{case}");
                    }
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_goes_on_can_break_and_be_continued() {
    for caller in BOTH {
        let upstream = Upstream::new();
        upstream.answer_for("up-a", begun(Speaks::Chat, 3, false).cut());
        let events = Speaks::Messages.events("two", &["brown fox jumps", " over"]);
        let second = events[..5]
            .iter()
            .cloned()
            .fold(Answer::stream(), Answer::send);
        upstream.answer_for("up-b", second.wait(SECOND).cut());
        upstream.answer_for("up-c", Speaks::Messages.stream("three", &[" the dog"]));
        let (gateway, config, _) = gateway(Speaks::Chat, Speaks::Messages, &upstream);
        let (read, text) = read(&gateway, caller).await;
        assert_eq!(
            read.text, "The quick brown foxbrown fox jumps over the dog",
            "{text}"
        );
        assert_eq!(text.matches(": continued").count(), 2, "{text}");
        assert_eq!(under_way(&config), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn who_cannot_go_on_or_does_not_want_to_is_passed_over() {
    let upstream = Upstream::new();
    upstream.answer_for("up-a", begun(Speaks::Messages, 5, false).cut());
    upstream.answer_for("up-b", Answer::refusal(400, "no beginnings here"));
    upstream.answer_for("up-c", Speaks::Messages.stream("three", &["jumps"]));
    let (gateway, ..) = gateway(Speaks::Messages, Speaks::Messages, &upstream);
    let (told, _) = read(&gateway, Speaks::Messages).await;
    assert_eq!(told.text, "The quick brown foxjumps");

    // OpenAI's own dialect has no way to say it.
    let upstream = Upstream::new();
    upstream.answer_for("up-a", begun(Speaks::Chat, 3, false).cut());
    upstream.answer_for("up-c", Speaks::Messages.stream("three", &["jumps"]));
    let provider = |name: &str| match name {
        "c" => json!({"provider": "messages"}),
        _ => json!({}),
    };
    let setup = setup_with(json!({"continue_on_break": true}), provider).providers(registry());
    let (told, _) = read(&setup.gateway(&upstream), Speaks::Chat).await;
    assert_eq!(told.text, "The quick brown foxjumps");
    assert_eq!(asked(&upstream), ["a", "c"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_continued_where_it_is_not_safe_or_not_wanted() {
    let chat = |delta: Value| json!({"id": "one", "choices": [{"index": 0, "delta": delta}]});
    let call = json!([{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{"}}]);
    let other = json!({"id": "one", "choices": [{"index": 1, "delta": {"content": "other"}}]});
    let on = json!({"continue_on_break": true});
    let text = |answer: Answer| answer.content("The quick brown fox");
    let long = "x".repeat(300 * 1024);
    for (why, routing, answer, request) in [
        (
            "off",
            json!({}),
            text(Answer::stream()),
            Speaks::Chat.request(),
        ),
        (
            "a tool call",
            on.clone(),
            text(Answer::stream()).event(&chat(json!({"tool_calls": call}))),
            Speaks::Chat.request(),
        ),
        (
            "reasoning",
            on.clone(),
            Answer::stream().event(&chat(json!({"reasoning_content": "hm"}))),
            Speaks::Chat.request(),
        ),
        (
            "another choice",
            on.clone(),
            text(Answer::stream()).event(&other),
            Speaks::Chat.request(),
        ),
        (
            "the end",
            on.clone(),
            text(Answer::stream()).finish().cut(),
            Speaks::Chat.request(),
        ),
        (
            "too long",
            on.clone(),
            Answer::stream().content(&long),
            Speaks::Chat.request(),
        ),
        (
            "a beginning of the caller's",
            on.clone(),
            text(Answer::stream()),
            ask_group_with(&json!({"stream": true, "messages": [
                {"role": "user", "content": "hi"}, {"role": "assistant", "content": "Well,"},
            ]})),
        ),
        (
            "several answers",
            on.clone(),
            text(Answer::stream()),
            ask_group_with(&json!({"stream": true, "n": 2})),
        ),
        (
            "another dialect",
            on,
            text(Answer::stream()),
            testing::request(
                "/v1/responses",
                json!({"model": GROUP, "stream": true, "input": "hi"}).to_string(),
            ),
        ),
    ] {
        let upstream = Upstream::new();
        upstream.answer_for("up-a", answer.cut());
        // Either could go on.
        upstream.always("up-b", Speaks::Chat.stream("two", &["unwanted"]));
        upstream.always("up-c", Speaks::Messages.stream("three", &["unwanted"]));
        let provider = |name: &str| match name {
            "a" => json!({}),
            "b" => json!({"provider": "prefix"}),
            _ => json!({"provider": "messages"}),
        };
        let setup = setup_with(routing, provider).providers(registry());
        let text = testing::text(send(&setup.gateway(&upstream), request).await).await;
        assert!(text.contains("event: error\n"), "{why}: {text}");
        assert!(
            !text.contains("[DONE]") && !text.contains("continued"),
            "{why}: {text}"
        );
        assert_eq!(asked(&upstream), ["a"], "{why}");
    }
}

fn event(event: &Value) -> String {
    format!(
        "event: {}\ndata: {event}\n\n",
        event["type"].as_str().unwrap()
    )
}

fn block(index: u32, kind: &str) -> String {
    let block = match kind {
        "text" => json!({"type": "text", "text": ""}),
        _ => json!({"type": "thinking", "thinking": "", "signature": ""}),
    };
    event(&json!({"type": "content_block_start", "index": index, "content_block": block}))
}

fn delta(index: u32, delta: &Value) -> String {
    event(&json!({"type": "content_block_delta", "index": index, "delta": delta}))
}

fn stop(index: u32) -> String {
    event(&json!({"type": "content_block_stop", "index": index}))
}

#[tokio::test(start_paused = true)]
async fn a_text_goes_on_in_its_block_and_a_second_one_is_not_continued() {
    let upstream = Upstream::new();
    upstream.answer_for("up-a", begun(Speaks::Messages, 5, false).cut());
    upstream.answer_for("up-b", Speaks::Messages.stream("two", &["jumps"]));
    let (gateway, ..) = gateway(Speaks::Messages, Speaks::Messages, &upstream);
    let (told, text) = read(&gateway, Speaks::Messages).await;
    assert_eq!((told.is_done, told.blocks), (true, 1), "{text}");

    let upstream = Upstream::new();
    let second = [stop(0), block(1, "text")].into_iter();
    let answer = second.fold(begun(Speaks::Messages, 5, false), Answer::send);
    upstream.answer_for("up-a", answer.cut());
    let (gateway, ..) = self::gateway(Speaks::Messages, Speaks::Messages, &upstream);
    let (told, text) = read(&gateway, Speaks::Messages).await;
    assert!(told.has_failed, "{text}");
    assert_eq!(asked(&upstream), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_repeated_behind_thoughts_is_left_out_too() {
    let upstream = Upstream::new();
    upstream.answer_for("up-a", begun(Speaks::Messages, 5, false).cut());
    let events = Speaks::Messages.events("two", &["unused"]);
    let thoughts = json!({"type": "thinking_delta", "thinking": "Where was I?"});
    let text = json!({"type": "text_delta", "text": "quick brown fox jumps"});
    let body = [block(0, "thinking"), delta(0, &thoughts), stop(0)];
    let body = body
        .into_iter()
        .chain([block(1, "text"), delta(1, &text), stop(1)]);
    let (head, tail) = (events[..1].iter().cloned(), events[5..].iter().cloned());
    let answer = head.chain(body).chain(tail);
    upstream.answer_for("up-b", answer.fold(Answer::stream(), Answer::send));
    let (gateway, ..) = gateway(Speaks::Messages, Speaks::Messages, &upstream);
    let (told, text) = read(&gateway, Speaks::Chat).await;
    assert_eq!(
        (told.text.as_str(), told.is_done),
        ("The quick brown fox jumps", true),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn who_cannot_go_on_is_not_asked_again_either() {
    for (provider, by) in [("plain", vec!["a", "b"]), ("prefix", vec!["a", "a"])] {
        let upstream = Upstream::new();
        upstream.answer_for("up-a", begun(Speaks::Chat, 3, false).cut());
        upstream.answer_for("up-a", Speaks::Chat.stream("two", &["jumps"]));
        upstream.answer_for("up-b", Speaks::Messages.stream("two", &["jumps"]));
        let members = |name: &str| match name {
            "a" => json!({"provider": provider, "retries": 1}),
            _ => json!({"provider": "messages"}),
        };
        let routing = json!({"continue_on_break": true});
        let setup = setup_with(routing, members).providers(registry());
        let (told, text) = read(&setup.gateway(&upstream), Speaks::Chat).await;
        assert!(told.is_done, "{text}");
        assert_eq!(told.text, "The quick brown foxjumps");
        assert_eq!(asked(&upstream), by);
    }
}

#[tokio::test(start_paused = true)]
async fn what_grows_too_long_at_a_second_target_is_not_continued_again() {
    let long = "x".repeat(300 * 1024);
    let upstream = Upstream::new();
    upstream.answer_for("up-a", begun(Speaks::Chat, 3, false).cut());
    let events = Speaks::Messages.events("two", &[&long, " over"]);
    let second = events[..5].iter().cloned();
    let second = second.fold(Answer::stream(), Answer::send);
    upstream.answer_for("up-b", second.cut());
    upstream.always("up-c", Speaks::Messages.stream("three", &["unwanted"]));
    let (gateway, config, _) = gateway(Speaks::Chat, Speaks::Messages, &upstream);
    let (read, _) = read(&gateway, Speaks::Chat).await;
    assert!(read.text == format!("The quick brown fox{long} over"));
    assert!(read.has_failed && !read.is_done);
    assert_eq!(asked(&upstream), ["a", "b"]);
    assert_eq!(under_way(&config), 0);
}

#[tokio::test(start_paused = true)]
async fn explanations_tell_who_would_go_on() {
    for (on, streams, expected) in [
        (true, true, [false, true]),
        (true, false, [false, false]),
        (false, true, [false, false]),
    ] {
        let targets = json!([{"model": "a"}, {"model": "b"}]);
        let routing = json!({"continue_on_break": on, "targets": targets});
        let provider = |name: &str| match name {
            "b" => json!({"provider": "messages"}),
            _ => json!({}),
        };
        let setup = setup_with(routing, provider).providers(registry());
        let question = Question::new().key(testing::API_KEY).model(GROUP);
        let question = question.body(chat_body(&json!({"model": GROUP, "stream": streams})));
        let explainer = Explainer::new(setup.builder(&Upstream::new()));
        let told = explainer.explain(question).await.unwrap();
        let continues: Vec<_> = told.targets.iter().map(|it| it.continues).collect();
        assert_eq!(continues, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn when_nobody_goes_on_the_caller_is_told() {
    for caller in BOTH {
        let upstream = Upstream::new();
        upstream.answer_for("up-a", begun(Speaks::Chat, 3, false).cut());
        for target in ["up-b", "up-c"] {
            upstream.always(target, Answer::refusal(500, "no"));
        }
        let (gateway, config, endings) = gateway(Speaks::Chat, Speaks::Messages, &upstream);
        let (read, text) = read(&gateway, caller).await;
        assert_eq!(read.text, "The quick brown fox", "{text}");
        assert!(read.has_failed && !read.is_done, "{text}");
        assert_eq!(endings.only().word, "failed");
        assert_eq!(under_way(&config), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_may_leave_at_the_seam() {
    for second in [
        Answer::stream().head_stall(),
        Answer::stream().stall(),
        Speaks::Messages.stream("two", &["jumps"]).stall(),
    ] {
        let upstream = Upstream::new();
        upstream.answer_for("up-a", begun(Speaks::Chat, 3, false).cut());
        upstream.answer_for("up-b", second);
        let (gateway, config, endings) = gateway(Speaks::Chat, Speaks::Messages, &upstream);
        let mut body = send(&gateway, Speaks::Chat.request()).await.into_body();
        while upstream.requests().len() < 2 {
            let next = tokio::time::timeout(SECOND / 10, next_text(&mut body));
            next.await.ok();
        }
        assert_eq!(under_way(&config), 1);
        drop(body);
        assert_eq!(under_way(&config), 0);
        assert_eq!(endings.all().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn another_target_goes_on_with_who_was_faster() {
    let broken = |speaks: Speaks, answer: Answer| {
        let events = speaks.events("one", &TEXTS);
        let begun = events.into_iter().take(speaks.preamble() + 2);
        begun.fold(answer, Answer::send).cut()
    };
    let next = Speaks::Messages;
    let goes_on = || next.stream("two", &["The quick brown fox", " jumps"]);
    let routing = json!({"hedging": {"max_extra_share": 1}});
    for caller in BOTH {
        for is_silent in [true, false] {
            let case = format!("{caller:?} {is_silent}");
            let upstream = Upstream::new();
            let late = || Answer::stream().head_after(90 * SECOND);
            let (who, kinds) = match is_silent {
                // The answer begins with heartbeats, then the first is faster, and breaks.
                true => {
                    let silent = Answer::stream().wait(20 * SECOND);
                    upstream.answer_for("up-a", broken(Speaks::Chat, silent));
                    upstream.answer_for("up-b", late());
                    upstream.answer_for("up-b", goes_on());
                    (["a", "b", "b"], ["hedge", "initial", "fallback"])
                }
                // The second is faster, and breaks.
                false => {
                    upstream.answer_for("up-a", late());
                    upstream.answer_for("up-b", broken(next, Answer::stream()));
                    upstream.answer_for("up-c", goes_on());
                    (["a", "b", "c"], ["initial", "hedge", "fallback"])
                }
            };
            let (gateway, config, endings) =
                gateway_with(routing.clone(), Speaks::Chat, next, &upstream);
            let (read, text) = read(&gateway, caller).await;
            assert_eq!(read.text, "The quick brown fox jumps", "{case}: {text}");
            assert!(read.is_done && !read.has_failed, "{case}: {text}");
            assert_eq!((read.begun, read.finish.len()), (1, 1), "{case}: {text}");
            assert_eq!(text.starts_with(":\n\n"), is_silent, "{case}: {text}");
            assert_eq!(asked(&upstream), who, "{case}");
            let records = endings.records();
            let ended: Vec<_> = records.iter().map(|it| it.kind.as_str()).collect();
            assert_eq!(ended, kinds, "{case}");
            let abandoned: Vec<_> = records.iter().map(|it| it.abandoned).collect();
            assert_eq!(abandoned, [true, false, false], "{case}");
            assert_eq!(endings.only().word, "success", "{case}");
            assert_eq!(under_way(&config), 0, "{case}");
        }
    }
}
