//! OpenAI itself.

use std::sync::Arc;

use aisix_core::{
    Error,
    upstream::{Endpoint, Provider, Spec},
};

use crate::{bearer::Bearer, compatible::Plain};

pub(crate) const BASE: &str = "https://api.openai.com/v1";

/// OpenAI, at `https://api.openai.com/v1` unless `api_base` says otherwise.
#[derive(Clone, Copy, Debug)]
pub struct OpenAi;

// === impl OpenAi ===

impl Provider for OpenAi {
    fn kind(&self) -> &'static str {
        "openai"
    }

    fn has_default_base(&self) -> bool {
        true
    }

    fn endpoint(&self, spec: &Spec<'_>) -> Result<Arc<dyn Endpoint>, Error> {
        Ok(Arc::new(Plain(Bearer::new(spec, Some(BASE))?)))
    }
}
