//! One state of the configuration, compiled.

use std::{cmp::Reverse, fmt, sync::Arc};

use imbl::{HashMap, OrdMap};
use jiff::Timestamp;

use super::{KeyHash, caches::Caches, glob::Glob, resource::RateLimitPolicy};
use crate::{
    call::Caller,
    hook::{Chain, Guards},
    limit::Policies,
    models::Model,
    replicas::Pool,
};

/// Where a pattern stands among all.
type Place = (Reverse<usize>, Arc<str>);

/// One state of the configuration, compiled and never changed.
///
/// The maps are persistent: the next snapshot shares with this one whatever is the same.
#[derive(Clone, Default)]
pub struct Snapshot {
    pub(super) loaded: bool,
    pub(super) sequence: u64,
    pub(super) revision: Option<u64>,
    pub(super) models: HashMap<Arc<str>, Arc<Model>>,
    /// By descending length of the literal part, then by name: the first match is the best.
    pub(super) wildcards: OrdMap<Place, Arc<Model>>,
    pub(super) callers: HashMap<KeyHash, Arc<Caller>>,
    /// By their ids.
    pub(super) upstreams: OrdMap<Arc<str>, Arc<Pool>>,
    /// The chain of the gateway.
    pub(super) chain: Option<Arc<Chain>>,
    /// The guardrails.
    pub(super) guards: Option<Arc<Guards>>,
    /// `None` when there are none.
    policies: Option<Arc<Policies>>,
    /// The cache policies.
    pub(super) caches: Option<Arc<Caches>>,
}

// === impl Snapshot ===

impl Snapshot {
    /// Whether any configuration was applied yet.
    pub fn is_loaded(&self) -> bool {
        self.loaded
    }

    /// Counts the snapshots, from 0 for the empty one.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The revision of the source up to which everything is in it, if the source counts them.
    pub fn revision(&self) -> Option<u64> {
        self.revision
    }

    /// The model of this name: the one that has it, else the wildcard with the longest literal part.
    pub fn model(&self, name: &str) -> Option<&Arc<Model>> {
        self.models.get(name).or_else(|| {
            self.wildcards
                .values()
                .find(|model| model.glob.as_ref().is_some_and(|glob| glob.matches(name)))
        })
    }

    /// All models, by name.
    pub fn models(&self) -> impl Iterator<Item = &Arc<Model>> {
        let mut models: Vec<_> = self
            .models
            .values()
            .chain(self.wildcards.values())
            .collect();
        models.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        models.into_iter()
    }

    /// The upstreams, by id.
    pub fn upstreams(&self) -> impl Iterator<Item = &Arc<Pool>> {
        self.upstreams.values()
    }

    /// The caller of the API key with this id. Of a rotated key, the one of its newest credential.
    ///
    /// Looks at all callers: not for requests.
    pub fn caller_of(&self, id: &str) -> Option<&Arc<Caller>> {
        let of_key = self.callers.values().filter(|caller| **caller.id() == *id);
        of_key.max_by_key(|caller| caller.expires_at().unwrap_or(Timestamp::MAX))
    }

    /// The model that has this very name, or this very pattern.
    pub(super) fn named(&self, name: &str) -> Option<&Arc<Model>> {
        match place(name) {
            Some(place) => self.wildcards.get(&place),
            None => self.models.get(name),
        }
    }

    /// Puts a model in the place of its name.
    pub(super) fn put_model(&mut self, model: Arc<Model>) {
        match place(&model.name) {
            Some(place) => self.wildcards.insert(place, model),
            None => self.models.insert(model.name.clone(), model),
        };
    }

    pub(super) fn remove_model(&mut self, name: &str) {
        match place(name) {
            Some(place) => self.wildcards.remove(&place),
            None => self.models.remove(name),
        };
    }

    /// The caller whose key has this hash.
    pub fn caller(&self, hash: &KeyHash) -> Option<&Arc<Caller>> {
        self.callers.get(hash)
    }

    /// The policies, if there are any.
    pub(crate) fn policies(&self) -> Option<&Arc<Policies>> {
        self.policies.as_ref()
    }

    pub(super) fn put_policy(&mut self, id: &Arc<str>, policy: &RateLimitPolicy) {
        let policies = self.policies.as_deref().cloned().unwrap_or_default();
        self.policies = Some(Arc::new(policies.with(id, policy)));
    }

    pub(super) fn remove_policy(&mut self, id: &Arc<str>) {
        let policies = self.policies.as_deref();
        self.policies = policies.and_then(|all| all.without(id)).map(Arc::new);
    }

    /// The hooks of every call.
    pub(crate) fn chain(&self) -> Option<&Arc<Chain>> {
        self.chain.as_ref()
    }

    /// The guardrails, if there are any.
    pub(crate) fn guards(&self) -> Option<&Guards> {
        self.guards.as_deref()
    }

    /// The cache policies, if there are any.
    pub(crate) fn caches(&self) -> Option<&Caches> {
        self.caches.as_deref()
    }
}

/// The place of a pattern; none for a plain name.
fn place(name: &str) -> Option<Place> {
    let is_pattern = name.contains('*');
    is_pattern.then(|| (Reverse(Glob::new(name).literal_len()), name.into()))
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("sequence", &self.sequence)
            .field("models", &self.models.len())
            .field("wildcards", &self.wildcards.len())
            .field("callers", &self.callers.len())
            .finish()
    }
}
