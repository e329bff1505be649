//! The way to upstreams.

use std::{future::Future, pin::Pin};

use bytes::Bytes;
use tower_service::Service;

use crate::{
    BoxError,
    body::Body,
    error::{Error, ErrorKind},
};

/// Sends HTTP requests.
///
/// Implemented for every cloneable Tower service from requests to responses, such as `hyper-util`'s
/// client. Dropping the future, or the response's body, aborts the exchange.
///
/// A request of the version HTTP/2 must be sent over HTTP/2, in clear text by prior knowledge: checks of gRPC need
/// that. All others go over whatever both sides speak.
pub trait Transport: Send + Sync + 'static {
    /// Sends `request` and answers with the response's head, the body to be streamed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Transport`] when nothing came back, [`ErrorKind::Timeout`] when connecting took
    /// too long.
    fn send(&self, request: http::Request<Body>) -> Sending;
}

/// The future of [`Transport::send`].
pub type Sending = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Error>> + Send>>;

impl<S, B> Transport for S
where
    S: Service<http::Request<Body>, Response = http::Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn send(&self, request: http::Request<Body>) -> Sending {
        let mut service = self.clone();
        Box::pin(async move {
            std::future::poll_fn(|cx| service.poll_ready(cx))
                .await
                .map_err(|error| broken(error.into()))?;
            let response = service.call(request).await;
            let response = response.map_err(|error| broken(error.into()))?;
            Ok(response.map(Body::new))
        })
    }
}

fn broken(error: BoxError) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => *error,
        Err(error) => {
            Error::new(ErrorKind::Transport, "the upstream could not be reached").with_source(error)
        }
    }
}
