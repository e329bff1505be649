//! Asking over HTTP: one question, one bounded answer, before a deadline.

use std::{sync::Arc, time::Duration};

use aisix_core::{ErrorKind, body::Body, upstream::Transport};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::{
    HeaderName, HeaderValue, Method, Request, Uri,
    header::{ACCEPT, CONTENT_TYPE},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::{Serialize, de::DeserializeOwned};

use super::service::Failure;

/// How long an answer may be, in bytes, besides four times the question.
const MAX_ANSWER: usize = 1024 * 1024;
/// How many questions of one call are asked at the same time.
pub(super) const AT_ONCE: usize = 4;

/// What asks questions.
pub(super) struct Asker {
    pub(super) transport: Arc<dyn Transport>,
    /// The deadline of one question, from its beginning to the last byte of the answer.
    pub(super) timeout: Duration,
}

/// A question in JSON.
pub(super) fn post<'h>(
    uri: &Uri,
    headers: impl IntoIterator<Item = (HeaderName, &'h HeaderValue)>,
    body: &impl Serialize,
) -> Request<Bytes> {
    let body = serde_json::to_vec(body).expect("questions have names for members");
    let mut question = Request::new(Bytes::from(body));
    *question.method_mut() = Method::POST;
    *question.uri_mut() = uri.clone();
    let json = HeaderValue::from_static("application/json");
    question.headers_mut().insert(CONTENT_TYPE, json.clone());
    question.headers_mut().insert(ACCEPT, json);
    let headers = headers.into_iter();
    question
        .headers_mut()
        .extend(headers.map(|(name, value)| (name, value.clone())));
    question
}

// === impl Asker ===

impl Asker {
    /// Asks one question.
    ///
    /// # Errors
    ///
    /// When there is no answer in time, or one that is no success, too long, or of another form.
    pub(super) async fn ask<A: DeserializeOwned>(
        &self,
        question: Request<Bytes>,
    ) -> Result<A, Failure> {
        let asking = tokio::time::timeout(self.timeout, self.exchange(question));
        let answer = asking.await.unwrap_or(Err(Failure::Timeout))?;
        serde_json::from_slice(&answer).map_err(|_| Failure::Unreadable)
    }

    async fn exchange(&self, question: Request<Bytes>) -> Result<Bytes, Failure> {
        let bound = MAX_ANSWER + 4 * question.body().len();
        let sending = self.transport.send(question.map(Body::full));
        let answer = sending.await.map_err(|error| match error.kind() {
            ErrorKind::Timeout => Failure::Timeout,
            _ => Failure::Unreachable,
        })?;
        if !answer.status().is_success() {
            return Err(Failure::Status(answer.status().as_u16()));
        }
        let body = Limited::new(answer.into_body(), bound).collect().await;
        let body = body.map_err(|error| match error.is::<LengthLimitError>() {
            true => Failure::TooLong,
            false => Failure::Broken,
        })?;
        Ok(body.to_bytes())
    }

    /// Asks several questions, of which four are under way at the same time; gives the answers in the
    /// order of the questions. Who stops reading drops what is under way.
    pub(super) fn ask_each<A: DeserializeOwned + Send>(
        &self,
        questions: impl IntoIterator<Item = Request<Bytes>, IntoIter: Send>,
    ) -> impl Stream<Item = Result<A, Failure>> + Send {
        let asking = questions.into_iter().map(|question| self.ask(question));
        stream::iter(asking).buffered(AT_ONCE)
    }
}
