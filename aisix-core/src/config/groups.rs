//! Models that stand for others: which of them have to be compiled again when one of those changes.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

/// Which groups name a model, and which of these models have changed.
#[derive(Default)]
pub(super) struct Groups {
    /// The names that each group names.
    names: HashMap<Arc<str>, Box<[Arc<str>]>>,
    /// The groups that name a model.
    by_name: HashMap<Arc<str>, HashSet<Arc<str>>>,
    /// The names of models that have changed.
    changed: HashSet<Arc<str>>,
    /// Whether a pattern has, which may serve any name.
    has_pattern_changed: bool,
}

// === impl Groups ===

impl Groups {
    /// Takes note of a group, and of the models that it names.
    pub(super) fn put(&mut self, id: &Arc<str>, names: Box<[Arc<str>]>) {
        self.remove(id);
        for name in &names {
            let groups = self.by_name.entry(name.clone()).or_default();
            groups.insert(id.clone());
        }
        self.names.insert(id.clone(), names);
    }

    pub(super) fn remove(&mut self, id: &Arc<str>) {
        for name in self.names.remove(id).unwrap_or_default() {
            if let Some(groups) = self.by_name.get_mut(&name) {
                groups.remove(id);
                if groups.is_empty() {
                    self.by_name.remove(&name);
                }
            }
        }
    }

    /// Takes note that another model has this name now, or none.
    pub(super) fn changed(&mut self, name: &str) {
        if name.contains('*') {
            self.has_pattern_changed = true;
        } else if self.by_name.contains_key(name) {
            self.changed.insert(name.into());
        }
    }

    /// The groups that have to be compiled again.
    pub(super) fn take(&mut self) -> BTreeSet<Arc<str>> {
        let changed = std::mem::take(&mut self.changed);
        if std::mem::take(&mut self.has_pattern_changed) {
            return self.names.keys().cloned().collect();
        }
        let groups = changed.iter().filter_map(|name| self.by_name.get(name));
        groups.flatten().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_compiled_again_when_one_of_its_models_has_changed() {
        let mut groups = Groups::default();
        let names = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect();
        let mut taken = |change: &dyn Fn(&mut Groups)| {
            change(&mut groups);
            let taken = groups.take();
            taken.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert!(taken(&|all| all.put(&"x".into(), names(&["a", "b"]))).is_empty());
        assert!(taken(&|all| all.put(&"y".into(), names(&["b"]))).is_empty());
        assert_eq!(taken(&|all| all.changed("a")), ["x"]);
        assert_eq!(taken(&|all| all.changed("b")), ["x", "y"]);
        assert!(taken(&|all| all.changed("c")).is_empty());
        assert_eq!(taken(&|all| all.changed("c*")), ["x", "y"]);
        assert!(taken(&|all| all.put(&"x".into(), names(&["c"]))).is_empty());
        assert!(taken(&|all| all.changed("a")).is_empty());
        assert_eq!(taken(&|all| all.changed("c")), ["x"]);
        assert!(
            taken(&|all| {
                all.remove(&"x".into());
                all.changed("c");
            })
            .is_empty()
        );
    }
}
