//! OpenAI itself.

use std::sync::Arc;

use aisix_core::{
    Error,
    body::Body,
    call::Attempt,
    upstream::{Endpoint, Provider, Spec},
};
use aisix_wire::{Dialect, Operation};
use async_trait::async_trait;
use bytes::Bytes;
use http::Uri;

use crate::{address, bearer::Bearer};

pub(crate) const BASE: &str = "https://api.openai.com/v1";

/// OpenAI, at `https://api.openai.com/v1` unless `api_base` says otherwise.
///
/// It has the Responses API besides the endpoints that other servers of the dialect have.
#[derive(Clone, Copy, Debug)]
pub struct OpenAi;

struct Whole {
    bearer: Bearer,
    responses: Uri,
}

/// The way to a model of OpenAI's.
pub(crate) fn endpoint(spec: &Spec<'_>) -> Result<Arc<dyn Endpoint>, Error> {
    Ok(Arc::new(Whole {
        bearer: Bearer::new(spec, Some(BASE))?,
        responses: address::responses(spec.api_base.unwrap_or(BASE))?,
    }))
}

// === impl OpenAi ===

impl Provider for OpenAi {
    fn kind(&self) -> &'static str {
        "openai"
    }

    fn has_default_base(&self) -> bool {
        true
    }

    fn endpoint(&self, spec: &Spec<'_>) -> Result<Arc<dyn Endpoint>, Error> {
        endpoint(spec)
    }
}

// === impl Whole ===

#[async_trait]
impl Endpoint for Whole {
    fn dialect(&self, operation: &Operation) -> Option<Dialect> {
        Some(match operation.dialect {
            Dialect::Responses => Dialect::Responses,
            _ => Dialect::OpenAi,
        })
    }

    async fn prepare(&self, attempt: &Attempt, body: Bytes) -> Result<http::Request<Body>, Error> {
        let operation = attempt.call.inbound.operation;
        match operation.dialect {
            Dialect::Responses => Ok(self.bearer.request_to(self.responses.clone(), body)),
            _ => self.bearer.request(operation, body),
        }
    }
}
