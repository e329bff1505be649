//! What it costs to find one of many requests by likeness, in this process: a whole call that is answered so, its vector made by a
//! scripted upstream. Compare with one request: what is more is the search.

use aisix_core::{
    BoxError, Gateway,
    body::Body,
    config::Kind,
    testing::{self, MODEL, Setup, chat_answer},
};
use bytes::Bytes;
use divan::Bencher;
use http::{Request, Response};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tower::{ServiceExt, service_fn};

const DIMENSIONS: usize = 1_536;

fn main() {
    divan::main();
}

/// A vector that depends on a number and is far from those of all others.
fn vector(number: u64) -> Bytes {
    let mut random = numbers(number);
    let parts: Vec<f32> = (0..DIMENSIONS).map(|_| random()).collect();
    let data = json!([{"index": 0, "embedding": parts}]);
    json!({"data": data}).to_string().into()
}

/// Numbers between -1 and 1, by xorshift.
fn numbers(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    }
}

/// Answers chats, and makes vectors of texts that begin with a number.
async fn upstream(known: Bytes, request: Request<Body>) -> Result<Response<Body>, BoxError> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let answer = match head.uri.path().ends_with("/embeddings") {
        false => chat_answer("hello").into(),
        true => {
            let said: Value = serde_json::from_slice(&body)?;
            let text = said["input"].as_str().unwrap_or_default();
            let number = text.split(' ').next().unwrap_or_default().parse();
            match number.unwrap_or_default() {
                0 => known,
                number => vector(number),
            }
        }
    };
    let response = Response::builder().header("content-type", "application/json");
    Ok(response.body(Body::full(answer))?)
}

fn gateway() -> Gateway {
    let semantic = json!({"embedding_model": MODEL, "threshold": 0.9, "max_entries": 10_000});
    let policy = json!({"name": "alike", "max_bytes": 1_u64 << 30, "semantic": semantic});
    let setup = Setup::new()
        .hooks(aisix_hooks::hooks())
        .add(Kind::CachePolicy, "1", policy);
    let known = vector(0);
    let transport = service_fn(move |request| upstream(known.clone(), request));
    let gateway = Gateway::builder(setup.config()).transport(transport);
    gateway.build().expect("there is a transport")
}

async fn ask(gateway: &Gateway, text: &str) -> Option<Bytes> {
    let response = gateway.clone().oneshot(testing::chat_request(text)).await;
    let response = response.expect("a gateway never fails");
    let similarity = response.headers().get("x-aisix-cache-similarity").cloned();
    testing::text(response).await;
    Some(Bytes::copy_from_slice(similarity?.as_bytes()))
}

#[divan::bench(args = [1, 1_000, 10_000], sample_count = 50)]
fn hit(bencher: Bencher<'_, '_>, entries: u64) {
    let runtime: Runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    let gateway = gateway();
    runtime.block_on(async {
        for number in 0..entries {
            assert_eq!(ask(&gateway, &format!("{number} first")).await, None);
        }
    });
    bencher.bench_local(|| {
        let likeness = runtime.block_on(ask(&gateway, "0 second"));
        assert_eq!(likeness.as_deref(), Some(&b"1.0000"[..]));
    });
}
