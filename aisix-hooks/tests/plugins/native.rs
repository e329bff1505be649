//! A provider that speaks every dialect: what hooks make of a request goes out as it is.

use std::sync::Arc;

use aisix_core::{
    Error,
    body::Body,
    call::Attempt,
    testing::{Setup, Upstream},
    upstream::{Endpoint, Provider, Registry, Spec},
    wire::{Dialect, Operation},
};
use bytes::Bytes;
use serde_json::{Value, json};

#[derive(Debug)]
struct Native;

/// A gateway whose model has this chain, and such a provider.
pub(crate) fn gateway(upstream: &Upstream, plugins: Value) -> aisix_core::Gateway {
    setup(plugins).gateway(upstream)
}

/// The setup of one.
pub(crate) fn setup(plugins: Value) -> Setup {
    let setup = Setup::new().hooks(aisix_hooks::hooks());
    let setup = setup.providers(Registry::new().provider(Native));
    setup.model(json!({"provider": "native", "plugins": plugins}))
}

// === impl Native ===

impl Provider for Native {
    fn kind(&self) -> &'static str {
        "native"
    }

    fn has_default_base(&self) -> bool {
        true
    }

    fn endpoint(&self, _: &Spec<'_>) -> Result<Arc<dyn Endpoint>, Error> {
        Ok(Arc::new(Self))
    }
}

#[async_trait::async_trait]
impl Endpoint for Native {
    fn dialect(&self, operation: &Operation) -> Option<Dialect> {
        Some(operation.dialect)
    }

    async fn prepare(&self, _: &Attempt, body: Bytes) -> Result<http::Request<Body>, Error> {
        let request = http::Request::post("http://upstream.test/native");
        Ok(request.body(Body::full(body)).unwrap())
    }
}
