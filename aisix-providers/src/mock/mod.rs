//! A provider in this process: for trying things out, and for tests.

mod answer;
mod script;
mod server;

use std::sync::Arc;

use aisix_core::{
    Error,
    body::Body,
    call::Attempt,
    upstream::{Endpoint, Provider, Spec, Transport},
};
use aisix_wire::{CHAT_COMPLETIONS, Dialect, Form, Operation};
use async_trait::async_trait;
use bytes::Bytes;

pub use self::server::MockServer;

/// A provider that answers from this process, in OpenAI's dialect. Nothing leaves the machine.
///
/// It says what it was told to say: by the member `mock` of the request's body, or by the query of
/// the model's name, such as `mock?error=429`. See [`MockServer`] for what can be told.
#[derive(Clone, Copy, Debug)]
pub struct Mock;

struct InProcess(MockServer);

// === impl Mock ===

impl Provider for Mock {
    fn kind(&self) -> &'static str {
        "mock"
    }

    fn has_default_base(&self) -> bool {
        true
    }

    fn endpoint(&self, spec: &Spec<'_>) -> Result<Arc<dyn Endpoint>, Error> {
        // The count of calls goes on when the configuration changes.
        let identity = format!("mock:{}:{}", spec.key_id, spec.model_name);
        let calls = spec.states.state(&identity, Default::default);
        Ok(Arc::new(InProcess(MockServer::counting(calls))))
    }
}

// === impl InProcess ===

#[async_trait]
impl Endpoint for InProcess {
    fn dialect(&self, _: &Operation) -> Option<Dialect> {
        Some(Dialect::OpenAi)
    }

    async fn prepare(&self, attempt: &Attempt, body: Bytes) -> Result<http::Request<Body>, Error> {
        let mut request = http::Request::new(Body::full(body));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = http::Uri::from_static(match attempt.call.inbound.operation.form {
            Form::Chat => CHAT_COMPLETIONS.path,
            _ => attempt.call.inbound.operation.path,
        });
        Ok(request)
    }

    fn transport(&self) -> Option<&dyn Transport> {
        Some(&self.0)
    }
}
