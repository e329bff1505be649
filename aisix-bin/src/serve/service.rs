//! Between hyper and the service: each request gets its peer's address, and is counted.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use aisix_core::{
    body::Body,
    edge::{ClientAddr, Drain},
};
use futures_util::future::Either;
use http::{HeaderValue, Request, Response, Version, header::CONNECTION};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tower::{Service, ServiceExt, util::Oneshot};

use super::{
    decode::decode,
    pulse::{Held, InFlight, Pulse},
    reading::Reading,
};

/// What can be served: a gateway, or anything of its kind.
pub(crate) trait HttpService:
    Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send + 'static>
    + Clone
    + Send
    + 'static
{
}

/// The service of one connection, as hyper calls it.
#[derive(Clone, Debug)]
pub(super) struct Serve<S> {
    inner: S,
    peer: ClientAddr,
    pulse: Arc<Pulse>,
    drain: Drain,
}

pin_project! {
    /// The response to one request. Dropping it means that the client left.
    #[derive(Debug)]
    pub(super) struct Answer<F> {
        #[pin]
        inner: F,
        request: Option<InFlight>,
        connection: Option<Connection>,
    }
}

/// What decides whether a connection that carries one request after the other is closed after this one.
#[derive(Debug)]
struct Connection {
    drain: Drain,
    is_read: Arc<AtomicBool>,
}

type Answered<S> = Either<Oneshot<S, Request<Body>>, Ready<Result<Response<Body>, Infallible>>>;

// === impl HttpService ===

impl<S> HttpService for S where
    S: Service<
            Request<Body>,
            Response = Response<Body>,
            Error = Infallible,
            Future: Send + 'static,
        > + Clone
        + Send
        + 'static
{
}

// === impl Serve ===

impl<S> Serve<S> {
    /// Serves `peer` with `inner`.
    pub(super) fn new(inner: S, peer: ClientAddr, pulse: Arc<Pulse>, drain: Drain) -> Self {
        Self {
            inner,
            peer,
            pulse,
            drain,
        }
    }
}

impl<S: HttpService> hyper::service::Service<Request<Incoming>> for Serve<S> {
    type Response = Response<Held>;
    type Error = Infallible;
    type Future = Answer<Answered<S>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let in_flight = self.pulse.begin();
        request.extensions_mut().insert(self.peer);
        let (head, body) = request.into_parts();
        // h2 has GOAWAY for this, and knows no `Connection`.
        let is_one_by_one = head.version <= Version::HTTP_11;
        let (body, is_read) = Reading::new(body);
        let connection = is_one_by_one.then(|| Connection {
            drain: self.drain.clone(),
            is_read,
        });
        let request = Request::from_parts(head, body);
        let inner = match decode(request) {
            Ok(request) => Either::Left(self.inner.clone().oneshot(request)),
            Err(refusal) => Either::Right(ready(Ok(*refusal))),
        };
        Answer {
            inner,
            request: Some(in_flight),
            connection,
        }
    }
}

// === impl Connection ===

impl Connection {
    /// Whether the client is asked to take its next request elsewhere: while the gateway drains, and where a body is
    /// left unread.
    fn ends(&self) -> bool {
        self.drain.is_draining() || !self.is_read.load(Ordering::Relaxed)
    }
}

// === impl Answer ===

impl<F> Future for Answer<F>
where
    F: Future<Output = Result<Response<Body>, Infallible>>,
{
    type Output = Result<Response<Held>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(mut response) = ready!(this.inner.poll(cx));
        let request = this.request.take().expect("polled after it was ready");
        if this.connection.as_ref().is_some_and(Connection::ends) {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        Poll::Ready(Ok(response.map(|body| Held::new(body, request))))
    }
}
