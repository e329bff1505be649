//! The cache policies of a snapshot.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
};

use super::resource::{AppliesTo, CachePolicy};
use crate::{
    call::Caller,
    hook::{CallService, Chain},
    models::Model,
};

/// The cache policies as they stand, by their ids: what each applies to, and what it does, if it is on.
#[derive(Default)]
pub(super) struct CachePolicies {
    by_id: BTreeMap<Arc<str>, (CachePolicy, Option<Arc<Chain>>)>,
    has_changed: bool,
}

/// The cache policies of a snapshot: for each key and model the one that runs.
#[derive(Default)]
pub(crate) struct Caches {
    by_api_key: HashMap<String, Arc<Caching>>,
    by_model: HashMap<String, Arc<Caching>>,
    of_all: Option<Arc<Caching>>,
}

/// A cache policy that is on.
pub(crate) struct Caching {
    /// What the policy is called.
    pub(crate) name: String,
    /// What a call goes through behind all its hooks.
    pub(crate) service: CallService,
}

// === impl CachePolicies ===

impl CachePolicies {
    pub(super) fn put(&mut self, id: &Arc<str>, policy: &CachePolicy, chain: Option<Arc<Chain>>) {
        let chain = chain.filter(|_| policy.enabled);
        self.by_id.insert(id.clone(), (policy.clone(), chain));
        self.has_changed = true;
    }

    pub(super) fn remove(&mut self, id: &str) {
        self.by_id.remove(id);
        self.has_changed = true;
    }

    /// What a snapshot needs of them, if it is another than before.
    pub(super) fn changed(&mut self) -> Option<Option<Arc<Caches>>> {
        std::mem::take(&mut self.has_changed).then(|| self.compiled())
    }

    /// `None` when none is on.
    fn compiled(&self) -> Option<Arc<Caches>> {
        let mut caches = Caches::default();
        let mut is_empty = true;
        for (policy, chain) in self.by_id.values() {
            let Some(service) = chain.as_ref().and_then(|chain| chain.service()) else {
                continue;
            };
            is_empty = false;
            let name = policy.name.clone();
            let caching = Arc::new(Caching { name, service });
            // Of equal ones the first stays.
            match &policy.applies_to {
                AppliesTo::ApiKey(id) => {
                    caches.by_api_key.entry(id.clone()).or_insert(caching);
                }
                AppliesTo::Model(name) => {
                    caches.by_model.entry(name.clone()).or_insert(caching);
                }
                AppliesTo::All => {
                    caches.of_all.get_or_insert(caching);
                }
            }
        }
        (!is_empty).then(|| Arc::new(caches))
    }
}

// === impl Caches ===

impl Caches {
    /// The most specific policy that applies to a caller's call of a model, which may have been asked for by another
    /// name than its own.
    pub(crate) fn of(&self, caller: &Caller, requested: &str, model: &Model) -> Option<&Caching> {
        let of_key = || self.by_api_key.get(&**caller.id());
        let of_model = |name: &str| self.by_model.get(name);
        of_key()
            .or_else(|| of_model(requested))
            .or_else(|| of_model(model.name()))
            .or(self.of_all.as_ref())
            .map(|caching| &**caching)
    }
}

impl fmt::Debug for Caches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caches")
            .field("api_keys", &self.by_api_key.len())
            .field("models", &self.by_model.len())
            .field("all", &self.of_all.is_some())
            .finish()
    }
}
