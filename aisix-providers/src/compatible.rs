//! Any server that speaks OpenAI's dialect.

use std::sync::Arc;

use aisix_core::{
    Error,
    body::Body,
    call::Attempt,
    upstream::{Endpoint, Provider, Spec},
};
use aisix_wire::{
    Dialect, Operation,
    chat::{LimitName, WriteOptions},
};
use async_trait::async_trait;
use bytes::Bytes;

use crate::{bearer::Bearer, deepseek, front::Front, openai};

/// The family `openai`: any server of the dialect, at the provider key's `api_base`.
///
/// Without an `api_base`, the providers `openai` (or none), `deepseek` and `gemini` are found at their
/// own addresses.
#[derive(Clone, Copy, Debug)]
pub struct Compatible;

/// A server of OpenAI's dialect without deviations. It has chat completions, and maybe no responses.
struct Plain(Bearer);

// === impl Compatible ===

impl Provider for Compatible {
    fn kind(&self) -> &'static str {
        "openai"
    }

    fn has_default_base(&self) -> bool {
        false
    }

    fn endpoint(&self, spec: &Spec<'_>) -> Result<Arc<dyn Endpoint>, Error> {
        let default = match spec.provider {
            "openai" => return openai::endpoint(spec),
            "" => Some(openai::BASE),
            "deepseek" => Some(deepseek::BASE),
            "gemini" => return Ok(Arc::new(Front::new(spec)?)),
            _ => None,
        };
        Ok(Arc::new(Plain(Bearer::new(spec, default)?)))
    }
}

// === impl Plain ===

#[async_trait]
impl Endpoint for Plain {
    fn dialect(&self, _: &Operation) -> Option<Dialect> {
        Some(Dialect::OpenAi)
    }

    fn adapt(&self, options: &mut WriteOptions<'_>) {
        // Many servers know only the older name.
        options.limit_name = LimitName::MaxTokens;
    }

    async fn prepare(&self, attempt: &Attempt, body: Bytes) -> Result<http::Request<Body>, Error> {
        self.0.request(attempt.call.inbound.operation, body)
    }
}
