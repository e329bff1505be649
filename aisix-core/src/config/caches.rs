//! The cache policies of a snapshot.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
};

use super::resource::AppliesTo;
use crate::{
    call::Call,
    hook::{CallService, Chain},
};

/// The cache policies as they stand, by their ids: what each applies to, and what it does, if it is on.
#[derive(Default)]
pub(super) struct CachePolicies {
    by_id: BTreeMap<Arc<str>, (AppliesTo, Option<Arc<Chain>>)>,
    has_changed: bool,
}

/// The cache policies of a snapshot: for each key and model the one that runs.
#[derive(Default)]
pub(crate) struct Caches {
    by_api_key: HashMap<String, CallService>,
    by_model: HashMap<String, CallService>,
    of_all: Option<CallService>,
}

// === impl CachePolicies ===

impl CachePolicies {
    pub(super) fn put(&mut self, id: &Arc<str>, applies_to: AppliesTo, chain: Option<Arc<Chain>>) {
        self.by_id.insert(id.clone(), (applies_to, chain));
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
        for (applies_to, chain) in self.by_id.values() {
            let Some(service) = chain.as_ref().and_then(|chain| chain.service()) else {
                continue;
            };
            is_empty = false;
            // Of equal ones the first stays.
            match applies_to {
                AppliesTo::ApiKey(id) => {
                    caches.by_api_key.entry(id.clone()).or_insert(service);
                }
                AppliesTo::Model(name) => {
                    caches.by_model.entry(name.clone()).or_insert(service);
                }
                AppliesTo::All => {
                    caches.of_all.get_or_insert(service);
                }
            }
        }
        (!is_empty).then(|| Arc::new(caches))
    }
}

// === impl Caches ===

impl Caches {
    /// What a call goes through behind all its hooks: the most specific policy that applies.
    pub(crate) fn of(&self, call: &Call) -> Option<&CallService> {
        let of_key = || self.by_api_key.get(&**call.caller().id());
        let of_model = |name: &str| self.by_model.get(name);
        of_key()
            .or_else(|| of_model(call.requested_model()))
            .or_else(|| of_model(call.model.name()))
            .or(self.of_all.as_ref())
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
