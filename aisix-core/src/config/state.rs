//! What outlives snapshots.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;

/// The registry of what remembers: found by a stable identity whenever the configuration is compiled,
/// and freed when no snapshot and no request uses it any more.
#[derive(Clone, Default)]
pub struct States(Arc<Mutex<Registry>>);

#[derive(Default)]
struct Registry {
    states: HashMap<(TypeId, String), Weak<dyn Any + Send + Sync>>,
    sweep_at: usize,
}

// === impl States ===

impl States {
    /// The state of this type under this identity; `init` makes it when there is none.
    ///
    /// Keep the `Arc` in what is compiled: the registry itself does not.
    pub fn state<T>(&self, identity: &str, init: impl FnOnce() -> T) -> Arc<T>
    where
        T: Any + Send + Sync,
    {
        let mut registry = self.0.lock();
        let key = (TypeId::of::<T>(), identity.to_owned());
        let found = registry.states.get(&key).and_then(Weak::upgrade);
        if let Some(state) = found.and_then(|state| state.downcast().ok()) {
            return state;
        }
        if registry.states.len() >= registry.sweep_at {
            registry.states.retain(|_, state| state.strong_count() > 0);
            registry.sweep_at = registry.states.len() * 2 + 64;
        }
        let state = Arc::new(init());
        let weak: Weak<T> = Arc::downgrade(&state);
        registry.states.insert(key, weak);
        state
    }
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "States({})", self.0.lock().states.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_found_again_while_somebody_holds_it() {
        let states = States::default();
        let first = states.state("a", || 1_u32);
        assert_eq!(*states.state("a", || 2_u32), 1);
        assert_eq!(*states.state("b", || 3_u32), 3);
        assert_eq!(*states.state("a", || 4_u64), 4, "types are told apart");
        drop(first);
        assert_eq!(*states.state("a", || 5_u32), 5);
    }

    #[test]
    fn what_nobody_holds_is_forgotten() {
        let states = States::default();
        for n in 0..10_000 {
            drop(states.state(&n.to_string(), || n));
        }
        assert!(states.0.lock().states.len() < 200);
    }
}
