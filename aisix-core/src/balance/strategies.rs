//! The strategies that configuration can name.

use std::{collections::BTreeMap, fmt, sync::Arc};

use super::{Strategy, builtin};
use crate::config::resource::nearest;

/// Other names of built-in strategies: with hyphens, as upstreams have them, and those of before.
const ALIASES: [(&str, &str); 11] = [
    ("consistent-hash", "consistent_hash"),
    ("least-busy", "least_busy"),
    ("least-conn", "least_busy"),
    ("least-connections", "least_busy"),
    ("least-cost", "least_cost"),
    ("least-latency", "least_latency"),
    ("power-of-two", "power_of_two"),
    ("round-robin", "round_robin"),
    ("sticky", "consistent_hash"),
    ("weighted", "round_robin"),
    ("weighted-round-robin", "round_robin"),
];

/// The strategies that configuration can name: those that are built in, and an embedder's own. A cheap clone.
///
/// | name | order | other names |
/// | --- | --- | --- |
/// | `failover` | as declared | |
/// | `round_robin` | the next in turn, by weight, evenly mixed; then those declared after it, around to the one before it | `round-robin`, `weighted-round-robin`, `weighted` |
/// | `random` | drawn by weight, one after the other | |
/// | `power_of_two` | of two that are drawn by weight, the one with fewer calls in flight for its weight; then the others, fewest first | `power-of-two` |
/// | `least_busy` | fewest calls in flight for its weight, with the one to come | `least-busy`, `least-conn`, `least-connections` |
/// | `least_latency` | quickest on average, for streams to their first token; those of whom nothing is known first | `least-latency` |
/// | `least_cost` | cheapest; those whose cost is not known last | `least-cost` |
/// | `consistent_hash` | by the key of the request: the same key always has the same order | `consistent-hash`, `sticky` |
///
/// Among equals, what was declared first comes first.
#[derive(Clone)]
pub struct Strategies(Arc<BTreeMap<&'static str, Arc<dyn Strategy>>>);

/// A strategy has a name that another one has, or that is another name of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StrategyTaken(&'static str);

/// There is no strategy of this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownStrategy {
    name: String,
    nearest: Option<&'static str>,
}

// === impl Strategies ===

impl Strategies {
    /// The built-in ones.
    pub fn new() -> Self {
        let all = builtin::all().into_iter();
        Self(Arc::new(all.map(|s| (s.name(), s)).collect()))
    }

    /// Adds a strategy under its name.
    ///
    /// # Errors
    ///
    /// [`StrategyTaken`] if the name is taken.
    pub fn strategy(mut self, strategy: impl Strategy) -> Result<Self, StrategyTaken> {
        let name = strategy.name();
        if self.find(name).is_ok() {
            return Err(StrategyTaken(name));
        }
        Arc::make_mut(&mut self.0).insert(name, Arc::new(strategy));
        Ok(self)
    }

    /// The strategy of this name, or of this other name.
    ///
    /// # Errors
    ///
    /// [`UnknownStrategy`], which says what may have been meant.
    pub fn find(&self, name: &str) -> Result<&Arc<dyn Strategy>, UnknownStrategy> {
        let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
        let canonical = alias.map_or(name, |(_, canonical)| canonical);
        self.0.get(canonical).ok_or_else(|| UnknownStrategy {
            name: name.to_owned(),
            nearest: nearest(name, self.names().chain(ALIASES.map(|(alias, _)| alias))),
        })
    }

    /// The strategy of this name, or `failover`.
    pub(crate) fn find_or_failover(&self, name: &str) -> Arc<dyn Strategy> {
        let found = self.find(name).ok().cloned();
        found.unwrap_or_else(builtin::failover)
    }

    /// All names, in alphabetical order, without the other names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }
}

impl Default for Strategies {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Strategies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

// === impl StrategyTaken ===

impl fmt::Display for StrategyTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is a strategy `{}` already", self.0)
    }
}

impl std::error::Error for StrategyTaken {}

// === impl UnknownStrategy ===

impl fmt::Display for UnknownStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no known strategy", self.name)?;
        match self.nearest {
            Some(near) => write!(f, "; did you mean `{near}`?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for UnknownStrategy {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::{Facts, Member, Order, Picker, Random, View};

    struct Named(&'static str);

    impl Strategy for Named {
        fn name(&self) -> &'static str {
            self.0
        }

        fn picker(&self, _: &[Member]) -> Box<dyn Picker> {
            Box::new(Self(self.0))
        }
    }

    impl Picker for Named {
        fn order(&self, _: &Facts<'_>, _: &[View], _: &mut Random, _: &mut Order) {}
    }

    #[test]
    fn a_strategy_has_one_name_and_perhaps_others() {
        let strategies = Strategies::new();
        assert_eq!(
            strategies.names().collect::<Vec<_>>(),
            [
                "consistent_hash",
                "failover",
                "least_busy",
                "least_cost",
                "least_latency",
                "power_of_two",
                "random",
                "round_robin",
            ]
        );
        for name in strategies.names() {
            assert_eq!(strategies.find(name).map(|s| s.name()), Ok(name));
        }
        for (alias, canonical) in ALIASES {
            assert_eq!(strategies.find(alias).map(|s| s.name()), Ok(canonical));
        }
    }

    #[test]
    fn a_name_that_is_taken_is_refused() {
        let strategies = Strategies::new().strategy(Named("own")).unwrap();
        assert_eq!(strategies.find("own").map(|s| s.name()), Ok("own"));
        for name in ["own", "failover", "least-conn"] {
            let taken = strategies.clone().strategy(Named(name)).unwrap_err();
            assert_eq!(taken, StrategyTaken(name));
        }
    }

    #[test]
    fn an_unknown_name_is_told_with_what_may_have_been_meant() {
        let strategies = Strategies::new().strategy(Named("own")).unwrap();
        let message = |name| strategies.find(name).err().map(|e| e.to_string());
        assert_eq!(
            message("round_robbin").as_deref(),
            Some("`round_robbin` is no known strategy; did you mean `round_robin`?")
        );
        let unlike = message("by-the-weather");
        assert_eq!(
            unlike.as_deref(),
            Some("`by-the-weather` is no known strategy")
        );
    }
}
