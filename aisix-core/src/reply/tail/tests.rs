use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, StreamBody};

use super::*;
use crate::reply::Progress;

fn tail(seen: &Arc<Mutex<Vec<&'static str>>>) -> Tail {
    let mut tail = Tail::new(Progress::shared());
    let seen = seen.clone();
    tail.push(Box::new(move |outcome| {
        seen.lock().unwrap().push(outcome.word());
    }));
    tail
}

fn attach(tail: Tail, body: Body) -> Body {
    tail.attach(body, StatusCode::OK, Instant::now())
}

fn frames(frames: Vec<Result<&'static str, BoxError>>) -> Body {
    let frames = frames
        .into_iter()
        .map(|frame| frame.map(|text| Frame::data(Bytes::from_static(text.as_bytes()))));
    Body::new(StreamBody::new(futures_util::stream::iter(frames)))
}

#[tokio::test]
async fn last_byte_completes() {
    let seen = Arc::default();
    let mut body = attach(tail(&seen), Body::full("hello"));
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "hello");
    // A server that knows the length stops here.
    assert_eq!(*seen.lock().unwrap(), ["success"]);
    assert!(body.frame().await.is_none());
    drop(body);
    assert_eq!(*seen.lock().unwrap(), ["success"]);
}

#[tokio::test]
async fn an_empty_body_that_is_never_polled_is_complete() {
    let seen = Arc::default();
    drop(attach(tail(&seen), Body::empty()));
    assert_eq!(*seen.lock().unwrap(), ["success"]);
}

#[tokio::test]
async fn a_body_dropped_halfway_is_cancelled() {
    let seen = Arc::default();
    let mut body = attach(tail(&seen), frames(vec![Ok("a"), Ok("b")]));
    body.frame().await.unwrap().unwrap();
    drop(body);
    assert_eq!(*seen.lock().unwrap(), ["cancelled"]);
}

#[tokio::test]
async fn a_broken_body_has_failed_once() {
    let seen = Arc::default();
    let mut body = attach(tail(&seen), frames(vec![Ok("a"), Err("cut".into())]));
    body.frame().await.unwrap().unwrap();
    assert!(body.frame().await.unwrap().is_err());
    drop(body);
    assert_eq!(*seen.lock().unwrap(), ["failed"]);
}

#[tokio::test]
async fn a_refusal_ends_as_refused() {
    let seen = Arc::default();
    let refused = tail(&seen).refused(Error::invalid("model", "no"));
    attach(refused, Body::full("{}")).collect().await.unwrap();
    assert_eq!(*seen.lock().unwrap(), ["refused"]);
}

#[tokio::test]
async fn a_failure_told_inside_the_stream_has_failed() {
    let seen = Arc::default();
    let tail = tail(&seen);
    tail.progress
        .update(|state| state.failure = Some(Error::new(ErrorKind::Aborted, "cut")));
    attach(tail, frames(vec![Ok("a")])).collect().await.unwrap();
    assert_eq!(*seen.lock().unwrap(), ["failed"]);
}

#[tokio::test]
async fn what_the_body_has_noted_says_more_than_that_it_broke() {
    let mut tail = Tail::new(Progress::shared());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kinds = seen.clone();
    tail.push(Box::new(move |outcome| {
        let End::Failed(error) = outcome.end else {
            panic!("{:?}", outcome.end)
        };
        kinds.lock().unwrap().push(error.kind());
    }));
    tail.progress
        .update(|state| state.failure = Some(Error::new(ErrorKind::Timeout, "late")));
    let mut body = attach(tail, frames(vec![Err("cut".into())]));
    assert!(body.frame().await.unwrap().is_err());
    assert_eq!(*seen.lock().unwrap(), [ErrorKind::Timeout]);
}

#[tokio::test]
async fn a_reply_that_never_became_a_response_is_cancelled() {
    let seen = Arc::default();
    drop(tail(&seen));
    assert_eq!(*seen.lock().unwrap(), ["cancelled"]);
}
