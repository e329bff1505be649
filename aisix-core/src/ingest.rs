//! The stage: the body is read, bounded, and its envelope scanned.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use aisix_wire::{Envelope, Operation, ScanErrorKind};
use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use tokio::time::timeout;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    body::Body,
    call::{Authenticated, Inbound, Payload},
    edge::{Edge, Route, too_large},
    error::{Error, ErrorKind},
    models,
    reply::Reply,
    stage::{StageFuture, replace},
};

/// How long a client may pause while it sends its body.
const BODY_GAP: Duration = Duration::from_secs(30);
/// What is allocated at once on the word of a `Content-Length`.
const TRUSTED_LENGTH: u64 = 1024 * 1024;

/// Lets each route take effect: operations go on as [`Inbound`], the rest is answered here.
#[derive(Clone)]
pub(crate) struct IngestLayer {
    edge: Arc<Edge>,
}

/// See [`IngestLayer`].
#[derive(Clone)]
pub(crate) struct Ingest<S> {
    inner: S,
    edge: Arc<Edge>,
}

// === impl IngestLayer ===

impl IngestLayer {
    pub(crate) fn new(edge: Arc<Edge>) -> Self {
        Self { edge }
    }
}

impl<S> Layer<S> for IngestLayer {
    type Service = Ingest<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Ingest {
            inner,
            edge: self.edge.clone(),
        }
    }
}

// === impl Ingest ===

impl<S> Service<Authenticated> for Ingest<S>
where
    S: Service<Inbound, Response = Reply, Error = Error> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Reply;
    type Error = Error;
    type Future = StageFuture<Reply, Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Authenticated) -> Self::Future {
        let mut inner = replace(&mut self.inner);
        let limit = self.edge.settings.body_limit();
        Box::pin(async move {
            let Authenticated { arrival, caller } = request;
            let (operation, model) = match &arrival.route {
                Route::Operation { operation, model } => (*operation, model.clone()),
                Route::Model(id) => return models::one(&arrival, &caller, id),
                _ => return Ok(models::list(&arrival, &caller)),
            };
            let bytes = read(arrival.body, limit).await?;
            let payload = scan(operation, bytes)?;
            let requested_model = match model {
                Some(model) => model,
                None => payload.str("model").unwrap_or_default().into(),
            };
            let inbound = Inbound {
                head: Arc::new(arrival.head),
                operation,
                requested_model,
                payload,
                caller,
                config: arrival.config,
                trail: arrival.trail,
            };
            inbound.trail.set_streams(inbound.streams());
            inner.call(inbound).await
        })
    }
}

/// Reads a body up to `limit` bytes. A body that came in one piece is not copied.
async fn read(mut body: Body, limit: u64) -> Result<Bytes, Error> {
    let mut first = Bytes::new();
    let mut rest: Option<BytesMut> = None;
    let mut length = 0;
    loop {
        let next = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx));
        let frame = match timeout(BODY_GAP, next).await {
            Ok(Some(frame)) => frame.map_err(unreadable)?,
            Ok(None) => break,
            Err(_) => {
                return Err(Error::new(
                    ErrorKind::RequestTimeout,
                    "the request body did not arrive in time",
                ));
            }
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        length += data.len() as u64;
        if length > limit {
            return Err(too_large(limit));
        }
        match &mut rest {
            Some(rest) => rest.extend_from_slice(&data),
            None if first.is_empty() => first = data,
            None => {
                let expected = body.size_hint().upper().unwrap_or(0).min(TRUSTED_LENGTH);
                let mut joined = BytesMut::with_capacity(length as usize + expected as usize);
                joined.extend_from_slice(&first);
                joined.extend_from_slice(&data);
                rest = Some(joined);
            }
        }
    }
    Ok(rest.map_or(first, BytesMut::freeze))
}

fn unreadable(error: crate::BoxError) -> Error {
    Error::new(
        ErrorKind::InvalidRequest,
        "the request body could not be read",
    )
    .with_source(error)
}

/// A body as that of an operation.
pub(crate) fn scan(operation: &'static Operation, bytes: Bytes) -> Result<Payload, Error> {
    let envelope = Envelope::scan(&bytes, operation.reads).map_err(|error| match &error.kind {
        ScanErrorKind::Duplicate(name) => {
            Error::invalid(name.clone(), format!("duplicate field {name:?}"))
        }
        _ => Error::new(
            ErrorKind::InvalidRequest,
            format!("request payload is invalid: invalid JSON request body: {error}"),
        ),
    })?;
    operation
        .check(&bytes, &envelope)
        .map_err(|invalid| Error::invalid(invalid.param, invalid.message))?;
    Ok(Payload::new(bytes, envelope))
}
