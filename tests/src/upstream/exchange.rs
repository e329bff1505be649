//! What the upstream saw: the request as it came, and how its reply ended.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::Value;
use tokio::sync::watch;

use crate::within;

/// A request exactly as the upstream received it.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path with its query, as sent.
    pub path: String,
    /// The header fields, in the order received; names in lower case.
    pub headers: HeaderMap,
    /// The body's bytes, with any chunking undone.
    pub body: Bytes,
}

impl Request {
    /// The body as JSON. Panics when it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the request's body is JSON")
    }

    /// The first value of a header field, if it was sent and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The model that is asked for, if one is: the path names it, or else the body.
    #[must_use]
    pub fn model(&self) -> Option<String> {
        if let Some((_, named)) = self.path.split_once("/models/")
            && let Some((model, _)) = named.split_once(':')
        {
            return Some(model.to_owned());
        }
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        Some(body.get("model")?.as_str()?.to_owned())
    }
}

/// How a reply ended, as the upstream saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The last byte was handed to the connection.
    Complete,
    /// The script cut the connection.
    Cut,
    /// The peer closed the connection before the reply was complete.
    Closed,
}

/// One request and the fate of its reply. Clones watch the same exchange.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The request as received.
    pub request: Arc<Request>,
    ending: watch::Receiver<Option<Ending>>,
}

impl Exchange {
    pub(super) fn new(request: Arc<Request>) -> (Self, Tail) {
        let (sender, ending) = watch::channel(None);
        (Self { request, ending }, Tail(sender))
    }

    /// Waits for the end of the reply.
    pub async fn ended(&self) -> Ending {
        let mut ending = self.ending.clone();
        let ended = within(
            "the end of the upstream's reply",
            ending.wait_for(Option::is_some),
        )
        .await;
        ended
            .expect("the tail reports before it goes")
            .expect("just checked")
    }

    /// Waits until the upstream sees its peer close the connection. Panics when the reply ended otherwise.
    pub async fn closed(&self) {
        assert_eq!(
            self.ended().await,
            Ending::Closed,
            "the peer should have left before the end"
        );
    }

    /// True while the reply has not ended.
    #[must_use]
    pub fn going_on(&self) -> bool {
        self.ending.borrow().is_none()
    }
}

/// Reports how a reply ended; `Closed` when it is dropped before anybody said otherwise.
#[derive(Debug)]
pub(super) struct Tail(watch::Sender<Option<Ending>>);

impl Tail {
    pub(super) fn end(&self, ending: Ending) {
        self.0
            .send_if_modified(|state| state.is_none() && state.replace(ending).is_none());
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.end(Ending::Closed);
    }
}
