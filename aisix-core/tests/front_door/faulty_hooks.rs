//! Hooks that panic, fail, or never answer, wherever they stand: the caller is told in its dialect, nothing is held
//! afterwards, and nobody else notices.

use std::{
    future::{Future, pending, ready},
    time::Duration,
};

use aisix_core::{
    Error, ErrorKind,
    body::Body,
    call::Call,
    config::{
        Kind,
        resource::{Invalid, Stage},
    },
    hook::{Built, Check, Context, Hooks, HttpService, Next, PluginFactory, Stages, from_fn},
    reply::Reply,
    testing::{self, Answer, Ended, Endings, Exchange, Setup, Upstream},
};
use async_trait::async_trait;
use futures_util::{StreamExt, stream::once};
use http::{Request, Response};
use http_body_util::BodyExt;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tower::{ServiceExt, layer::layer_fn, service_fn};

use crate::ask::*;

/// A plugin that goes wrong.
struct Faulty;

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
struct Fault {
    place: Place,
    how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
enum Place {
    Check,
    OnCall,
    OnReply,
    OnRequest,
    OnResponse,
    OnArrival,
    OnArrived,
    OnEvents,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
enum How {
    Panics,
    Fails,
    Hangs,
    Passes,
}

const PLACES: [&str; 7] = [
    "Check",
    "OnCall",
    "OnReply",
    "OnRequest",
    "OnResponse",
    "OnArrival",
    "OnArrived",
];

/// Those of [`PLACES`] where the upstream has answered.
const ON_ANSWER: [&str; 3] = ["OnReply", "OnResponse", "OnArrived"];

// === impl Fault ===

impl Fault {
    /// Goes wrong, if this is the place.
    async fn at(self, place: Place) -> Result<(), Error> {
        if self.place != place {
            return Ok(());
        }
        match self.how {
            How::Panics => panic!("oh"),
            How::Fails => {
                Err(Error::new(ErrorKind::Internal, "internal error").with_source("secret path"))
            }
            How::Hangs => pending().await,
            How::Passes => Ok(()),
        }
    }

    async fn on_call(self, call: Call, next: Next) -> Result<Reply, Error> {
        self.at(Place::OnCall).await?;
        let reply = next.run(call).await?;
        self.at(Place::OnReply).await?;
        if self.place != Place::OnEvents {
            return Ok(reply);
        }
        Ok(reply.map_events(|events| {
            let wrong = once(self.at(Place::OnEvents));
            let wrong = wrong.filter_map(async |went| went.err().map(Err));
            Box::pin(events.take(1).chain(wrong))
        }))
    }

    /// Over HTTP, before authentication or behind it.
    async fn on_request(
        self,
        inner: HttpService,
        request: Request<Body>,
    ) -> Result<Response<Body>, Error> {
        self.at(Place::OnRequest).await?;
        self.at(Place::OnArrival).await?;
        let response = inner.oneshot(request).await?;
        self.at(Place::OnResponse).await?;
        self.at(Place::OnArrived).await?;
        Ok(response)
    }
}

#[async_trait]
impl Check for Fault {
    async fn check(&self, _: &Call) -> Result<(), Error> {
        self.at(Place::Check).await
    }
}

impl PluginFactory for Faulty {
    type Settings = Fault;

    fn name(&self) -> &'static str {
        "faulty"
    }

    fn stages(&self) -> Stages {
        Stages::Fixed(&[Stage::PreRequest, Stage::PreResponse])
    }

    fn build(&self, fault: Fault, _: &Context<'_>) -> Result<Built, Vec<Invalid>> {
        let over_http = layer_fn(move |inner: HttpService| {
            service_fn(move |request| fault.on_request(inner.clone(), request))
        });
        Ok(match fault.place {
            Place::Check => Built::check(fault),
            Place::OnRequest | Place::OnResponse => Built::http(over_http),
            Place::OnArrival | Place::OnArrived => Built::arrival(over_http),
            _ => Built::hook(from_fn(move |call, next| fault.on_call(call, next))),
        })
    }
}

/// A gateway whose only caller has one slot, with one such hook.
fn setup(place: &str, how: &str) -> Setup {
    let plugins = json!([{"name": "faulty", "settings": {"place": place, "how": how}}]);
    let gateway = json!({"name": "default", "plugins": plugins});
    Setup::new()
        .hooks(Hooks::new().plugin(Faulty))
        .add(Kind::Gateway, "default", gateway)
        .api_key(json!({"rate_limit": {"concurrency": 1}}))
}

fn answer(streams: bool) -> Answer {
    match streams {
        true => Answer::stream().role().content("Hello").finish().done(),
        false => Answer::chat("Hello"),
    }
}

/// What every dialect has at the same place.
async fn told(response: Response<Body>) -> (u16, Value) {
    let (status, mut body) = refusal(response).await;
    (status, body["error"]["message"].take())
}

#[tokio::test(start_paused = true)]
async fn every_fault_is_told_in_the_callers_dialect_and_holds_nothing() {
    for (how, status, message) in [
        ("Panics", 500, "a hook failed"),
        ("Fails", 500, "internal error"),
        ("Hangs", 504, "a hook took too long"),
    ] {
        for place in PLACES {
            let (upstream, endings) = (Upstream::new(), Endings::new());
            let gateway = setup(place, how).builder(&upstream);
            let gateway = gateway.observe(endings.clone()).build().unwrap();
            let mut count = 0;
            for streams in [false, true] {
                for request in in_every_dialect(streams) {
                    let path = request.uri().path().to_owned();
                    upstream.answer(answer(streams));
                    let response = send(&gateway, request).await;
                    // Each takes the only slot, so it was given back by the one before.
                    let expected = (status, json!(message));
                    assert_eq!(told(response).await, expected, "{place} {how} {path}");
                    count += 1;
                }
            }
            assert_eq!(endings.all().len(), count, "{place} {how}");
            let is_on_answer = ON_ANSWER.contains(&place);
            assert_eq!(!upstream.requests().is_empty(), is_on_answer, "{place}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_on_the_answer_hangs_up_on_the_upstream() {
    for place in ON_ANSWER {
        for how in ["Panics", "Fails", "Hangs"] {
            let upstream = Upstream::new();
            let gateway = setup(place, how).gateway(&upstream);
            let mut exchange = upstream.answer(Answer::stream().content("Hello").stall());
            assert!(stream(&gateway).await.status().is_server_error());
            assert_eq!(exchange.ended().await, Ended::Dropped, "{place} {how}");
        }
    }
}

/// Lets something go as far as it can without anybody else, and drops it.
async fn is_pending(future: impl Future) -> bool {
    tokio::select! {
        biased;
        _ = future => false,
        () = ready(()) => true,
    }
}

/// A stream that goes wrong after its first event, and its upstream, which has more to say.
async fn broken(how: &str) -> (Response<Body>, Exchange, Endings) {
    let (upstream, endings) = (Upstream::new(), Endings::new());
    let gateway = setup("OnEvents", how).builder(&upstream);
    let gateway = gateway.observe(endings.clone()).build().unwrap();
    let exchange = upstream.answer(Answer::stream().content("Hello").stall());
    (stream(&gateway).await, exchange, endings)
}

#[tokio::test]
async fn a_fault_among_events_breaks_the_stream_and_hangs_up() {
    for how in ["Panics", "Fails"] {
        let (response, mut exchange, endings) = broken(how).await;
        assert_eq!(response.status(), 200);
        let mut body = response.into_body();
        let first = testing::next_text(&mut body).await;
        assert!(first.is_some_and(|text| text.contains("Hello")), "{how}");
        let broke = body.frame().await;
        assert!(broke.is_some_and(|frame| frame.is_err()), "{how}");
        drop(body);
        assert_eq!(exchange.ended().await, Ended::Dropped, "{how}");
        assert_eq!(endings.only().word, "failed", "{how}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_ends_a_hook_that_hangs_wherever_it_is() {
    let (response, mut exchange, endings) = broken("Hangs").await;
    let mut body = response.into_body();
    let first = testing::next_text(&mut body).await;
    assert!(first.is_some_and(|text| text.contains("Hello")));
    assert!(is_pending(body.frame()).await);
    drop(body);
    assert_eq!(exchange.ended().await, Ended::Dropped);
    assert_eq!(endings.only().word, "cancelled");

    for place in PLACES {
        let (upstream, endings) = (Upstream::new(), Endings::new());
        let gateway = setup(place, "Hangs").builder(&upstream);
        let gateway = gateway.observe(endings.clone()).build().unwrap();
        for _ in 0..2 {
            upstream.answer(Answer::stream().content("Hello").stall());
            assert!(is_pending(stream(&gateway)).await, "{place}");
        }
        let words: Vec<_> = endings.all().iter().map(|ending| ending.word).collect();
        assert_eq!(words, ["cancelled"; 2], "{place}");
    }
}

#[tokio::test(start_paused = true)]
async fn patience_is_with_hooks_and_not_with_what_they_wait_for() {
    let second = Duration::from_secs(1);
    let slow = from_fn(move |call: Call, next: Next| async move {
        tokio::time::sleep(40 * second).await;
        let reply = next.run(call).await;
        tokio::time::sleep(40 * second).await;
        reply
    });
    let passes = |place: &str| json!({"name": "faulty", "id": place, "settings": {"place": place, "how": "Passes"}});
    let plugins = json!([
        passes("OnArrival"),
        passes("OnRequest"),
        passes("OnCall"),
        passes("Check")
    ]);
    let upstream = Upstream::new();
    let gateway = Setup::new()
        .hooks(Hooks::new().plugin(Faulty))
        .add(
            Kind::Gateway,
            "default",
            json!({"name": "default", "plugins": plugins}),
        )
        .builder(&upstream)
        .hook(slow)
        .build()
        .unwrap();
    upstream.answer(Answer::chat("late").head_after(600 * second));
    assert_eq!(chat(&gateway).await.status(), 200);
}
