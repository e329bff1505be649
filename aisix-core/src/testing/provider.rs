//! A provider without peculiarities.

use std::sync::Arc;

use aisix_wire::{CHAT_COMPLETIONS, Dialect, Form, Operation};
use async_trait::async_trait;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};

use crate::{
    body::Body,
    call::Attempt,
    error::{Error, ErrorKind},
    upstream::{Endpoint, Provider, Spec},
};

/// A provider of OpenAI's dialect, called `plain`, at the `api_base` or at `http://upstream.test`.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

struct PlainEndpoint {
    bearer: http::HeaderValue,
    base: String,
}

// === impl Plain ===

impl Provider for Plain {
    fn kind(&self) -> &'static str {
        "plain"
    }

    fn has_default_base(&self) -> bool {
        true
    }

    fn endpoint(&self, spec: &Spec<'_>) -> Result<Arc<dyn Endpoint>, Error> {
        let bearer = format!("Bearer {}", spec.api_key.expose()).parse();
        let bearer = bearer
            .map_err(|_| Error::new(ErrorKind::Credential, "the provider key is not usable"))?;
        let base = spec.api_base.unwrap_or("http://upstream.test");
        let base = base.trim_end_matches('/').to_owned();
        Ok(Arc::new(PlainEndpoint { bearer, base }))
    }
}

// === impl PlainEndpoint ===

#[async_trait]
impl Endpoint for PlainEndpoint {
    fn dialect(&self, _: &Operation) -> Option<Dialect> {
        Some(Dialect::OpenAi)
    }

    async fn prepare(&self, attempt: &Attempt, body: Bytes) -> Result<http::Request<Body>, Error> {
        let operation = attempt.call.inbound.operation;
        let path = match operation.form {
            Form::Chat => CHAT_COMPLETIONS.path,
            _ => operation.path,
        };
        http::Request::post(format!("{}{path}", self.base))
            .header(AUTHORIZATION, self.bearer.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(Body::full(body))
            .map_err(|error| Error::new(ErrorKind::Internal, "no request").with_source(error))
    }
}
