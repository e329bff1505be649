//! Streams that fail when nothing but heartbeats has gone out.

use std::time::Duration;

use aisix_core::{
    ErrorKind, Gateway,
    config::Config,
    testing::{self, Answer, Ended, Ending, Endings, Gate, Setup, Upstream, chunk, next_text},
    upstream::Settings,
    wire::Usage,
};
use serde_json::json;
use tokio::time::Instant;

use super::{
    dialects::{BOTH, Speaks, registry},
    *,
};

const SECOND: Duration = Duration::from_secs(1);

/// A gateway whose targets speak these dialects, its configuration, and what is told of its requests.
fn gateway(routing: Value, speak: [Speaks; 3], upstream: &Upstream) -> (Gateway, Config, Endings) {
    let members = |name: &str| {
        let place = ["a", "b", "c"].iter().position(|it| *it == name).unwrap();
        json!({"provider": speak[place].provider(), "stream_timeout": 30_000})
    };
    let settings = Settings {
        first_token_timeout: Some(60 * SECOND),
        ..Settings::default()
    };
    watched(setup_with(routing, members).upstream(settings), upstream)
}

fn watched(setup: Setup, upstream: &Upstream) -> (Gateway, Config, Endings) {
    let endings = Endings::new();
    let config = setup.providers(registry()).config();
    let builder = Gateway::builder(config.clone()).transport(upstream.clone());
    let gateway = builder.observe(endings.clone()).build().unwrap();
    (gateway, config, endings)
}

fn kinds(endings: &Endings) -> Vec<Option<ErrorKind>> {
    endings.attempts()
}

#[tokio::test(start_paused = true)]
async fn whatever_fails_after_heartbeats_another_target_takes_over_unseen() {
    for caller in BOTH {
        for (first, second) in [
            (Speaks::Chat, Speaks::Chat),
            (Speaks::Chat, Speaks::Messages),
            (Speaks::Messages, Speaks::Chat),
            (Speaks::Messages, Speaks::Messages),
        ] {
            let events = first.events("one", &["lost"]);
            // After each event that says nothing, and in the middle of it.
            for said in 0..=first.preamble() {
                let begun = || {
                    let events = events[..said].iter().cloned();
                    events
                        .fold(Answer::stream(), Answer::send)
                        .wait(20 * SECOND)
                };
                let half = &events[said][..events[said].len() / 2];
                for (failure, kind) in [
                    (begun().cut(), ErrorKind::Aborted),
                    (begun(), ErrorKind::Aborted),
                    (begun().send(half.to_owned()).cut(), ErrorKind::Aborted),
                    (begun().send(half.to_owned()), ErrorKind::Aborted),
                    (begun().send(first.error()), ErrorKind::Upstream),
                    (begun().send("data: nonsense\n\n"), ErrorKind::Decode),
                    (begun().stall(), ErrorKind::Timeout),
                ] {
                    let case = format!("{caller:?} {first:?} {second:?} {said} {failure:?}");
                    let upstream = Upstream::new();
                    upstream.answer_for("up-a", failure);
                    upstream.answer_for("up-b", second.stream("two", &["Hel", "lo"]));
                    let speak = [first, second, Speaks::Chat];
                    let (gateway, config, endings) = gateway(json!({}), speak, &upstream);

                    let response = send(&gateway, caller.request()).await;
                    assert_eq!(header(&response, "x-aisix-served-by"), "a", "{case}");
                    assert_eq!(header(&response, "x-aisix-attempts"), "1", "{case}");
                    let stream = testing::text(response).await;
                    assert!(stream.starts_with(":\n\n"), "{case}: {stream}");
                    let read = caller.read(&stream);
                    assert_eq!((&*read.text, read.begun), ("Hello", 1), "{case}: {stream}");
                    assert!(read.is_done && !read.has_failed, "{case}: {stream}");
                    assert_eq!(asked(&upstream), ["a", "b"], "{case}");
                    assert_eq!(kinds(&endings), [Some(kind), None], "{case}");
                    assert_eq!(endings.only().word, "success", "{case}");
                    assert_eq!(under_way(&config), 0, "{case}");
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_token_that_does_not_come_in_time_is_a_failure_too() {
    let upstream = Upstream::new();
    let pings = |answer: Answer| answer.wait(10 * SECOND).send(": still here\n\n");
    let pings = (0..9).fold(Answer::stream(), |answer, _| pings(answer));
    upstream.answer_for("up-a", pings.content("late").finish().done());
    upstream.answer_for("up-b", Speaks::Chat.stream("two", &["in time"]));
    let (gateway, _, endings) = gateway(json!({}), [Speaks::Chat; 3], &upstream);
    let began = Instant::now();
    let read =
        Speaks::Chat.read(&testing::text(send(&gateway, Speaks::Chat.request()).await).await);
    assert_eq!(began.elapsed(), 60 * SECOND);
    assert_eq!(read.text, "in time");
    assert_eq!(kinds(&endings), [Some(ErrorKind::Timeout), None]);
}

#[tokio::test(start_paused = true)]
async fn heartbeats_go_on_while_the_others_are_tried() {
    let upstream = Upstream::new();
    // 20 s until it breaks, 25 s until the next one refuses, 14 s until the last one has a head, 14 s of silence.
    upstream.answer_for("up-a", Answer::stream().role().wait(20 * SECOND).cut());
    upstream.answer_for("up-b", Answer::refusal(500, "no").head_after(25 * SECOND));
    let answer = Answer::stream().head_after(14 * SECOND);
    let answer = answer.wait(14 * SECOND).content("hello");
    upstream.answer_for("up-c", answer.finish().done());
    let (gateway, config, endings) = gateway(json!({}), [Speaks::Chat; 3], &upstream);
    let began = Instant::now();
    let mut body = send(&gateway, Speaks::Chat.request()).await.into_body();
    let (mut spoke, mut text) = (began, String::new());
    while let Some(next) = next_text(&mut body).await {
        assert!(spoke.elapsed() <= 15 * SECOND, "{:?}", spoke.elapsed());
        spoke = Instant::now();
        text += &next;
    }
    assert_eq!(began.elapsed(), 73 * SECOND);
    let read = Speaks::Chat.read(&text);
    assert_eq!((&*read.text, read.beats()), ("hello", 4), "{text}");
    assert_eq!(kinds(&endings).len(), 3);
    drop(body);
    assert_eq!(under_way(&config), 0);
}

#[tokio::test(start_paused = true)]
async fn one_that_takes_over_can_be_taken_over_and_asked_again() {
    let upstream = Upstream::new();
    let silent = || Answer::stream().role().wait(20 * SECOND).cut();
    upstream.answer_for("up-a", silent());
    upstream.answer_for("up-a", silent());
    upstream.answer_for("up-b", silent());
    upstream.answer_for("up-b", Speaks::Chat.stream("four", &["hello"]));
    let routing = json!({"retries": 1});
    let (gateway, _, endings) = gateway(routing, [Speaks::Chat; 3], &upstream);
    let read =
        Speaks::Chat.read(&testing::text(send(&gateway, Speaks::Chat.request()).await).await);
    assert_eq!((&*read.text, read.begun), ("hello", 1));
    assert_eq!(asked(&upstream), ["a", "a", "b", "b"]);
    let kinds: Vec<_> = endings
        .records()
        .iter()
        .map(|it| it.kind.as_str())
        .collect();
    assert_eq!(kinds, ["initial", "retry", "fallback", "retry"]);
}

#[tokio::test(start_paused = true)]
async fn a_model_that_stands_for_itself_is_asked_again() {
    let upstream = Upstream::new();
    upstream.answer(Answer::stream().role().wait(20 * SECOND).cut());
    upstream.answer(Answer::stream().content("hello").finish().done());
    let text = testing::text(stream(&testing::gateway(&upstream)).await).await;
    let begins = format!(":\n\n{}", chunk("hello"));
    assert!(text.starts_with(&begins), "{text}");
    assert_eq!(text.matches("data: [DONE]").count(), 1, "{text}");
}

#[tokio::test(start_paused = true)]
async fn when_all_fail_the_caller_is_told_in_its_dialect() {
    for request in in_every_dialect(true) {
        let path = request.uri().path().to_owned();
        let upstream = Upstream::new();
        upstream.answer(Answer::stream().role().wait(20 * SECOND).cut());
        upstream.answer(Answer::refusal(401, "bad key"));
        let setup = Setup::new().model(json!({"retries": 5}));
        let (gateway, config, endings) = watched(setup, &upstream);
        let text = testing::text(send(&gateway, request).await).await;
        let told = text.strip_prefix(":\n\n").unwrap();
        assert!(
            told.contains("bad key") || told.contains("401"),
            "{path}: {told}"
        );
        assert_eq!(told.matches("\n\n").count(), 1, "{path}: {told}");
        let is_named = told.starts_with("event: error\n");
        assert_eq!(is_named, !path.contains("v1beta"), "{path}: {told}");
        assert!(!text.contains("[DONE]"), "{path}: {text}");
        assert_eq!(
            kinds(&endings),
            [Some(ErrorKind::Aborted), Some(ErrorKind::Upstream)]
        );
        let ending = endings.only();
        assert_eq!(
            (ending.word, ending.error),
            ("failed", Some(ErrorKind::Upstream))
        );
        assert_eq!(under_way(&config), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn rules_and_the_deadline_hold_inside_of_the_stream() {
    for (routing, second, asks, took) in [
        // What another would say as well is told at once.
        (json!({}), Answer::refusal(400, "bad request"), 2, 20),
        (json!({"max_fallbacks": 0}), Answer::chat("unused"), 1, 20),
        (
            json!({"max_fallbacks": 1}),
            Answer::refusal(500, "no"),
            2,
            20,
        ),
        (
            json!({"deadline_ms": 30_000}),
            Answer::stream().head_stall(),
            2,
            30,
        ),
        (
            json!({"deadline_ms": 20_000}),
            Answer::chat("unused"),
            1,
            20,
        ),
    ] {
        let upstream = Upstream::new();
        upstream.answer_for("up-a", Answer::stream().role().wait(20 * SECOND).cut());
        upstream.answer_for("up-b", second);
        upstream.always("up-c", Speaks::Chat.stream("three", &["unwanted"]));
        let mut routing = routing;
        routing["retries"] = json!(0);
        let (gateway, _, endings) = gateway(routing.clone(), [Speaks::Chat; 3], &upstream);
        let began = Instant::now();
        let text = testing::text(send(&gateway, Speaks::Chat.request()).await).await;
        let read = Speaks::Chat.read(&text);
        assert!(read.has_failed, "{routing}: {text}");
        assert_eq!(upstream.requests().len(), asks, "{routing}");
        assert_eq!(began.elapsed(), took * SECOND, "{routing}");
        assert_eq!(endings.only().word, "failed");
    }
}

#[tokio::test(start_paused = true)]
async fn who_answers_with_no_stream_does_not_take_over() {
    let upstream = Upstream::new();
    upstream.answer_for("up-a", Answer::stream().role().wait(20 * SECOND).cut());
    upstream.answer_for("up-b", Answer::chat("whole"));
    upstream.answer_for("up-c", Speaks::Chat.stream("three", &["hello"]));
    let (gateway, config, endings) = gateway(json!({}), [Speaks::Chat; 3], &upstream);
    let text = testing::text(send(&gateway, Speaks::Chat.request()).await).await;
    assert_eq!(Speaks::Chat.read(&text).text, "hello");
    let failed = [Some(ErrorKind::Aborted), Some(ErrorKind::Decode), None];
    assert_eq!(kinds(&endings), failed);
    assert_eq!(under_way(&config), 0);
}

#[tokio::test(start_paused = true)]
async fn what_has_failed_is_given_back_before_the_next_is_tried() {
    let upstream = Upstream::new();
    let gate = Gate::new();
    upstream.answer_for("up-a", Answer::stream().role().wait(20 * SECOND).cut());
    let answer = Answer::stream().head_gate(&gate).content("hello");
    upstream.answer_for("up-b", answer.finish().done());
    let (gateway, config, endings) = gateway(json!({}), [Speaks::Chat; 3], &upstream);
    let mut body = send(&gateway, Speaks::Chat.request()).await.into_body();
    while upstream.requests().len() < 2 {
        assert_eq!(next_text(&mut body).await.unwrap(), ":\n\n");
    }
    assert_eq!(kinds(&endings), [Some(ErrorKind::Aborted)]);
    assert_eq!(under_way(&config), 1);
    gate.open();
    while next_text(&mut body).await.is_some() {}
    drop(body);
    assert_eq!(under_way(&config), 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_used_before_is_counted_in() {
    let upstream = Upstream::new();
    let events = Speaks::Messages.events("one", &["lost"]);
    let begun = Answer::stream().send(events[0].clone());
    upstream.answer_for("up-a", begun.wait(20 * SECOND).cut());
    upstream.answer_for("up-b", Speaks::Messages.stream("two", &["Hel", "lo"]));
    let speak = [Speaks::Messages; 3];
    let (gateway, _, endings) = gateway(json!({}), speak, &upstream);
    let read = testing::text(send(&gateway, Speaks::Messages.request()).await).await;
    assert_eq!(Speaks::Messages.read(&read).text, "Hello");
    let used = |input, output| {
        Some(Usage {
            input,
            output,
            ..Usage::default()
        })
    };
    let usages: Vec<_> = endings.records().iter().map(|it| it.usage).collect();
    assert_eq!(usages, [used(5, 1), used(5, 2)]);
    let Ending {
        usage, first_token, ..
    } = endings.only();
    assert_eq!(usage, used(10, 3));
    assert!(first_token.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_client_may_leave_in_each_phase() {
    let silent = || Answer::stream().role().wait(20 * SECOND).cut();
    for (seconds, second, abandoned) in [
        (16, Answer::stream().stall(), 0),
        (20, Answer::stream().head_stall(), 1),
        (25, Answer::stream().head_stall(), 1),
        (25, Answer::stream().role().stall(), 1),
        (40, Answer::stream().role().stall(), 0),
        (
            40,
            Answer::stream().role().wait(SECOND).content("a").stall(),
            0,
        ),
    ] {
        let upstream = Upstream::new();
        let mut first = upstream.answer_for("up-a", silent());
        let mut next = upstream.answer_for("up-b", second);
        let (gateway, config, endings) = gateway(json!({}), [Speaks::Chat; 3], &upstream);
        let began = Instant::now();
        let mut body = send(&gateway, Speaks::Chat.request()).await.into_body();
        let left = began + seconds * SECOND + SECOND / 2;
        let read = async { while next_text(&mut body).await.is_some() {} };
        assert!(tokio::time::timeout_at(left, read).await.is_err());
        assert_eq!(under_way(&config), 1, "{seconds}");
        drop(body);
        assert_eq!(under_way(&config), 0, "{seconds}");
        match seconds {
            16 => assert_eq!(first.ended().await, Ended::Dropped),
            _ => assert_eq!(next.ended().await, Ended::Dropped),
        }
        assert_eq!(endings.only().word, "cancelled", "{seconds}");
        assert_eq!(endings.abandoned(), abandoned, "{seconds}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_may_leave_in_the_pause_before_the_next_attempt() {
    let upstream = Upstream::new();
    upstream.answer(
        Answer::stream()
            .role()
            .wait(20 * SECOND)
            .event(&json!({"error": {"message": "busy"}})),
    );
    let (gateway, config, endings) = watched(Setup::new(), &upstream);
    let mut body = stream(&gateway).await.into_body();
    let until_it_fails = async {
        while endings.attempts().is_empty() {
            let next = std::pin::pin!(next_text(&mut body));
            tokio::time::timeout(SECOND / 1_000, next).await.ok();
        }
    };
    until_it_fails.await;
    assert_eq!((upstream.requests().len(), under_way(&config)), (1, 0));
    drop(body);
    assert_eq!(endings.only().word, "cancelled");
}

#[tokio::test(start_paused = true)]
async fn an_endless_event_is_an_error_in_bounded_memory() {
    let garbage = "x".repeat(1 << 20);
    let endless = |answer: Answer| (0..40).fold(answer, |answer, _| answer.send(garbage.clone()));
    for (answer, begins) in [
        (endless(Answer::stream()), "{"),
        (endless(Answer::stream().wait(20 * SECOND)), ":\n\n"),
        (endless(Answer::stream().content("a")), "data: "),
    ] {
        let upstream = Upstream::new();
        upstream.always("upstream-model", answer);
        let (gateway, config, endings) =
            watched(Setup::new().model(json!({"retries": 0})), &upstream);
        let text = testing::text(stream(&gateway).await).await;
        assert!(text.starts_with(begins), "{}", &text[..100.min(text.len())]);
        assert!(text.contains("an event of the upstream is too long"));
        assert!(text.len() < 1_000);
        assert_eq!(kinds(&endings), [Some(ErrorKind::Decode)]);
        assert_eq!(under_way(&config), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_endless_stream_is_read_no_faster_than_it_is_taken() {
    for say in [": nothing\n\n".to_owned(), chunk("a")] {
        let endless = say.repeat(1_000);
        let upstream = Upstream::new();
        let answer = (0..1_000).fold(Answer::stream().wait(20 * SECOND), |answer, _| {
            answer.send(endless.clone())
        });
        let mut exchange = upstream.answer(answer);
        let mut body = stream(&testing::gateway(&upstream)).await.into_body();
        for _ in 0..20 {
            let next = next_text(&mut body).await.unwrap();
            assert!(next.len() <= 128 * 1024, "{}", next.len());
        }
        assert_eq!(exchange.has_ended(), None);
        drop(body);
        assert_eq!(exchange.ended().await, Ended::Dropped);
    }
}
