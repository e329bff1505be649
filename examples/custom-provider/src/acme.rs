//! Acme speaks OpenAI's dialect, with deviations: the credential stands in a header of its own,
//! `max_tokens` is called `limit`, and there are no embeddings.

use std::sync::Arc;

use aisix_core::{
    Error, ErrorKind,
    body::Body,
    call::{Attempt, Call},
    upstream::{Endpoint, Provider, Spec},
    wire::{CHAT_COMPLETIONS, Dialect, Edits, Form, Operation},
};
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Request, header::CONTENT_TYPE};

// ANCHOR: provider
/// The vendor: makes an endpoint for each model when the configuration is compiled.
pub struct Acme;

impl Provider for Acme {
    fn kind(&self) -> &'static str {
        "acme"
    }

    fn has_default_base(&self) -> bool {
        true
    }

    fn endpoint(&self, spec: &Spec<'_>) -> Result<Arc<dyn Endpoint>, Error> {
        let base = spec.api_base.unwrap_or("https://api.acme.example");
        let mut key = HeaderValue::try_from(spec.api_key.expose())
            .map_err(|_| Error::new(ErrorKind::Credential, "the key of Acme is not usable"))?;
        key.set_sensitive(true);
        let base = base.trim_end_matches('/').to_owned();
        Ok(Arc::new(Models { base, key }))
    }
}

/// The way to Acme's models.
struct Models {
    base: String,
    key: HeaderValue,
}

#[async_trait]
impl Endpoint for Models {
    fn dialect(&self, operation: &Operation) -> Option<Dialect> {
        (operation.form != Form::Embed).then_some(Dialect::OpenAi)
    }

    fn edit(&self, _: &Call, edits: &mut Edits) -> Result<(), Error> {
        edits.rename("max_tokens", "limit");
        Ok(())
    }

    async fn prepare(&self, attempt: &Attempt, body: Bytes) -> Result<Request<Body>, Error> {
        let operation = attempt.call.inbound.operation;
        // Callers of other dialects are translated: they have other paths, and mean the same.
        let path = match operation.form {
            Form::Chat => CHAT_COMPLETIONS.path,
            _ => operation.path,
        };
        Request::post(format!("{}{path}", self.base))
            .header(CONTENT_TYPE, "application/json")
            .header("x-acme-key", self.key.clone())
            .body(Body::full(body))
            .map_err(|_| Error::new(ErrorKind::Config, "the address of Acme is not usable"))
    }
}
// ANCHOR_END: provider
