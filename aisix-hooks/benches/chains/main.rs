//! What chains of hooks cost for one call, in this process: calls through a gateway in front of a scripted upstream.
//!
//! Compare with `none` of the same kind. `keyword_guard` has floors of its own: finding the texts in a request, and scanning
//! what they say for the same patterns. Before the benches, how much of a stream it holds back is told in characters.
//! Guards that ask a service ask a scripted one, which answers at once: what they take has a round trip in it, without a network.
#![allow(clippy::print_stdout, reason = "a bench tells figures")]

#[path = "../../tests/plugins/services.rs"]
mod services;
mod table;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use aisix_core::{
    BoxError, Gateway,
    body::Body,
    config::Kind,
    hook::Hooks,
    testing::{self, Answer, MODEL, Setup, Upstream},
    wire::Dialect,
};
use aisix_hooks::text;
use bytes::Bytes;
use divan::{Bencher, counter::ItemsCount};
use futures_util::{StreamExt, stream};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use regex::{Regex, RegexBuilder};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tower::{ServiceExt, service_fn};

use table::{CHAINS, chain, patterns};

/// How many tokens a stream has.
const TOKENS: usize = 1_000;

const PROSE: &str = "The committee met on a grey morning and went through the plans for the new library one by one. \
    Most of what was proposed had been discussed before, in other rooms and by other people, but nobody had yet written \
    down what it would cost or who would pay for it. A young engineer from the water board explained, with some patience, \
    why the cellar could not be dug where the architects wanted it. Internal pipes, she said, do not appear on the \
    drawings they had been given; the project would have to move three metres to the east, or wait for a year. \
    \"Confidentially,\" replied the chairman, \"we have waited for ten.\" Then there was tea.\n\n";

fn main() {
    tell_hold_back();
    divan::main();
}

fn runtime() -> Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime starts")
}

fn setup(name: &str) -> Setup {
    let hooks = match name {
        "no registry" => Hooks::new(),
        _ => aisix_hooks::hooks(),
    };
    let setup = Setup::new().hooks(hooks);
    match chain(name) {
        chain if chain.is_empty() => setup,
        chain => setup.add(
            Kind::Gateway,
            "default",
            json!({"name": "default", "plugins": chain}),
        ),
    }
}

fn gateway(name: &str, upstream: &Upstream) -> Gateway {
    let builder = Gateway::builder(setup(name).config());
    let gateway = builder.transport(services::beside(upstream)).build();
    gateway.expect("there is a transport")
}

fn request(number: usize, size: usize, streams: bool) -> Request<Body> {
    let content: String = PROSE.chars().cycle().take(size).collect();
    let content = format!("{number} {content}");
    let message = json!({"role": "user", "content": content});
    let body = json!({"model": MODEL, "messages": [message], "stream": streams});
    let mut request = testing::request("/v1/chat/completions", body.to_string());
    let address = ([192, 0, 2, 1], 1).into();
    request
        .extensions_mut()
        .insert(aisix_core::edge::ClientAddr(address));
    request
}

async fn ask(gateway: Gateway, request: Request<Body>) -> usize {
    let response = gateway
        .oneshot(request)
        .await
        .expect("a gateway never fails");
    assert_eq!(response.status(), 200);
    let body = response.into_body().collect().await;
    body.expect("the answer arrives").to_bytes().len()
}

fn bench(bencher: Bencher<'_, '_>, name: &str, size: usize, answer: fn() -> Answer, streams: bool) {
    let (runtime, upstream) = (runtime(), Upstream::new());
    let gateway = gateway(name, &upstream);
    // Every call is another one for a cache, unless it is to be found there.
    let asked = AtomicUsize::new(0);
    let is_found = name == "cache, hit";
    bencher
        .with_inputs(|| {
            let number = asked.fetch_add(1, Ordering::Relaxed);
            if !is_found || number == 0 {
                upstream.answer(answer());
            }
            let number = if is_found { 0 } else { number };
            (gateway.clone(), request(number, size, streams))
        })
        .bench_local_values(|(gateway, request)| runtime.block_on(ask(gateway, request)));
}

#[divan::bench(args = CHAINS)]
fn small(bencher: Bencher<'_, '_>, name: &str) {
    bench(bencher, name, 1 << 10, || Answer::chat("It is so."), false);
}

#[divan::bench(args = CHAINS)]
fn large(bencher: Bencher<'_, '_>, name: &str) {
    bench(
        bencher,
        name,
        100 << 10,
        || Answer::chat("It is so."),
        false,
    );
}

fn tokens() -> impl Iterator<Item = String> {
    let words = PROSE.split_inclusive(' ').cycle();
    words.take(TOKENS).map(str::to_owned)
}

/// A thousand tokens: a token costs a thousandth of what is more than in `none`.
#[divan::bench(args = CHAINS)]
fn stream_of_1000(bencher: Bencher<'_, '_>, name: &str) {
    let answer = || {
        tokens()
            .fold(Answer::stream().role(), |stream, token| {
                stream.content(&token)
            })
            .finish()
            .done()
    };
    bench(
        bencher.counter(ItemsCount::new(TOKENS)),
        name,
        1 << 10,
        answer,
        true,
    );
}

/// All patterns as one expression.
fn expression() -> Regex {
    let pattern = |pattern: &Value| {
        let value = pattern["value"].as_str().unwrap_or_default();
        match pattern["kind"] == "regex" {
            true => format!("(?:{value})"),
            false => format!("(?i:{})", regex::escape(value)),
        }
    };
    let patterns: Vec<_> = patterns().iter().map(pattern).collect();
    let expression = RegexBuilder::new(&patterns.join("|")).build();
    expression.expect("it is one")
}

fn body(size: usize) -> Bytes {
    let body = runtime().block_on(request(0, size, false).into_body().collect());
    body.expect("it is in memory").to_bytes()
}

/// The floor for `large`, `keyword_guard`: one pass of the engine over what is said.
#[divan::bench]
fn floor_scan_of_100_kib(bencher: Bencher<'_, '_>) {
    let (expression, said): (_, String) = (
        expression(),
        PROSE.chars().cycle().take(100 << 10).collect(),
    );
    bencher.bench(|| expression.is_match(divan::black_box(&said)));
}

/// What finding the texts takes of it.
#[divan::bench]
fn floor_texts_in_100_kib(bencher: Bencher<'_, '_>) {
    let body = body(100 << 10);
    bencher.bench(|| {
        text::of_request(Dialect::OpenAi, divan::black_box(&body)).map(|texts| texts.len())
    });
}

/// Tells how many characters are held back when the next token comes.
fn tell_hold_back() {
    let (sent, got) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let held = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let transport = {
        let (sent, got, held) = (sent, got.clone(), held.clone());
        service_fn(move |_: Request<Body>| {
            let (sent, got, held) = (sent.clone(), got.clone(), held.clone());
            let frames = stream::iter(tokens()).then(move |token| {
                let (sent, got, held) = (sent.clone(), got.clone(), held.clone());
                async move {
                    // All that may go on has gone when the next token is waited for.
                    tokio::task::yield_now().await;
                    held.lock()
                        .push(sent.load(Ordering::Relaxed) - got.load(Ordering::Relaxed));
                    sent.fetch_add(token.len(), Ordering::Relaxed);
                    Ok::<_, BoxError>(Frame::data(testing::chunk(&token).into()))
                }
            });
            let response = Response::builder().header("content-type", "text/event-stream");
            let response = response.body(Body::new(StreamBody::new(frames.boxed())));
            std::future::ready(response.map_err(BoxError::from))
        })
    };
    let gateway = Gateway::builder(setup("keyword_guard").config()).transport(transport);
    let gateway = gateway.build().expect("there is a transport");
    runtime().block_on(async {
        let response = gateway.oneshot(request(0, 1 << 10, true)).await;
        let mut body = response.expect("a gateway never fails").into_body();
        while let Some(Ok(frame)) = body.frame().await {
            got.fetch_add(
                said(&frame.into_data().unwrap_or_default()),
                Ordering::Relaxed,
            );
        }
    });
    let mut held = held.lock().clone();
    held.sort_unstable();
    let at = |percent: usize| held[(held.len() * percent / 100).min(held.len() - 1)];
    println!(
        "held back of a stream by 100 patterns, in bytes of text when the next token comes: \
        p50 {}, p90 {}, p99 {}, at most {}",
        at(50),
        at(90),
        at(99),
        at(100)
    );
}

/// How much text some events carry.
fn said(events: &[u8]) -> usize {
    let lines = events.split(|byte| *byte == b'\n');
    let events = lines
        .filter_map(|line| serde_json::from_slice::<Value>(line.strip_prefix(b"data: ")?).ok());
    let texts = events.map(|event| {
        event["choices"][0]["delta"]["content"]
            .as_str()
            .map_or(0, str::len)
    });
    texts.sum()
}
