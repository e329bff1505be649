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

/// How long an answer may be, in bytes, besides four times the question.
const MAX_ANSWER: usize = 1024 * 1024;
/// How many questions of one call are asked at the same time.
pub(crate) const AT_ONCE: usize = 4;

/// What asks questions.
pub(crate) struct Asker {
    pub(crate) transport: Arc<dyn Transport>,
    /// The deadline of one question, from its beginning to the last byte of the answer.
    pub(crate) timeout: Duration,
}

/// Why there is no answer that could be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It took too long.
    Timeout,
    /// The service could not be reached.
    Unreachable,
    /// The service has answered with this status.
    Status(u16),
    /// The answer broke off.
    Broken,
    /// The answer is too long.
    TooLong,
    /// The answer cannot be read.
    Unreadable,
}

/// A question in JSON.
pub(crate) fn post<'h>(
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
    pub(crate) async fn ask<A: DeserializeOwned>(
        &self,
        question: Request<Bytes>,
    ) -> Result<A, Failure> {
        let answer = self.ask_bytes(question).await?;
        serde_json::from_slice(&answer).map_err(|_| Failure::Unreadable)
    }

    /// Asks one question; what the answer says is for the caller to read.
    ///
    /// # Errors
    ///
    /// When there is no answer in time, or one that is no success or too long.
    pub(crate) async fn ask_bytes(&self, question: Request<Bytes>) -> Result<Bytes, Failure> {
        let asking = tokio::time::timeout(self.timeout, self.exchange(question));
        asking.await.unwrap_or(Err(Failure::Timeout))
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
    pub(crate) fn ask_each<A: DeserializeOwned + Send>(
        &self,
        questions: impl IntoIterator<Item = Request<Bytes>, IntoIter: Send>,
    ) -> impl Stream<Item = Result<A, Failure>> + Send {
        let asking = questions.into_iter().map(|question| self.ask(question));
        stream::iter(asking).buffered(AT_ONCE)
    }
}

// === impl Failure ===

impl Failure {
    /// The failure in a word, of which there are few, for labels.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Status(429) => "status_429",
            Self::Status(300..400) => "status_3xx",
            Self::Status(400..500) => "status_4xx",
            Self::Status(_) => "status_5xx",
            Self::Broken => "broken_answer",
            Self::TooLong => "long_answer",
            Self::Unreadable => "unreadable_answer",
        }
    }
}
