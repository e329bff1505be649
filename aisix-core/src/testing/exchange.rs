//! One exchange as the upstream sees it.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use serde_json::Value;
use tokio::sync::watch;

/// A request as the upstream got it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The head.
    pub head: Parts,
    /// The whole body.
    pub body: Bytes,
}

/// How an exchange ended for the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The script was played to its end.
    Complete,
    /// The gateway hung up before that.
    Dropped,
}

/// The upstream's side of one scripted answer.
#[derive(Debug)]
pub struct Exchange(watch::Receiver<State>);

#[derive(Clone, Debug, Default)]
struct State {
    request: Option<Arc<Recorded>>,
    ended: Option<Ended>,
}

/// Travels with the answer. Dropped before its time, it tells that the gateway hung up.
#[derive(Debug)]
pub(super) struct Side(watch::Sender<State>);

pub(super) fn exchange() -> (Side, Exchange) {
    let (sender, receiver) = watch::channel(State::default());
    (Side(sender), Exchange(receiver))
}

// === impl Recorded ===

impl Recorded {
    /// The body as JSON; `null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body as text; empty when it is not UTF-8.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_default()
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }
}

// === impl Exchange ===

impl Exchange {
    /// Waits for the request, and returns it.
    ///
    /// # Panics
    ///
    /// When the upstream is gone before a request came.
    pub async fn request(&mut self) -> Arc<Recorded> {
        let state = self.0.wait_for(|state| state.request.is_some()).await;
        let request = state.ok().and_then(|state| state.request.clone());
        request.expect("a request reaches the upstream")
    }

    /// Waits until the script was played to its end, or the gateway hung up.
    pub async fn ended(&mut self) -> Ended {
        let state = self.0.wait_for(|state| state.ended.is_some()).await;
        let ended = state.ok().and_then(|state| state.ended);
        ended.unwrap_or(Ended::Dropped)
    }

    /// How the exchange ended, if it has.
    pub fn has_ended(&self) -> Option<Ended> {
        self.0.borrow().ended
    }
}

// === impl Side ===

impl Side {
    pub(super) fn requested(&self, request: Arc<Recorded>) {
        self.0.send_modify(|state| state.request = Some(request));
    }

    pub(super) fn complete(&self) {
        self.0
            .send_modify(|state| state.ended = Some(Ended::Complete));
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        self.0.send_if_modified(|state| {
            let dropped = state.ended.is_none();
            state.ended.get_or_insert(Ended::Dropped);
            dropped
        });
    }
}
