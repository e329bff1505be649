//! Calls for the same at the same time.

use std::{
    future::{Future, pending},
    pin::Pin,
    time::Duration,
};

use aisix_core::{
    BoxError, Gateway,
    body::Body,
    call::Call,
    config::{
        KeyHash, Kind,
        resource::{Invalid, Stage},
    },
    hook::{Built, Context, Next, PluginFactory, Stages, from_fn},
    testing::{self, Answer, Ended, Gate, MODEL, Setup, Upstream, next_text},
};
use futures_util::FutureExt;
use http::{HeaderValue, Request, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::ask::*;

type Asking = Pin<Box<dyn Future<Output = Response<Body>>>>;

fn shares(settings: &Value) -> Value {
    let mut all = json!({"coalesce": true});
    for (name, value) in settings.as_object().unwrap() {
        all[name] = value.clone();
    }
    json!([{"name": "cache", "settings": all}])
}

fn chat(streams: bool) -> Request<Body> {
    let message = json!({"role": "user", "content": "hi"});
    let body = json!({"model": MODEL, "messages": [message], "stream": streams});
    testing::request("/v1/chat/completions", body.to_string())
}

/// Begins to ask, as far as it goes without waiting.
async fn begin(gateway: &Gateway, request: Request<Body>) -> Asking {
    let gateway = gateway.clone();
    let mut asking: Asking = Box::pin(async move { send(&gateway, request).await });
    assert!((&mut asking).now_or_never().is_none());
    asking
}

fn said(response: &Response<Body>) -> &str {
    let header = response.headers().get("x-aisix-cache");
    header.map_or("", |value| value.to_str().unwrap())
}

/// A hook that never goes on.
struct Hanging;

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

impl PluginFactory for Hanging {
    type Settings = Nothing;

    fn name(&self) -> &'static str {
        "hanging"
    }

    fn stages(&self) -> Stages {
        Stages::Fixed(&[Stage::PostRequest])
    }

    fn build(&self, _: Nothing, _: &Context<'_>) -> Result<Built, Vec<Invalid>> {
        Ok(Built::hook(from_fn(|_: Call, _: Next| pending())))
    }
}

#[tokio::test]
async fn many_share_one_call_and_what_it_answers_is_kept() {
    let (upstream, gate) = (Upstream::new(), Gate::new());
    let gateway = gateway(&upstream, shares(&json!({})));
    let mut exchange = upstream.answer(Answer::chat("hello").head_gate(&gate));
    let mut asking = Vec::new();
    for _ in 0..5 {
        asking.push(begin(&gateway, chat(false)).await);
    }
    exchange.request().await;
    gate.open();
    // The last one has to drive alone what the first has begun.
    asking.reverse();
    for asking in asking {
        let response = asking.await;
        assert_eq!((response.status().as_u16(), said(&response)), (200, "miss"));
        assert!(response.headers().contains_key("x-aisix-fidelity"));
        assert_eq!(testing::text(response).await, testing::chat_answer("hello"));
    }
    assert_eq!(upstream.requests().len(), 1);
    assert_eq!(said(&send(&gateway, chat(false)).await), "hit");
}

#[tokio::test]
async fn the_call_goes_on_when_the_first_leaves() {
    let (upstream, gate) = (Upstream::new(), Gate::new());
    let gateway = gateway(&upstream, shares(&json!({})));
    let mut exchange = upstream.answer(Answer::chat("hello").head_gate(&gate));
    let first = begin(&gateway, chat(false)).await;
    let second = begin(&gateway, chat(false)).await;
    let third = begin(&gateway, chat(false)).await;
    exchange.request().await;
    drop(first);
    assert_eq!(exchange.has_ended(), None);
    drop(third);
    gate.open();
    let answer = testing::text(second.await).await;
    assert_eq!(answer, testing::chat_answer("hello"));
    assert_eq!(exchange.ended().await, Ended::Complete);
    assert_eq!(said(&send(&gateway, chat(false)).await), "hit");
    assert_eq!(upstream.requests().len(), 1);
}

/// Waits on a task of its own, so that only being woken makes it go on.
fn wait(asking: Asking) -> tokio::task::JoinHandle<String> {
    tokio::task::spawn_local(async move { testing::text(asking.await).await })
}

#[tokio::test]
async fn whoever_waits_is_woken_when_the_one_who_drives_leaves() {
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            let (upstream, gate) = (Upstream::new(), Gate::new());
            let gateway = gateway(&upstream, shares(&json!({})));
            let mut exchange = upstream.answer(Answer::chat("hello").head_gate(&gate));
            let first = wait(begin(&gateway, chat(false)).await);
            let second = wait(begin(&gateway, chat(false)).await);
            exchange.request().await;
            tokio::task::yield_now().await;
            first.abort();
            assert!(first.await.unwrap_err().is_cancelled());
            gate.open();
            assert_eq!(second.await.unwrap(), testing::chat_answer("hello"));
        })
        .await;
}

#[tokio::test]
async fn the_upstream_is_hung_up_on_when_all_have_left() {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, shares(&json!({"streaming": true})));
    let mut exchange = upstream.answer(Answer::chat("hello").head_stall());
    let first = begin(&gateway, chat(false)).await;
    let second = begin(&gateway, chat(false)).await;
    drop(second);
    assert_eq!(exchange.has_ended(), None);
    drop(first);
    assert_eq!(exchange.ended().await, Ended::Dropped);

    let mut exchange = upstream.answer(Answer::stream().content("hel").stall());
    let mut first = send(&gateway, chat(true)).await.into_body();
    let mut second = send(&gateway, chat(true)).await.into_body();
    assert!(next_text(&mut first).await.unwrap().contains("hel"));
    drop(first);
    assert!(next_text(&mut second).await.unwrap().contains("hel"));
    assert_eq!(exchange.has_ended(), None);
    drop(second);
    assert_eq!(exchange.ended().await, Ended::Dropped);
    upstream.answer(Answer::chat("again"));
    assert_eq!(said(&send(&gateway, chat(false)).await), "miss");
    assert_eq!(upstream.requests().len(), 3);
}

#[tokio::test]
async fn an_error_is_told_to_all_who_wait_and_to_nobody_else() {
    let (upstream, gate) = (Upstream::new(), Gate::new());
    let gateway = gateway(&upstream, shares(&json!({})));
    upstream.answer(Answer::refusal(400, "no").head_gate(&gate));
    let first = begin(&gateway, chat(false)).await;
    let second = begin(&gateway, chat(false)).await;
    gate.open();
    let first = first.await;
    let told = (first.status(), testing::text(first).await);
    assert_eq!(told.0, 400);
    assert!(told.1.contains("\"no\""), "{told:?}");
    upstream.answer(Answer::chat("hello"));
    assert_eq!(send(&gateway, chat(false)).await.status(), 200);
    let second = second.await;
    assert_eq!((second.status(), testing::text(second).await), told);
    assert_eq!(upstream.requests().len(), 2);
}

#[tokio::test]
async fn a_stream_is_shared_live_and_from_its_beginning() {
    let (upstream, gate) = (Upstream::new(), Gate::new());
    let gateway = gateway(&upstream, shares(&json!({"streaming": true})));
    let stream = Answer::stream().role().content("hel").gate(&gate);
    let mut exchange = upstream.answer(stream.content("lo").finish().usage(5, 7).done());
    let mut first = send(&gateway, chat(true)).await.into_body();
    let begun = next_text(&mut first).await.unwrap();
    assert!(begun.contains("hel"), "{begun}");
    // Live: what has come is there before the rest has.
    let mut second = send(&gateway, chat(true)).await.into_body();
    assert_eq!(next_text(&mut second).await.unwrap(), begun);
    // It goes on without the first.
    drop(first);
    gate.open();
    let rest = rest(&mut second).await;
    assert!(
        rest.contains("lo") && rest.ends_with("data: [DONE]\n\n"),
        "{rest}"
    );
    assert_eq!(exchange.ended().await, Ended::Complete);
    let third = send(&gateway, chat(true)).await;
    assert_eq!(said(&third), "hit");
    assert_eq!(testing::text(third).await, format!("{begun}{rest}"));
    assert_eq!(upstream.requests().len(), 1);
}

/// Everything that is still to come.
async fn rest(body: &mut Body) -> String {
    let mut rest = String::new();
    while let Some(text) = next_text(body).await {
        rest.push_str(&text);
    }
    rest
}

#[tokio::test]
async fn streams_are_shared_even_if_they_are_not_kept() {
    let (upstream, gate) = (Upstream::new(), Gate::new());
    let gateway = gateway(&upstream, shares(&json!({})));
    let stream = Answer::stream().content("hello").gate(&gate);
    upstream.answer(stream.finish().done());
    let first = send(&gateway, chat(true)).await;
    let second = send(&gateway, chat(true)).await;
    assert_eq!([said(&first), said(&second)], ["", "miss"]);
    gate.open();
    assert_eq!(testing::text(first).await, testing::text(second).await);
    assert_eq!(upstream.requests().len(), 1);
    upstream.answer(Answer::stream().content("anew").finish().done());
    assert!(
        testing::text(send(&gateway, chat(true)).await)
            .await
            .contains("anew")
    );
}

#[tokio::test]
async fn a_slow_caller_holds_nobody_up_and_is_told_when_it_is_too_late() {
    let upstream = Upstream::new();
    let settings = json!({"streaming": true, "max_entry_bytes": 4096});
    let gateway = gateway(&upstream, shares(&settings));
    let long = "x".repeat(3000);
    let (begun, rest_of) = (Gate::new(), Gate::new());
    let stream = Answer::stream().content("begin").gate(&begun);
    let stream = (0..20).fold(stream, |stream, _| stream.content(&long));
    upstream.answer(stream.gate(&rest_of).finish().done());
    let mut fast = send(&gateway, chat(true)).await.into_body();
    let mut slow = send(&gateway, chat(true)).await.into_body();
    assert!(next_text(&mut slow).await.unwrap().contains("begin"));
    begun.open();
    rest_of.open();
    let answer = rest(&mut fast).await;
    assert_eq!(answer.matches(&long).count(), 20);
    assert!(answer.ends_with("data: [DONE]\n\n"));
    let told = rest(&mut slow).await;
    assert!(
        told.contains("read too slowly") && !told.contains("[DONE]"),
        "{told}"
    );
    upstream.answer(Answer::stream().content("anew").finish().done());
    let anew = testing::text(send(&gateway, chat(true)).await).await;
    assert!(anew.contains("anew"), "it was too long to be kept");
}

#[tokio::test]
async fn each_caller_is_held_to_its_own_limits_and_the_first_pays_the_tokens() {
    let (upstream, gate) = (Upstream::new(), Gate::new());
    let limits = json!({"rpm": 10, "tpm": 100_000});
    let other = json!({"key_hash": KeyHash::of("sk-other").to_hex(), "allowed_models": ["*"],
        "rate_limit": limits});
    let gateway = Setup::new()
        .hooks(aisix_hooks::hooks())
        .model(json!({"plugins": shares(&json!({"scope": "env"}))}))
        .api_key(json!({"rate_limit": limits}))
        .add(Kind::ApiKey, "other", other)
        .gateway(&upstream);
    let by_other = |mut request: Request<Body>| {
        let key = HeaderValue::from_static("Bearer sk-other");
        request.headers_mut().insert("authorization", key);
        request
    };
    upstream.answer(Answer::chat("hello").head_gate(&gate));
    let first = begin(&gateway, chat(false)).await;
    let second = begin(&gateway, by_other(chat(false))).await;
    gate.open();
    for asking in [first, second] {
        testing::text(asking.await).await;
    }
    let left = async |request| {
        let response = send(&gateway, request).await;
        let left = |unit: &str| {
            let left = &response.headers()[format!("x-ratelimit-remaining-{unit}")];
            left.to_str().unwrap().parse::<u64>().unwrap()
        };
        (left("requests"), left("tokens"))
    };
    let (first, second) = (left(chat(false)).await, left(by_other(chat(false))).await);
    assert_eq!([first.0, second.0], [8, 8]);
    assert_eq!(second.1 - first.1, 12);
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn who_wants_no_cache_asks_alone() {
    let (upstream, gate) = (Upstream::new(), Gate::new());
    let gateway = gateway(&upstream, shares(&json!({})));
    upstream.answer(Answer::chat("hello").head_gate(&gate));
    let first = begin(&gateway, chat(false)).await;
    for value in ["no-cache", "no-store"] {
        upstream.answer(Answer::chat("alone"));
        let mut request = chat(false);
        let value = HeaderValue::from_static(value);
        request.headers_mut().insert("cache-control", value);
        let answer = testing::text(send(&gateway, request).await).await;
        assert_eq!(answer, testing::chat_answer("alone"));
    }
    gate.open();
    assert_eq!(
        testing::text(first.await).await,
        testing::chat_answer("hello")
    );
}

#[tokio::test]
async fn a_call_that_panics_is_an_error_for_all_who_wait() {
    let gate = Gate::new();
    let opened = gate.clone();
    let transport = tower::service_fn(move |_: Request<Body>| {
        let opened = opened.clone();
        async move {
            opened.passed().await;
            let answers: Vec<Response<Body>> = Vec::new();
            Ok::<_, BoxError>(answers.into_iter().next().unwrap())
        }
    });
    let setup = Setup::new()
        .hooks(aisix_hooks::hooks())
        .model(json!({"plugins": shares(&json!({}))}));
    let gateway = Gateway::builder(setup.config()).transport(transport);
    let gateway = gateway.build().unwrap();
    let first = begin(&gateway, chat(false)).await;
    let second = begin(&gateway, chat(false)).await;
    gate.open();
    for asking in [first, second] {
        assert_eq!(asking.await.status(), 500);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_has_as_much_patience_as_the_upstream_has_time() {
    let (upstream, minutes) = (Upstream::new(), Duration::from_secs(60));
    let gateway = gateway(&upstream, shares(&json!({})));
    upstream.answer(Answer::chat("late").head_after(9 * minutes));
    let first = begin(&gateway, chat(false)).await;
    let second = begin(&gateway, chat(false)).await;
    // It is driven by the second from here on.
    tokio::time::sleep(2 * minutes).await;
    let both = futures_util::future::join(second, first);
    for response in <[_; 2]>::from(both.await) {
        assert_eq!(response.status(), 200);
        assert_eq!(testing::text(response).await, testing::chat_answer("late"));
    }
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_hook_behind_that_never_answers_fails_all_who_wait() {
    let upstream = Upstream::new();
    let gateway = Setup::new()
        .hooks(aisix_hooks::hooks().plugin(Hanging))
        .model(json!({"plugins": [
            {"name": "cache", "settings": {"coalesce": true}},
            {"name": "hanging"},
        ]}))
        .gateway(&upstream);
    let first = begin(&gateway, chat(false)).await;
    let second = begin(&gateway, chat(false)).await;
    let third = begin(&gateway, chat(false)).await;
    drop(first);
    for waiting in [second, third] {
        let refused = waiting.await;
        assert_eq!(refused.status(), 504);
        assert!(
            testing::text(refused)
                .await
                .contains("a hook took too long")
        );
    }
    assert!(upstream.requests().is_empty());
}
