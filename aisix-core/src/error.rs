//! The one error of the pipeline.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue, StatusCode};

use crate::{
    BoxError,
    limit::{Limit, Rate},
};

/// Why a request was not served, or not to its end.
///
/// It says what happened (`kind`), what the caller may read (`message`, `code`, `param`) and whether
/// trying again can help (`retry`). It is written in the caller's dialect by the edge, the only place
/// that turns kinds into status codes.
///
/// A message is shown to the caller: it must not contain credentials, addresses of upstreams or
/// bodies. What is only for the operator goes into the [`source`](Error::with_source), which is
/// logged and never sent.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    code: Option<Cow<'static, str>>,
    param: Option<Cow<'static, str>>,
    retry: Retry,
    retry_after: Option<Duration>,
    status: Option<StatusCode>,
    limit: Option<(Arc<Limit>, Rate)>,
    headers: Vec<(HeaderName, HeaderValue)>,
    upstream: Option<UpstreamRefusal>,
    source: Option<BoxError>,
    is_unsent: bool,
}

/// What happened, in the words of the error table of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request is malformed (400).
    InvalidRequest,
    /// No or a wrong credential (401).
    Unauthenticated,
    /// The caller may not do this (403).
    Forbidden,
    /// No such path (404).
    NotFound,
    /// No such model (404).
    ModelNotFound,
    /// The path exists, but not for this method (405).
    MethodNotAllowed,
    /// The request's body took too long to arrive (408).
    RequestTimeout,
    /// The request's body is over the limit (413).
    TooLarge,
    /// A hook refused the content (422).
    Blocked,
    /// A limit is used up (429).
    RateLimited,
    /// The provider of this model does not have this operation (501).
    NotImplemented,
    /// No provider can serve this model (503).
    ProviderUnavailable,
    /// The service is overloaded or has no configuration (503).
    Unavailable,
    /// The upstream took too long (504).
    Timeout,
    /// The upstream could not be reached, or the connection broke (502).
    Transport,
    /// The upstream's answer is not in its dialect (502).
    Decode,
    /// The upstream's stream ended too early (502).
    Aborted,
    /// The upstream said no; see [`UpstreamRefusal`] (its own 4xx, else 502).
    Upstream,
    /// The provider key holds an unusable credential (401).
    Credential,
    /// The configuration of the gateway is wrong (500).
    Config,
    /// A defect, or a hook failed (500).
    Internal,
}

/// Whether another attempt can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The answer would be the same everywhere.
    Never,
    /// Another attempt, here or elsewhere, can help.
    Again,
    /// Another attempt elsewhere can help; here it would be the same.
    Elsewhere,
}

/// What an upstream said when it refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamRefusal {
    /// The upstream's status; `None` for an error inside a body that began with 200.
    pub status: Option<StatusCode>,
    /// The upstream's own name for the error.
    pub code: Option<String>,
}

// === impl ErrorKind ===

impl ErrorKind {
    /// The kind in one word, for logs and labels, such as `rate_limited`.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::ModelNotFound => "model_not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::RequestTimeout => "request_timeout",
            Self::TooLarge => "too_large",
            Self::Blocked => "blocked",
            Self::RateLimited => "rate_limited",
            Self::NotImplemented => "not_implemented",
            Self::ProviderUnavailable => "provider_unavailable",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Transport => "transport",
            Self::Decode => "decode",
            Self::Aborted => "aborted",
            Self::Upstream => "upstream",
            Self::Credential => "credential",
            Self::Config => "config",
            Self::Internal => "internal",
        }
    }
}

// === impl Error ===

impl Error {
    /// A new error; `message` is shown to the caller.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        let retry = match kind {
            ErrorKind::Transport | ErrorKind::Decode | ErrorKind::Aborted => Retry::Again,
            ErrorKind::Timeout | ErrorKind::Credential | ErrorKind::ProviderUnavailable => {
                Retry::Elsewhere
            }
            _ => Retry::Never,
        };
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            code: None,
            param: None,
            retry,
            retry_after: None,
            status: None,
            limit: None,
            headers: Vec::new(),
            upstream: None,
            source: None,
            is_unsent: false,
        }))
    }

    /// A malformed request; `param` names the field.
    pub fn invalid(
        param: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(ErrorKind::InvalidRequest, message).with_param(param)
    }

    /// Says it in other words.
    #[must_use]
    pub(crate) fn with_message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.0.message = message.into();
        self
    }

    /// Adds a machine-readable code.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.0.code = Some(code.into());
        self
    }

    /// Names the field of the request that is wrong.
    #[must_use]
    pub fn with_param(mut self, param: impl Into<Cow<'static, str>>) -> Self {
        self.0.param = Some(param.into());
        self
    }

    /// Says whether another attempt can help.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    /// Tells the caller when to come back.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    /// Overrides the status the kind stands for. For hooks that answer with their own status.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = Some(status);
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// Names the limit that had no room, and which of its rates.
    #[must_use]
    pub fn with_limit(mut self, limit: Arc<Limit>, rate: Rate) -> Self {
        self.0.limit = Some((limit, rate));
        self
    }

    /// Adds what the upstream said.
    #[must_use]
    pub fn with_upstream(mut self, refusal: UpstreamRefusal) -> Self {
        self.0.upstream = Some(refusal);
        self
    }

    /// Adds the cause, for the operator's log only. It is written there as it is: it must not hold
    /// credentials.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Says that nothing of the request has reached the upstream, such as when no connection could be made.
    #[must_use]
    pub fn unsent(mut self) -> Self {
        self.0.is_unsent = true;
        self
    }

    /// The same error for another call that waited for the same. Its source becomes the text of it.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let inner = &*self.0;
        let source = inner.source.as_ref();
        Self(Box::new(Inner {
            kind: inner.kind,
            message: inner.message.clone(),
            code: inner.code.clone(),
            param: inner.param.clone(),
            retry: inner.retry,
            retry_after: inner.retry_after,
            status: inner.status,
            limit: inner.limit.clone(),
            headers: inner.headers.clone(),
            upstream: inner.upstream.clone(),
            source: source.map(|source| source.to_string().into()),
            is_unsent: inner.is_unsent,
        }))
    }

    /// Takes an `Error` back out of a boxed one, as tower's layers return it.
    ///
    /// Tower's own `Elapsed` becomes [`ErrorKind::Timeout`] and `Overloaded` becomes
    /// [`ErrorKind::Unavailable`]; anything else is [`ErrorKind::Internal`].
    pub fn from_boxed(error: BoxError) -> Self {
        match error.downcast::<Self>() {
            Ok(error) => *error,
            Err(other) => {
                let (kind, message) = if other.is::<tower::timeout::error::Elapsed>() {
                    (ErrorKind::Timeout, "the request timed out")
                } else if other.is::<tower::load_shed::error::Overloaded>() {
                    (ErrorKind::Unavailable, "the service is overloaded")
                } else {
                    (ErrorKind::Internal, "internal error")
                };
                Self::new(kind, message).with_source(other)
            }
        }
    }

    /// What happened.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What the caller may read.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The machine-readable code.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// The field of the request that is wrong.
    pub fn param(&self) -> Option<&str> {
        self.0.param.as_deref()
    }

    /// Whether another attempt can help.
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// When the caller may come back.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Whether it is certain that nothing of the request has reached the upstream.
    pub fn is_unsent(&self) -> bool {
        self.0.is_unsent
    }

    /// The status set by a hook.
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// Headers of the answer.
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.0.headers
    }

    /// The limit that had no room.
    pub fn limit(&self) -> Option<&Arc<Limit>> {
        self.0.limit.as_ref().map(|(limit, _)| limit)
    }

    /// The rate of that limit that had no room.
    pub fn rate(&self) -> Option<Rate> {
        self.0.limit.as_ref().map(|(_, rate)| *rate)
    }

    /// What the upstream said.
    pub fn upstream(&self) -> Option<&UpstreamRefusal> {
        self.0.upstream.as_ref()
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("code", &self.0.code)
            .field("upstream", &self.0.upstream)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|e| e as _)
    }
}
