//! What was found out about a caller.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwapOption;

use super::Rule;

/// Of how many models a caller remembers what was found.
const MODELS: usize = 64;

type Rules = Option<Arc<[Rule]>>;

/// The limits of policies that a caller is under, by model. All of it is forgotten when policies have changed,
/// or when there are too many models.
#[derive(Default)]
pub(crate) struct Known(ArcSwapOption<Found>);

struct Found {
    /// The serial of the policies.
    policies: u64,
    /// By the serial of the model.
    by_model: HashMap<u64, Rules>,
}

// === impl Known ===

impl Known {
    /// What is known, or what `find` says.
    pub(super) fn rules(&self, policies: u64, model: u64, find: impl FnOnce() -> Rules) -> Rules {
        let found = self.0.load();
        let found = found.as_ref().filter(|found| found.policies == policies);
        if let Some(rules) = found.and_then(|found| found.by_model.get(&model)) {
            return rules.clone();
        }
        let rules = find();
        self.0.rcu(|found| {
            let kept = found
                .as_ref()
                .filter(|found| found.policies == policies && found.by_model.len() < MODELS);
            let mut by_model = kept.map_or_else(HashMap::new, |found| found.by_model.clone());
            by_model.insert(model, rules.clone());
            Some(Arc::new(Found { policies, by_model }))
        });
        rules
    }
}

#[cfg(test)]
mod tests {
    use super::Known;

    #[test]
    fn what_is_known_is_found_once_until_policies_change_and_there_is_an_end_of_it() {
        let known = Known::default();
        let mut found = Vec::new();
        let mut ask = |policies, model| {
            known.rules(policies, model, || {
                found.push((policies, model));
                None
            })
        };
        for _ in 0..3 {
            ask(1, 7);
            ask(1, 8);
        }
        ask(2, 7);
        ask(2, 7);
        assert_eq!(found, [(1, 7), (1, 8), (2, 7)]);
        for model in 100..1_000 {
            known.rules(2, model, || None);
            let kept = known.0.load().as_ref().map_or(0, |it| it.by_model.len());
            assert!((1..=super::MODELS).contains(&kept), "{kept}");
        }
    }
}
