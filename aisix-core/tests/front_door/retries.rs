//! What is tried again, and when.

use std::time::Duration;

use aisix_core::{
    testing::{self, Answer, Endings, Setup, Upstream},
    upstream::Settings,
};
use tokio::time::Instant;

use crate::ask::*;

/// Asks an upstream that fails as told and then answers; returns the status, the number of
/// requests, and the milliseconds it took.
async fn asked(failures: impl IntoIterator<Item = Answer>) -> (u16, usize, u128) {
    let upstream = Upstream::new();
    for failure in failures {
        upstream.answer(failure);
    }
    upstream.answer(Answer::chat("hello"));
    let started = Instant::now();
    let status = chat(&testing::gateway(&upstream)).await.status().as_u16();
    (
        status,
        upstream.requests().len(),
        started.elapsed().as_millis(),
    )
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again() {
    for failure in [
        Answer::refusal(500, "no"),
        Answer::refusal(503, "no"),
        Answer::unreachable(),
        Answer::body(200, "text/html", "<html>"),
        Answer::new(200).send("{").cut(),
    ] {
        assert_eq!(asked([failure.clone()]).await.1, 2, "{failure:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_would_fail_again_is_not() {
    for status in [400, 401, 402, 403, 404, 408, 409, 422, 429] {
        let (got, requests, _) = asked([Answer::refusal(status, "no")]).await;
        assert_eq!((got, requests), (status, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_end_and_the_last_error_is_told() {
    let failures = [500, 502, 503].map(|status| Answer::refusal(status, "no"));
    let upstream = Upstream::new();
    failures
        .into_iter()
        .for_each(|failure| drop(upstream.answer(failure)));
    let endings = Endings::new();
    let builder = Setup::new().builder(&upstream).observe(endings.clone());
    let (status, body) = refusal(chat(&builder.build().unwrap()).await).await;
    assert_eq!(
        (status, body),
        (502, refused_upstream("upstream returned 503"))
    );
    assert_eq!(endings.attempts().len(), 3);
    assert_eq!(endings.only().word, "refused");
    let bodies: Vec<_> = upstream
        .requests()
        .iter()
        .map(|request| request.body.clone())
        .collect();
    assert!(
        bodies.windows(2).all(|pair| pair[0] == pair[1]),
        "the same request each time"
    );
}

#[tokio::test(start_paused = true)]
async fn pauses_are_bounded_and_heed_the_upstreams_wish() {
    let fail = || Answer::refusal(503, "no");
    let within =
        |took: u128, least: u128, jitter: u128| (least..=least + jitter + 5).contains(&took);
    let (_, _, took) = asked([fail(), fail()]).await;
    assert!(within(took, 0, 1_500), "at most 500 ms and 1 s, not {took}");
    let (_, _, took) = asked([fail().header("retry-after", "3")]).await;
    assert!(within(took, 3_000, 250), "{took}");
    let (_, _, took) = asked([fail().header("retry-after-ms", "1500")]).await;
    assert!(within(took, 1_500, 250), "{took}");
    let (_, _, took) = asked([fail().header("retry-after", "60")]).await;
    assert!(within(took, 0, 500), "too long to wait for: {took}");
}

#[tokio::test]
async fn retries_may_be_switched_off() {
    let upstream = Upstream::new();
    upstream.answer(Answer::refusal(500, "no"));
    let settings = Settings {
        retries: 0,
        ..Settings::default()
    };
    let gateway = Setup::new().upstream(settings).gateway(&upstream);
    assert_eq!(chat(&gateway).await.status(), 502);
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_in_the_pause_is_not_retried_for() {
    let upstream = Upstream::new();
    let mut exchange = upstream.answer(Answer::refusal(503, "no").header("retry-after", "4"));
    let gateway = testing::gateway(&upstream);
    let asked = tokio::time::timeout(Duration::from_secs(1), chat(&gateway)).await;
    assert!(asked.is_err());
    exchange.ended().await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(upstream.requests().len(), 1);
}
