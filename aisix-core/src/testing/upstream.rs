//! A provider that plays scripts, in this process.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::stream;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use parking_lot::Mutex;
use serde_json::Value;
use tower_service::Service;

use super::{
    Answer, Exchange, Recorded,
    answer::Step,
    exchange::{Side, exchange},
};
use crate::{
    BoxError,
    body::Body,
    error::{Error, ErrorKind},
};

/// An upstream in memory: a Tower service, and so a [`Transport`](crate::upstream::Transport).
///
/// It plays the answers that it was given, one for each request, in order. Requests beyond that get what
/// [`always`](Self::always) says of their model, or are refused with 404, which is not retried. Clones are the same
/// upstream.
///
/// ```
/// use aisix_core::testing::{self, Answer, Ended, Upstream};
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let upstream = Upstream::new();
/// let mut exchange = upstream.answer(Answer::stream().content("Hel").stall());
///
/// let response = testing::gateway(&upstream)
///     .oneshot(testing::request("/v1/chat/completions", r#"{
///         "model": "test-model", "stream": true, "messages": [{"role": "user", "content": "hi"}]
///     }"#))
///     .await
///     .unwrap();
/// drop(response);
/// assert_eq!(exchange.ended().await, Ended::Dropped);
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Upstream(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    answers: VecDeque<(Answer, Side)>,
    /// The answers for requests that name this model.
    by_model: HashMap<String, VecDeque<(Answer, Side)>>,
    always: HashMap<String, Answer>,
    requests: Vec<Arc<Recorded>>,
}

// === impl Upstream ===

impl Upstream {
    /// An upstream without answers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an answer for the next request that has none.
    pub fn answer(&self, answer: Answer) -> Exchange {
        let (side, exchange) = exchange();
        self.0.lock().answers.push_back((answer, side));
        exchange
    }

    /// Adds an answer for the next request that names this model and has none.
    pub fn answer_for(&self, model: &str, answer: Answer) -> Exchange {
        let (side, exchange) = exchange();
        let mut inner = self.0.lock();
        let answers = inner.by_model.entry(model.to_owned()).or_default();
        answers.push_back((answer, side));
        exchange
    }

    /// Answers every request that names this model and for which there is no other answer.
    pub fn always(&self, model: &str, answer: Answer) {
        self.0.lock().always.insert(model.to_owned(), answer);
    }

    /// How many requests have named this model.
    pub fn count(&self, model: &str) -> usize {
        let requests = self.requests();
        let named = requests.iter().filter(|request| named(request) == model);
        named.count()
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Arc<Recorded>> {
        self.0.lock().requests.clone()
    }

    /// The last request.
    ///
    /// # Panics
    ///
    /// When there was none.
    pub fn last_request(&self) -> Arc<Recorded> {
        let last = self.0.lock().requests.last().cloned();
        last.expect("a request has reached the upstream")
    }

    fn record(&self, request: Recorded) -> (Answer, Side) {
        let request = Arc::new(request);
        let mut inner = self.0.lock();
        inner.requests.push(request.clone());
        let model = named(&request);
        let own = inner.by_model.get_mut(&model).and_then(VecDeque::pop_front);
        let next = own.or_else(|| inner.answers.pop_front());
        let (answer, side) = next.unwrap_or_else(|| {
            let always = inner.always.get(&model).cloned();
            let answer = always.unwrap_or_else(|| Answer::refusal(404, "nothing is scripted"));
            (answer, exchange().0)
        });
        side.requested(request);
        (answer, side)
    }

    async fn play(self, request: http::Request<Body>) -> Result<http::Response<Body>, BoxError> {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let (answer, side) = self.record(Recorded { head, body });
        for step in answer.before_head {
            if matches!(step, Step::Refuse) {
                side.complete();
                let message = "the upstream could not be reached";
                return Err(Error::new(ErrorKind::Transport, message).unsent().into());
            }
            if matches!(play(step).await, Played::Cut) {
                side.complete();
                return Err("the upstream hung up".into());
            }
        }
        let mut response = http::Response::new(script(answer.steps, side));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}

/// The model that a request names, if it does so in its body.
fn named(request: &Recorded) -> String {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    body["model"].as_str().unwrap_or_default().to_owned()
}

enum Played {
    Sent(bytes::Bytes),
    Passed,
    Cut,
}

async fn play(step: Step) -> Played {
    match step {
        Step::Send(bytes) => return Played::Sent(bytes),
        Step::Cut | Step::Refuse => return Played::Cut,
        Step::Wait(delay) => tokio::time::sleep(delay).await,
        Step::Gate(gate) => gate.passed().await,
        Step::Stall => std::future::pending().await,
    }
    Played::Passed
}

fn script(steps: Vec<Step>, side: Side) -> Body {
    let state = Some((VecDeque::from(steps), side));
    let frames = stream::unfold(state, |state| async move {
        let (mut steps, side) = state?;
        loop {
            let Some(step) = steps.pop_front() else {
                side.complete();
                return None;
            };
            match play(step).await {
                Played::Passed => {}
                Played::Sent(bytes) => return Some((Ok(Frame::data(bytes)), Some((steps, side)))),
                Played::Cut => {
                    side.complete();
                    return Some((Err(BoxError::from("the upstream hung up")), None));
                }
            }
        }
    });
    Body::stream(StreamBody::new(frames))
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.0.lock();
        f.debug_struct("Upstream")
            .field("answers", &inner.answers.len())
            .field("requests", &inner.requests.len())
            .finish()
    }
}

impl Service<http::Request<Body>> for Upstream {
    type Response = http::Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(self.clone().play(request))
    }
}
