//! Hooks as functions, as layers, and in order.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aisix_core::{
    Error, ErrorKind,
    body::Body,
    call::Call,
    hook::{Hook, Next, from_fn},
    reply::Reply,
    testing::{self, Answer, Ended, Endings, Setup, Upstream, chunk},
};
use aisix_wire::{Edits, sse::Event};
use futures_util::StreamExt;
use http::{HeaderValue, StatusCode};
use http_body_util::BodyExt;
use serde_json::json;

use crate::ask::*;

type Log = Arc<Mutex<Vec<String>>>;

fn logs(log: &Log, name: &'static str) -> impl Hook + use<> {
    let log = log.clone();
    from_fn(move |call: Call, next: Next| {
        let log = log.clone();
        async move {
            log.lock().unwrap().push(format!("{name} in"));
            let reply = next.run(call).await;
            log.lock().unwrap().push(format!("{name} out"));
            reply
        }
    })
}

#[tokio::test]
async fn the_first_hook_is_outermost() {
    let upstream = Upstream::new();
    upstream.answer(Answer::chat("hello"));
    let log = Log::default();
    let builder = Setup::new().builder(&upstream);
    let gateway = builder
        .hook(logs(&log, "a"))
        .hook(logs(&log, "b"))
        .build()
        .unwrap();
    assert_eq!(chat(&gateway).await.status(), 200);
    assert_eq!(*log.lock().unwrap(), ["a in", "b in", "b out", "a out"]);
}

#[tokio::test]
async fn a_hook_runs_after_authentication_and_model_validation() {
    let log = Log::default();
    let builder = Setup::new().builder(&Upstream::new());
    let gateway = builder.hook(logs(&log, "a")).build().unwrap();
    let unknown = chat_body(&json!({"model": "unknown"}));
    send(&gateway, testing::request(CHAT, unknown)).await;
    let mut stranger = testing::chat_request("hi");
    stranger.headers_mut().remove("authorization");
    send(&gateway, stranger).await;
    assert!(log.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_hook_changes_the_call() {
    let upstream = Upstream::new();
    upstream.answer(Answer::chat("hello"));
    let seed = from_fn(|mut call: Call, next: Next| async move {
        let mut edits = Edits::new();
        edits.set("seed", "7");
        call.inbound.payload.edit(&edits).expect("7 is JSON");
        call.trail().mark("seed", "7");
        next.run(call).await
    });
    let gateway = Setup::new().builder(&upstream).hook(seed).build().unwrap();
    assert_eq!(chat(&gateway).await.status(), 200);
    assert_eq!(upstream.last_request().json()["seed"], 7);
}

#[tokio::test]
async fn a_hook_refuses_in_its_own_words() {
    for (refused, status, body) in [
        (
            Error::new(
                ErrorKind::Blocked,
                "request blocked by content policy (guardrail 'g')",
            ),
            422,
            error(
                "content_filter",
                "request blocked by content policy (guardrail 'g')",
            ),
        ),
        (
            Error::new(ErrorKind::Blocked, "no")
                .with_status(StatusCode::IM_A_TEAPOT)
                .with_code("tea"),
            418,
            json!({"error": {"message": "no", "type": "content_filter", "code": "tea"}}),
        ),
    ] {
        let refused = Arc::new(Mutex::new(Some(refused)));
        let hook = from_fn(move |_: Call, _: Next| {
            let refused = refused.lock().unwrap().take();
            async move { Err(refused.unwrap()) }
        });
        let upstream = Upstream::new();
        let gateway = Setup::new().builder(&upstream).hook(hook).build().unwrap();
        assert_eq!(refusal(chat(&gateway).await).await, (status, body));
        assert!(upstream.requests().is_empty());
    }
}

#[tokio::test]
async fn a_hook_answers_by_itself() {
    let endings = Endings::new();
    let hook = from_fn(|_: Call, _: Next| async {
        Ok::<_, Error>(Reply::new(
            StatusCode::OK,
            "application/json",
            "{\"cached\":true}",
        ))
    });
    let builder = Setup::new().builder(&Upstream::new());
    let gateway = builder.hook(hook).observe(endings.clone()).build().unwrap();
    let response = chat(&gateway).await;
    assert!(response.headers().contains_key("x-aisix-request-id"));
    assert_eq!(testing::text(response).await, "{\"cached\":true}");
    assert_eq!(endings.only().word, "success");
}

#[tokio::test(start_paused = true)]
async fn towers_timeout_is_a_hook() {
    let upstream = Upstream::new();
    let mut exchange = upstream.answer(Answer::chat("late").head_stall());
    let timeout = tower::timeout::TimeoutLayer::new(Duration::from_secs(2));
    let gateway = Setup::new()
        .builder(&upstream)
        .hook(timeout)
        .build()
        .unwrap();
    let expected = error("timeout", "the request timed out");
    assert_eq!(refusal(chat(&gateway).await).await, (504, expected));
    assert_eq!(exchange.ended().await, Ended::Dropped);

    upstream.answer(Answer::refusal(404, "ours"));
    assert_eq!(
        refusal(chat(&gateway).await).await,
        (404, refused_upstream("ours"))
    );
}

#[derive(Clone)]
struct Stamp<S>(S);

impl<S: tower::Service<Call, Response = Reply>> tower::Service<Call> for Stamp<S>
where
    S::Future: Send + 'static,
    S::Error: 'static,
{
    type Response = Reply;
    type Error = S::Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Reply, S::Error>> + Send>>;

    fn poll_ready(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let reply = self.0.call(call);
        Box::pin(async move {
            let mut reply = reply.await?;
            reply
                .headers_mut()
                .insert("x-stamp", HeaderValue::from_static("1"));
            Ok(reply)
        })
    }
}

#[tokio::test]
async fn a_layer_written_by_hand_is_a_hook() {
    let upstream = Upstream::new();
    upstream.answer(Answer::chat("hello"));
    let builder = Setup::new().builder(&upstream);
    let gateway = builder.hook(tower::layer::layer_fn(Stamp)).build().unwrap();
    assert_eq!(chat(&gateway).await.headers()["x-stamp"], "1");
}

#[tokio::test]
async fn a_hook_changes_the_events_of_a_stream() {
    let upstream = Upstream::new();
    let endings = Endings::new();
    upstream.answer(
        Answer::stream()
            .content("a")
            .send(": note\n\n")
            .content("b")
            .finish()
            .done(),
    );
    let hook = from_fn(|call: Call, next: Next| async move {
        let reply = next.run(call).await?;
        Ok::<_, Error>(reply.map_events(|events| {
            let kept = events.filter(|event| {
                let comment = event.as_ref().is_ok_and(Event::is_comment);
                std::future::ready(!comment)
            });
            Box::pin(kept)
        }))
    });
    let builder = Setup::new().builder(&upstream);
    let gateway = builder.hook(hook).observe(endings.clone()).build().unwrap();
    let text = testing::text(stream(&gateway).await).await;
    assert!(
        text.starts_with(&format!("{}{}", chunk("a"), chunk("b"))),
        "{text}"
    );
    assert!(text.ends_with("data: [DONE]\n\n"));
    assert_eq!(endings.only().word, "success");
}

#[tokio::test]
async fn a_failing_layer_is_an_internal_error_that_tells_nothing() {
    let hook = tower::layer::layer_fn(|_| {
        tower::service_fn(|_: Call| async { Err::<Reply, _>(std::io::Error::other("secret path")) })
    });
    let gateway = Setup::new()
        .builder(&Upstream::new())
        .hook(hook)
        .build()
        .unwrap();
    let expected = error("api_error", "internal error");
    assert_eq!(refusal(chat(&gateway).await).await, (500, expected));
}

#[tokio::test]
async fn a_hook_asks_a_service_by_the_way_of_the_gateway() {
    let upstream = Upstream::new();
    upstream.answer(Answer::json(200, &json!({"allowed": false})));
    let asks = from_fn(|call: Call, next: Next| async move {
        let question = http::Request::post("http://policy.test/ask").body(Body::full("?"));
        let transport = call.transport().expect("calls are sent");
        let answer = transport.send(question.unwrap()).await?;
        let answer = answer.into_body().collect().await.unwrap().to_bytes();
        match answer.ends_with(b"false}") {
            true => Err(Error::invalid("messages", "the service says no")),
            false => next.run(call).await,
        }
    });
    let builder = Setup::new().builder(&upstream);
    let gateway = builder.hook(asks).build().unwrap();
    assert_eq!(chat(&gateway).await.status(), 400);
    assert_eq!(upstream.last_request().head.uri.path(), "/ask");
}
