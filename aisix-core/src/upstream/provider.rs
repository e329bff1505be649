//! Providers: where a dialect is hosted.

use std::{collections::HashMap, fmt, sync::Arc};

use aisix_wire::{Dialect, Edits, Operation, chat::WriteOptions};
use async_trait::async_trait;
use bytes::Bytes;
use http::response::Parts;

use super::{Transport, refusal};
use crate::{
    body::Body,
    call::{Attempt, Call},
    config::{Secret, States},
    error::Error,
};

/// Where a dialect is hosted: makes one [`Endpoint`] for each model and provider key.
///
/// Called when the configuration is compiled, so that nothing is left to be parsed or formatted for
/// a request. Does no I/O.
pub trait Provider: Send + Sync + 'static {
    /// The name in `provider` or `adapter`, such as `openai`.
    fn kind(&self) -> &'static str;

    /// Whether models can be served without an `api_base`.
    fn has_default_base(&self) -> bool;

    /// Compiles the way to one model.
    ///
    /// # Errors
    ///
    /// What is wrong with the address or the credential; the model answers with it.
    fn endpoint(&self, spec: &Spec<'_>) -> Result<Arc<dyn Endpoint>, Error>;
}

/// What an endpoint is made from.
#[derive(Debug)]
pub struct Spec<'a> {
    /// The vendor: the provider key's `provider`, or the model's.
    pub provider: &'a str,
    /// The model's name at the upstream, as configured.
    pub model_name: &'a str,
    /// The upstream's address, if configured.
    pub api_base: Option<&'a str>,
    /// The credential.
    pub api_key: &'a Secret,
    /// The id of the provider key.
    pub key_id: &'a str,
    /// What outlives snapshots.
    pub states: &'a States,
}

/// The way to one model at one provider: address, credential, and what the provider wants changed.
///
/// An endpoint does no I/O of its own; the [`Transport`] does.
#[async_trait]
pub trait Endpoint: Send + Sync + 'static {
    /// The dialect in which the provider offers `operation`; `None` when it does not.
    fn dialect(&self, operation: &Operation) -> Option<Dialect>;

    /// Adds the edits of the request's members that this provider wants. Default: none.
    ///
    /// # Errors
    ///
    /// When the request cannot be served here.
    fn edit(&self, _call: &Call, _edits: &mut Edits) -> Result<(), Error> {
        Ok(())
    }

    /// Says what this upstream wants of a request that is translated into its dialect. Default: what
    /// [`WriteOptions::new`] says.
    fn adapt(&self, _options: &mut WriteOptions<'_>) {}

    /// Whether the upstream goes on with an answer of which it is given the beginning: in Anthropic's dialect as a
    /// last message of the assistant, in OpenAI's with `"prefix": true` in it besides. Default: in Anthropic's only.
    fn continues(&self, operation: &Operation) -> bool {
        self.dialect(operation) == Some(Dialect::Anthropic)
    }

    /// Addresses and signs the request. Headers of the caller are added by the pipeline.
    ///
    /// # Errors
    ///
    /// When the credential cannot be used.
    async fn prepare(&self, attempt: &Attempt, body: Bytes) -> Result<http::Request<Body>, Error>;

    /// Reads a refusal. `body` holds at most [`MAX_REFUSAL`](super::MAX_REFUSAL) bytes.
    fn classify(&self, head: &Parts, body: &[u8]) -> Error {
        refusal(head, body)
    }

    /// A way to the upstream that is the endpoint's own, such as an upstream in this process.
    fn transport(&self) -> Option<&dyn Transport> {
        None
    }
}

/// The providers that configuration can name.
#[derive(Clone, Default)]
pub struct Registry {
    providers: HashMap<&'static str, Arc<dyn Provider>>,
    adapters: HashMap<&'static str, Arc<dyn Provider>>,
}

// === impl Registry ===

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a provider under its name, for `provider: <name>`.
    #[must_use]
    pub fn provider(mut self, provider: impl Provider) -> Self {
        self.providers.insert(provider.kind(), Arc::new(provider));
        self
    }

    /// Registers a protocol family under its name, for `adapter: <name>`. The family `openai` also
    /// serves unknown providers that have an `api_base`.
    #[must_use]
    pub fn adapter(mut self, provider: impl Provider) -> Self {
        self.adapters.insert(provider.kind(), Arc::new(provider));
        self
    }

    /// Who serves a model: the adapter, if one is named; else the provider, if it is known and has an
    /// address; else the OpenAI family, if there is an address.
    pub(crate) fn choose(
        &self,
        adapter: Option<&str>,
        provider: &str,
        has_base: bool,
    ) -> Option<&Arc<dyn Provider>> {
        if let Some(adapter) = adapter {
            return self.adapters.get(adapter);
        }
        let built_in = self
            .providers
            .get(provider)
            .filter(|built_in| has_base || built_in.has_default_base());
        built_in.or_else(|| self.adapters.get("openai").filter(|_| has_base))
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("providers", &self.providers.keys())
            .field("adapters", &self.adapters.keys())
            .finish()
    }
}
