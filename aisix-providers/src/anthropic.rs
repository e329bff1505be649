//! Anthropic: the Messages dialect.

use std::sync::Arc;

use aisix_core::{
    Error, ErrorKind,
    body::Body,
    call::Attempt,
    upstream::{Endpoint, Provider, Spec, refused},
};
use aisix_wire::{Dialect, Form, Operation};
use async_trait::async_trait;
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Uri,
    header::{CONTENT_TYPE, USER_AGENT},
    response::Parts,
};

use crate::address;

const BASE: &str = "https://api.anthropic.com";
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const VERSION: HeaderName = HeaderName::from_static("anthropic-version");

/// Anthropic, at `https://api.anthropic.com` unless `api_base` says otherwise; as an adapter, any
/// server of its dialect.
#[derive(Clone, Copy, Debug)]
pub struct Anthropic;

/// Addresses and headers, made when the configuration is compiled.
struct Messages {
    messages: Uri,
    count_tokens: Uri,
    headers: HeaderMap,
}

// === impl Anthropic ===

impl Provider for Anthropic {
    fn kind(&self) -> &'static str {
        "anthropic"
    }

    fn has_default_base(&self) -> bool {
        true
    }

    fn endpoint(&self, spec: &Spec<'_>) -> Result<Arc<dyn Endpoint>, Error> {
        let default = matches!(spec.provider, "" | "anthropic").then_some(BASE);
        let base = spec.api_base.or(default).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidRequest,
                "the provider key of this model needs an api_base",
            )
        })?;
        let mut base = base.trim().trim_end_matches('/');
        for pasted in ["/v1/messages", "/v1"] {
            base = base.strip_suffix(pasted).unwrap_or(base);
        }
        address::usable(base)?;
        let messages = address::usable(&format!("{base}/v1/messages"))?;
        let count_tokens = address::usable(&format!("{base}/v1/messages/count_tokens"))?;

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
        headers.insert(VERSION, HeaderValue::from_static("2023-06-01"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("aisix/", env!("CARGO_PKG_VERSION"))),
        );
        Ok(Arc::new(Messages {
            messages,
            count_tokens,
            headers,
        }))
    }
}

// === impl Messages ===

#[async_trait]
impl Endpoint for Messages {
    fn dialect(&self, operation: &Operation) -> Option<Dialect> {
        matches!(operation.form, Form::Chat | Form::CountTokens).then_some(Dialect::Anthropic)
    }

    async fn prepare(&self, attempt: &Attempt, body: Bytes) -> Result<http::Request<Body>, Error> {
        let mut request = http::Request::new(Body::full(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = match attempt.call.inbound.operation.form {
            Form::CountTokens => self.count_tokens.clone(),
            _ => self.messages.clone(),
        };
        *request.headers_mut() = self.headers.clone();
        Ok(request)
    }

    fn classify(&self, head: &Parts, body: &[u8]) -> Error {
        refused(head, aisix_wire::anthropic::read_error(body))
    }
}
