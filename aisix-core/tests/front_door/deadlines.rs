//! Each deadline by itself, in virtual time.

use std::time::Duration;

use aisix_core::{
    ErrorKind,
    testing::{self, Answer, Ended, Endings, Setup, Upstream, chunk},
    upstream::Settings,
};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::ask::*;

const SECOND: Duration = Duration::from_secs(1);

fn settings() -> Settings {
    Settings {
        timeout: None,
        heartbeat: None,
        ..Settings::default()
    }
}

fn timed_out(millis: u64) -> Value {
    error(
        "timeout",
        &format!("upstream request timed out after {millis}ms"),
    )
}

/// Asks; returns the status, the text, the seconds it took, and whether the upstream saw the end.
async fn timed(setup: Setup, answer: Answer, streams: bool) -> (u16, String, u64) {
    let upstream = Upstream::new();
    let endings = Endings::new();
    let mut exchange = upstream.answer(answer);
    let builder = setup.builder(&upstream).observe(endings.clone());
    let gateway = builder.build().unwrap();
    let started = Instant::now();
    let response = match streams {
        true => stream(&gateway).await,
        false => chat(&gateway).await,
    };
    let status = response.status().as_u16();
    let text = testing::text(response).await;
    let took = started.elapsed().as_secs();
    assert_eq!(
        exchange.ended().await,
        Ended::Dropped,
        "the upstream sees the end"
    );
    assert_eq!(endings.only().error, Some(ErrorKind::Timeout));
    if status != 200 {
        assert_eq!(endings.attempts(), [Some(ErrorKind::Timeout)]);
    }
    (status, text, took)
}

#[tokio::test(start_paused = true)]
async fn the_head_has_a_deadline() {
    let settings = Settings {
        head_timeout: Some(3 * SECOND),
        ..settings()
    };
    for streams in [false, true] {
        let setup = Setup::new().upstream(settings);
        let (status, text, took) = timed(setup, Answer::chat("x").head_stall(), streams).await;
        assert_eq!((status, took), (504, 3));
        assert_eq!(text, timed_out(3_000).to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn the_whole_answer_has_a_deadline_that_covers_all_attempts() {
    let slow = || Answer::new(200).send("{").stall();
    let setup = Setup::new().model(json!({"timeout": 5_000}));
    assert_eq!(
        timed(setup.clone(), slow(), false).await,
        (504, timed_out(5_000).to_string(), 5)
    );

    let upstream = Upstream::new();
    upstream.answer(Answer::refusal(503, "busy").head_after(4 * SECOND));
    upstream.answer(slow());
    let started = Instant::now();
    let response = chat(&setup.gateway(&upstream)).await;
    assert_eq!(refusal(response).await, (504, timed_out(5_000)));
    assert_eq!(started.elapsed().as_secs(), 5);
    assert_eq!(upstream.requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_for_which_no_time_is_left_is_not_waited_for() {
    let upstream = Upstream::new();
    let busy = Answer::refusal(503, "busy").header("retry-after", "1");
    upstream.answer(busy.head_after(Duration::from_millis(4_900)));
    let gateway = Setup::new()
        .model(json!({"timeout": 5_000}))
        .gateway(&upstream);
    let (status, body) = refusal(chat(&gateway).await).await;
    assert_eq!(
        (status, body),
        (502, refused_upstream("upstream returned 503"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_stream_has_no_total_but_a_longest_gap() {
    let setup = Setup::new()
        .upstream(settings())
        .model(json!({"timeout": 5_000}));
    let mut answer = Answer::stream();
    for _ in 0..10 {
        answer = answer.content("a").wait(4 * SECOND);
    }
    let (status, text, took) = timed(setup, answer.stall(), true).await;
    assert_eq!(
        (status, took),
        (200, 41),
        "36 s of talk, then 5 s of silence"
    );
    assert_eq!(
        text,
        format!(
            "{}event: error\ndata: {}\n\n",
            chunk("a").repeat(10),
            timed_out(5_000)
        )
    );
}

#[tokio::test(start_paused = true)]
async fn the_gap_is_the_streams_own_where_it_is_set() {
    for (model, seconds) in [
        (json!({"timeout": 9_000, "stream_timeout": 2_000}), 2),
        (json!({"timeout": 9_000, "stream_timeout": 0}), 9),
        (json!({"stream_timeout": 3_000}), 3),
        (json!({}), 7),
    ] {
        let settings = Settings {
            timeout: Some(7 * SECOND),
            ..settings()
        };
        for answer in [
            Answer::stream().head_stall(),
            Answer::stream().role().stall(),
        ] {
            let setup = Setup::new().upstream(settings).model(model.clone());
            let (status, _, took) = timed(setup, answer, true).await;
            assert_eq!((status, took), (504, seconds), "{model}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_to_a_stream_has_the_gap_as_deadline() {
    let setup = Setup::new().model(json!({"stream_timeout": 3_000}));
    let (status, _, took) = timed(setup, Answer::new(200).send("{").stall(), true).await;
    assert_eq!((status, took), (504, 3));
}

#[tokio::test(start_paused = true)]
async fn the_first_token_has_a_deadline_that_pings_do_not_move() {
    let settings = Settings {
        first_token_timeout: Some(10 * SECOND),
        ..settings()
    };
    let mut answer = Answer::stream().role();
    for _ in 0..30 {
        answer = answer.wait(SECOND).send(": ping\n\n");
    }
    let setup = Setup::new().upstream(settings);
    let (status, _, took) = timed(setup, answer.stall(), true).await;
    assert_eq!((status, took), (504, 10));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_after_the_heartbeat_is_told_in_the_stream() {
    let settings = Settings {
        first_token_timeout: Some(40 * SECOND),
        heartbeat: Some(15 * SECOND),
        ..settings()
    };
    let setup = Setup::new().upstream(settings);
    let (status, text, took) = timed(setup, Answer::stream().stall(), true).await;
    assert_eq!((status, took), (200, 40));
    let event = format!("event: error\ndata: {}\n\n", timed_out(40_000));
    assert_eq!(text, format!(":\n\n:\n\n{event}"));
}

#[tokio::test(start_paused = true)]
async fn zero_is_no_deadline() {
    let upstream = Upstream::new();
    upstream.answer(Answer::chat("late").head_after(Duration::from_secs(86_400)));
    let settings = Settings {
        timeout: Some(SECOND),
        ..Settings::default()
    };
    let setup = Setup::new().upstream(settings).model(json!({"timeout": 0}));
    assert_eq!(chat(&setup.gateway(&upstream)).await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_stream_timeout_of_zero_is_that_of_the_whole() {
    let upstream = Upstream::new();
    upstream.answer(Answer::stream().role().content("x").stall());
    let members = json!({"timeout": 1_000, "stream_timeout": 0});
    let gateway = Setup::new().model(members).gateway(&upstream);
    let before = Instant::now();
    let text = testing::text(stream(&gateway).await).await;
    assert!(text.contains("timed out after 1000ms"), "{text}");
    assert_eq!(before.elapsed(), SECOND);
}
