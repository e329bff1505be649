//! Google Gemini: the generateContent dialect.

use std::sync::Arc;

use aisix_core::{
    Error, ErrorKind, Retry,
    body::Body,
    call::{Attempt, Call},
    upstream::{Endpoint, Provider, Spec, refusal},
};
use aisix_wire::{Dialect, Form, Operation, gemini};
use async_trait::async_trait;
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri,
    header::{CONTENT_TYPE, USER_AGENT},
    response::Parts,
};

use crate::address;

const BASE: &str = "https://generativelanguage.googleapis.com/v1beta";
const API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");

/// Gemini, at `https://generativelanguage.googleapis.com/v1beta` unless `api_base` says otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Gemini;

struct GenerateContent {
    base: String,
    headers: HeaderMap,
    /// The addresses of the configured model; none for a pattern.
    fixed: Option<(String, Addresses)>,
}

/// Where one model is asked.
struct Addresses {
    whole: Uri,
    streamed: Uri,
    embed: Uri,
}

// === impl Gemini ===

impl Provider for Gemini {
    fn kind(&self) -> &'static str {
        "gemini"
    }

    fn has_default_base(&self) -> bool {
        true
    }

    fn endpoint(&self, spec: &Spec<'_>) -> Result<Arc<dyn Endpoint>, Error> {
        let base = spec.api_base.unwrap_or(BASE).trim().trim_end_matches('/');
        address::usable(base)?;
        let mut key = HeaderValue::try_from(spec.api_key.expose().trim())
            .ok()
            .filter(|key| !key.is_empty())
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Credential,
                    "the provider key's api_key is empty or not usable",
                )
            })?;
        key.set_sensitive(true);
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(API_KEY, key);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("aisix/", env!("CARGO_PKG_VERSION"))),
        );
        let name = spec.model_name;
        let fixed = match name.is_empty() || name.contains('*') {
            true => None,
            false => Some((name.to_owned(), Addresses::of(base, name)?)),
        };
        Ok(Arc::new(GenerateContent {
            base: base.to_owned(),
            headers,
            fixed,
        }))
    }
}

/// The address of a model. Its name is one segment of the path.
fn address(base: &str, model: &str, method: &str) -> Result<Uri, Error> {
    let name = model.strip_prefix("models/").unwrap_or(model);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_plain) {
        return Err(Error::invalid(
            "model",
            "this is not the name of a Gemini model",
        ));
    }
    format!("{base}/models/{name}:{method}")
        .parse()
        .map_err(|_| Error::invalid("model", "this is not the name of a Gemini model"))
}

// === impl Addresses ===

impl Addresses {
    fn of(base: &str, model: &str) -> Result<Self, Error> {
        Ok(Self {
            whole: address(base, model, "generateContent")?,
            streamed: address(base, model, "streamGenerateContent?alt=sse")?,
            embed: address(base, model, "batchEmbedContents")?,
        })
    }

    fn of_call(&self, call: &Call) -> &Uri {
        match call.inbound.operation.form {
            Form::Embed => &self.embed,
            _ if call.streams() => &self.streamed,
            _ => &self.whole,
        }
    }
}

// === impl GenerateContent ===

#[async_trait]
impl Endpoint for GenerateContent {
    fn dialect(&self, operation: &Operation) -> Option<Dialect> {
        matches!(operation.form, Form::Chat | Form::Embed).then_some(Dialect::Gemini)
    }

    async fn prepare(&self, attempt: &Attempt, body: Bytes) -> Result<http::Request<Body>, Error> {
        let model = attempt.upstream_model.as_ref();
        let address = match &self.fixed {
            Some((name, addresses)) if name == model => addresses.of_call(&attempt.call).clone(),
            _ => Addresses::of(&self.base, model)?
                .of_call(&attempt.call)
                .clone(),
        };
        let mut request = http::Request::new(Body::full(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = address;
        *request.headers_mut() = self.headers.clone();
        Ok(request)
    }

    fn classify(&self, head: &Parts, body: &[u8]) -> Error {
        classify(head, body)
    }
}

/// What a refusal in Google's envelope means.
pub(crate) fn classify(head: &Parts, body: &[u8]) -> Error {
    let mut error = refusal(head, body);
    if let Some(delay) = gemini::retry_delay(body) {
        error = error.with_retry_after(delay);
    }
    // A wrong key is a bad request here.
    if gemini::error_reason(body).as_deref() == Some("API_KEY_INVALID") {
        error = error
            .with_status(StatusCode::UNAUTHORIZED)
            .with_retry(Retry::Elsewhere);
    }
    error
}
