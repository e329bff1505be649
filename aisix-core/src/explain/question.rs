//! What is asked.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use aisix_wire::{CHAT_COMPLETIONS, Envelope, OPERATIONS};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Uri,
    header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::sample;
use crate::{
    body::Body,
    config::Secret,
    edge::{ClientAddr, Route},
    models::quoted,
};

/// A request to be explained.
///
/// Default: nobody's, a minimal chat, from the loopback address. A [model](Self::model) or a
/// [body](Self::body) is needed.
#[derive(Clone)]
#[must_use]
pub struct Question {
    key: Option<Secret>,
    key_id: Option<Arc<str>>,
    model: Option<String>,
    operation: String,
    body: Option<Bytes>,
    client: IpAddr,
    headers: HeaderMap,
}

/// Why there is nothing to be explained.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BadQuestion {
    /// Which part of the question is wrong: `key`, `key_id`, `model` or `operation`.
    pub member: &'static str,
    /// What is wrong with it: the rest of a sentence that begins with its name.
    pub message: String,
}

/// A question as the gateway takes it.
pub(super) struct Asked {
    pub(super) request: http::Request<Body>,
    pub(super) key_id: Option<Arc<str>>,
    /// The model as the request names it.
    pub(super) model: Option<String>,
    /// Whether the body was given, not made up.
    pub(super) has_body: bool,
}

// === impl Question ===

impl Question {
    /// A question without a caller and without a model.
    pub fn new() -> Self {
        Self {
            key: None,
            key_id: None,
            model: None,
            operation: CHAT_COMPLETIONS.path.to_owned(),
            body: None,
            client: IpAddr::V4(Ipv4Addr::LOCALHOST),
            headers: HeaderMap::new(),
        }
    }

    /// Asks for the caller with this credential.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(Secret::new(key));
        self
    }

    /// Asks for the caller of the configured API key with this id, whose credential nobody knows. The
    /// authenticator is not asked then.
    pub fn key_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.key_id = Some(id.into());
        self
    }

    /// Asks for this model. A body names its own; they must not differ.
    pub fn model(mut self, name: impl Into<String>) -> Self {
        self.model = Some(name.into());
        self
    }

    /// Asks for this endpoint, by its path, such as `/v1/messages`, or its name, such as `messages`. In a
    /// path, `{model}` stands for the model. Default: `/v1/chat/completions`.
    pub fn operation(mut self, path: impl Into<String>) -> Self {
        self.operation = path.into();
        self
    }

    /// Asks about these very bytes. Default: a minimal valid body for the endpoint.
    pub fn body(mut self, bytes: impl Into<Bytes>) -> Self {
        self.body = Some(bytes.into());
        self
    }

    /// Says where the client is. Default: `127.0.0.1`.
    pub fn client(mut self, address: IpAddr) -> Self {
        self.client = address;
        self
    }

    /// Adds a header of the request.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Makes the request.
    pub(super) fn prepare(self) -> Result<Asked, BadQuestion> {
        let uri = self.uri()?;
        let model = self.named_model(&uri)?;
        let has_body = self.body.is_some();
        let body = match &self.body {
            Some(body) => body.clone(),
            None => self.sample(&uri),
        };
        let mut request = http::Request::new(Body::full(body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        let address = ClientAddr(SocketAddr::new(self.client, 0));
        request.extensions_mut().insert(address);
        let mut headers = self.headers;
        headers.entry(CONTENT_LENGTH).or_insert(body.len().into());
        let json = HeaderValue::from_static("application/json");
        headers.entry(CONTENT_TYPE).or_insert(json);
        if let Some(key) = &self.key {
            headers.insert(AUTHORIZATION, bearer(key)?);
        }
        *request.headers_mut() = headers;
        Ok(Asked {
            request,
            key_id: self.key_id,
            model,
            has_body,
        })
    }

    fn uri(&self) -> Result<Uri, BadQuestion> {
        let named = OPERATIONS.iter().find(|row| row.name == self.operation);
        let mut path = named
            .map_or(self.operation.as_str(), |row| row.path)
            .to_owned();
        if path.contains("{model}") {
            let model = self.model.as_deref();
            let model =
                model.ok_or_else(|| BadQuestion::new("model", "is required: the path names it"))?;
            let model = utf8_percent_encode(model, NON_ALPHANUMERIC).to_string();
            path = path.replace("{model}", &model);
        }
        let uri = path.parse().ok().filter(|_| path.starts_with('/'));
        uri.ok_or_else(|| BadQuestion::new("operation", "must be a path such as `/v1/messages`"))
    }

    /// The model that the request names: if one was asked for, that one and no other.
    fn named_model(&self, uri: &Uri) -> Result<Option<String>, BadQuestion> {
        let in_path = match Route::look_up(&Method::POST, uri) {
            Ok(Route::Operation { model, .. }) => model.map(|model| model.to_string()),
            _ => None,
        };
        let named = in_path.or_else(|| {
            let body = self.body.as_ref()?;
            let envelope = Envelope::scan(body, &[]).ok()?;
            Some(envelope.member(body, "model")?.as_str(body)?.into_owned())
        });
        match (&self.model, named) {
            (None, None) if self.body.is_none() => {
                Err(BadQuestion::new("model", "is required without a body"))
            }
            (Some(asked), Some(named)) if *asked != named => Err(BadQuestion::new(
                "model",
                format!("is not the one of the request, {}", quoted(&named)),
            )),
            (asked, named) => Ok(named.or_else(|| {
                // A given body that names none is refused for that.
                asked.clone().filter(|_| self.body.is_none())
            })),
        }
    }

    fn sample(&self, uri: &Uri) -> Bytes {
        match Route::look_up(&Method::POST, uri) {
            Ok(Route::Operation { operation, .. }) => {
                sample::body(operation, self.model.as_deref().unwrap_or_default())
            }
            _ => Bytes::new(),
        }
    }
}

impl Default for Question {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question")
            .field("key_id", &self.key_id)
            .field("model", &self.model)
            .field("operation", &self.operation)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

fn bearer(key: &Secret) -> Result<HeaderValue, BadQuestion> {
    let value = HeaderValue::try_from(format!("Bearer {}", key.expose()));
    let mut value = value.map_err(|_| BadQuestion::new("key", "cannot be sent in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

// === impl BadQuestion ===

impl BadQuestion {
    pub(super) fn new(member: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { member, message }
    }
}

impl fmt::Display for BadQuestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.member, self.message)
    }
}

impl std::error::Error for BadQuestion {}
