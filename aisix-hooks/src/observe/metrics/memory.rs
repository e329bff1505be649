//! What one worker remembers of the series it has looked up.

use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Weak},
};

use aisix_core::{
    call::Trail,
    models::{Model, Target},
    observe::{GuardVerdict, Phase, Ruling},
};

use super::{
    bundle::{Asked, Bundle},
    cell::{Counter, Gauge},
    client::{ClientType, ClientTypes},
    facts::{endpoint, protocol},
    families::Families,
    histogram::Histogram,
    key::Key,
};

/// Each map is emptied when it holds this much, so that changes of the configuration do not make it
/// grow.
const MAX_REMEMBERED: usize = 4_096;

/// Handles of one worker; whatever is missing is looked up in the families.
#[derive(Default)]
pub(super) struct Memory {
    bundles: Map<Key, Bundle>,
    asked: Map<Key, Asked>,
    targets: Map<usize, Deployment>,
    gauges: Map<(&'static str, &'static str), Arc<Gauge>>,
    clients: Map<Box<[u8]>, ClientType>,
    guards: Map<Box<str>, Latencies>,
}

/// The latencies of a guard, by its kind and what it has found.
type Latencies = Map<(&'static str, Phase, Ruling), Arc<Histogram>>;
type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// The series of one target.
pub(super) struct Deployment {
    pub(super) attempts: Arc<Counter>,
    pub(super) successes: Arc<Counter>,
    pub(super) failures: Arc<Counter>,
    /// Keeps the target's address from being used again.
    _target: Weak<Target>,
}

// === impl Memory ===

impl Memory {
    pub(super) fn bundle(&mut self, key: Key, new: impl FnOnce() -> Bundle) -> &Bundle {
        tidy(&mut self.bundles, &key);
        self.bundles.entry(key).or_insert_with(new)
    }

    pub(super) fn asked(&mut self, key: Key, new: impl FnOnce() -> Asked) -> &Asked {
        tidy(&mut self.asked, &key);
        self.asked.entry(key).or_insert_with(new)
    }

    pub(super) fn deployment(
        &mut self,
        families: &Families,
        model: &Model,
        target: &Arc<Target>,
    ) -> &Deployment {
        let address = address(target);
        tidy(&mut self.targets, &address);
        self.targets.entry(address).or_insert_with(|| {
            let labels = deployment(model, target);
            Deployment {
                attempts: families.deployment.get(&labels),
                successes: families.deployment_success.get(&labels),
                failures: families.deployment_failure.get(&labels),
                _target: Arc::downgrade(target),
            }
        })
    }

    pub(super) fn in_flight(&mut self, families: &Families, trail: &Trail) -> &Gauge {
        let key = (endpoint(trail), protocol(trail));
        self.gauges
            .entry(key)
            .or_insert_with(|| families.in_flight.get(&[key.0, key.1]))
    }

    /// The latencies of a guard.
    pub(super) fn guard(&mut self, families: &Families, verdict: &GuardVerdict<'_>) -> &Histogram {
        let name = verdict.guard;
        tidy(&mut self.guards, name);
        if !self.guards.contains_key(name) {
            self.guards.insert(name.into(), Latencies::default());
        }
        let latencies = self.guards.get_mut(name).expect("was put there");
        let (kind, phase, ruling) = (verdict.kind, verdict.phase, verdict.ruling);
        latencies.entry((kind, phase, ruling)).or_insert_with(|| {
            let error = match ruling {
                Ruling::Bypassed(reason) => reason,
                _ => "none",
            };
            let (phase, result) = (phase.as_str(), ruling.as_str());
            let labels = ["", name, kind, phase, result, error];
            families.guard_latency.get(&labels)
        })
    }

    pub(super) fn client(&mut self, types: &ClientTypes, trail: &Trail) -> ClientType {
        let Some(agent) = trail.user_agent() else {
            return ClientType::Unknown;
        };
        let agent = agent.as_bytes();
        if let Some(client) = self.clients.get(agent) {
            return *client;
        }
        let client = types.of(agent);
        // Long ones are not worth their place.
        if agent.len() <= 256 {
            tidy(&mut self.clients, agent);
            self.clients.insert(agent.into(), client);
        }
        client
    }
}

/// The labels of a target.
pub(super) fn deployment<'l>(model: &'l Model, target: &'l Target) -> [&'l str; 4] {
    let key = target.key();
    [
        target.provider(),
        model.name(),
        target.model_name(),
        key.id(),
    ]
}

/// The address by which a target is remembered.
pub(super) fn address(target: &Arc<Target>) -> usize {
    Arc::as_ptr(target) as usize
}

/// Empties a map that is full, unless it has what is looked for.
fn tidy<K, V, Q>(map: &mut Map<K, V>, key: &Q)
where
    K: Borrow<Q> + Eq + Hash,
    Q: Eq + Hash + ?Sized,
{
    if map.len() >= MAX_REMEMBERED && !map.contains_key(key) {
        map.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_emptied_when_it_is_full_and_kept_for_what_it_has() {
        let mut map: Map<usize, ()> = (0..MAX_REMEMBERED).map(|key| (key, ())).collect();
        tidy(&mut map, &7);
        assert_eq!(map.len(), MAX_REMEMBERED);
        tidy(&mut map, &MAX_REMEMBERED);
        assert!(map.is_empty());
    }
}
