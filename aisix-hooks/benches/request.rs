//! What the observers cost for one request, as a worker pays it.

use std::{sync::Arc, time::Duration};

use aisix_core::{
    body::Body,
    call::{AttemptRecord, Trail},
    observe::Observer,
    reply::{End, Outcome},
    testing::{self, Answer, Setup, Upstream},
    wire::Usage,
};
use aisix_hooks::observe::{AccessLog, Metrics, MetricsSettings};
use divan::Bencher;
use http::StatusCode;
use parking_lot::Mutex;
use tower::ServiceExt;

fn main() {
    divan::main();
}

/// Keeps the trails of a gateway.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<Trail>>>);

impl Observer for Kept {
    fn ended(&self, trail: &Trail, _: &Outcome<'_>) {
        self.0.lock().push(trail.clone());
    }
}

/// The trail of one answered chat request.
fn trail() -> Trail {
    let kept = Kept::default();
    let upstream = Upstream::new();
    upstream.answer(Answer::chat("hello").header("x-request-id", "req_0123456789abcdef"));
    let gateway = Setup::new().builder(&upstream).observe(kept.clone());
    let gateway = gateway.build().expect("there is a transport");
    let mut request: http::Request<Body> = testing::chat_request("hi");
    let agent = http::HeaderValue::from_static("OpenAI/Python 2.1.0");
    request.headers_mut().insert("user-agent", agent);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime starts").block_on(async {
        let response = gateway.oneshot(request).await;
        testing::text(response.expect("a gateway never fails")).await;
    });
    kept.0.lock().pop().expect("the request has ended")
}

fn outcome() -> Outcome<'static> {
    Outcome {
        end: End::Complete,
        status: Some(StatusCode::OK),
        usage: Some(Usage {
            input: 5,
            output: 7,
            ..Usage::default()
        }),
        usage_estimated: false,
        first_token: None,
        elapsed: Duration::from_millis(12),
    }
}

fn request(observer: &impl Observer, trail: &Trail, attempt: &AttemptRecord) {
    observer.started(trail);
    observer.routed(trail);
    observer.attempt_ended(trail, attempt);
    observer.ended(divan::black_box(trail), &outcome());
}

#[divan::bench(threads = [1, 2], sample_size = 1_000)]
fn access_log(bencher: Bencher<'_, '_>) {
    let trail = trail();
    let attempt = trail.last_attempt().expect("there was an attempt");
    let (log, flush) = AccessLog::new(std::io::sink()).expect("a thread starts");
    // No sample finds the lines of the one before, which would be dropped in the end.
    bencher
        .with_inputs(|| flush.flush())
        .bench_values(|()| request(&log, &trail, &attempt));
}

#[divan::bench(threads = [1, 2], sample_size = 1_000)]
fn metrics(bencher: Bencher<'_, '_>) {
    let trail = trail();
    let attempt = trail.last_attempt().expect("there was an attempt");
    let metrics = Metrics::new(MetricsSettings::default());
    bencher.bench(|| request(&metrics, &trail, &attempt));
}

#[divan::bench(threads = [1, 2], sample_size = 1_000)]
fn both(bencher: Bencher<'_, '_>) {
    let trail = trail();
    let attempt = trail.last_attempt().expect("there was an attempt");
    let (log, flush) = AccessLog::new(std::io::sink()).expect("a thread starts");
    let metrics = Metrics::new(MetricsSettings::default());
    bencher.with_inputs(|| flush.flush()).bench_values(|()| {
        request(&log, &trail, &attempt);
        request(&metrics, &trail, &attempt);
    });
}
