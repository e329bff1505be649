//! The mock upstream: answers chats in the dialect of the path as cheaply as hyper allows.
//!
//! The model's name, in the body or in Gemini's paths, is the script: `stream-<chunks>-<milliseconds>` streams that many chunks, that far
//! apart (`0`: as fast as they can be written); `late-<milliseconds>` gets one small JSON reply with usage after that time, `flaky-<n>`
//! at once, but for each n-th call, which is refused with 500; any other name gets it at once. A
//! stream is followed by a usage chunk if the call asks for it with `stream_options.include_usage`.
//! It also stands for the services that guards ask. `GET /calls` tells how many chats have come.

mod ask;
mod guard;
mod reply;
mod speech;

use crate::serve;
use ask::Ask;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use reply::Reply;
use speech::Speech;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many chats have come.
static CALLS: AtomicUsize = AtomicUsize::new(0);

/// Serves the mock upstream on a free port, which it prints.
pub(crate) async fn run() -> anyhow::Result<ExitCode> {
    let (listener, address) = serve::bind().await?;
    serve::announce(address)?;
    serve::serve(listener, service_fn(answer)).await?;
    Ok(ExitCode::SUCCESS)
}

/// Reads the whole call, as a real upstream would, and answers by its model's name.
async fn answer(request: Request<Incoming>) -> Result<Response<Reply>, hyper::Error> {
    let path = request.uri().path();
    if guard::is_service(path) {
        let path = path.to_owned();
        let question = request.into_body().collect().await?.to_bytes();
        return Ok(reply::found(guard::harmless(&path, &question)));
    }
    if path == "/calls" {
        let calls = CALLS.load(Ordering::Relaxed).to_string();
        return Ok(reply::found(Bytes::from(calls)));
    }
    let speech = match Speech::at(path) {
        Some(speech) if request.method() == Method::POST => speech,
        _ => return Ok(reply::not_found()),
    };
    let named = speech::model_in(path).map(Ask::named);
    let body: Bytes = request.into_body().collect().await?.to_bytes();
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    Ok(match named.unwrap_or_else(|| Ask::read(&body)) {
        Some(Ask::Chat) => reply::chat(speech),
        Some(Ask::Late(time)) => {
            tokio::time::sleep(time).await;
            reply::chat(speech)
        }
        Some(Ask::Flaky(each)) if call.is_multiple_of(each) => reply::broken(),
        Some(Ask::Flaky(_)) => reply::chat(speech),
        Some(Ask::Stream(stream)) => reply::stream(speech, stream),
        None => reply::bad_request(),
    })
}
