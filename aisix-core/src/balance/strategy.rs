//! The seam: how targets are put in order.

use std::{sync::Arc, time::Duration};

use super::{Order, Random};

/// What a strategy may know of a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// What consistent hashing goes by, such as a user; empty if there is nothing.
    pub key: &'a str,
    /// Whether the answer is a stream.
    pub streams: bool,
}

/// A target as configured: what is known when the configuration is compiled.
#[derive(Clone, Debug)]
pub struct Member {
    /// What it is called; of several with the same name in a group only the first counts.
    pub name: Arc<str>,
    /// How much of the traffic it gets beside others; 0 counts as 1.
    pub weight: u32,
    /// What 1000 tokens in and 1000 tokens out cost together, if that is configured.
    pub cost: Option<f64>,
}

/// A target at this moment.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// Whether it may be chosen at all.
    pub eligible: bool,
    /// Calls that it has not ended yet.
    pub in_flight: u32,
    /// How long its whole answers take, on average; `None` while that is unknown.
    pub latency: Option<Duration>,
    /// How long its streams take to their first token, on average; `None` while that is unknown.
    pub first_token: Option<Duration>,
    /// The part of its weight that it gets now, 0 to 1: less than 1 while it comes back from an outage.
    /// Heeded by strategies that spread traffic by weight; a key or an order of preference is not
    /// given up for it.
    pub slow_start: f32,
}

/// A way to put targets in order.
///
/// Strategies that the configuration names are found in [`Strategies`](super::Strategies), where those of an embedder
/// are registered beside the built-in ones.
///
/// ```
/// use aisix_core::balance::{Facts, Member, Order, Picker, Random, Strategies, Strategy, View};
///
/// /// Prefers what was declared last.
/// struct LastFirst;
///
/// impl Strategy for LastFirst {
///     fn name(&self) -> &'static str {
///         "last_first"
///     }
///
///     fn picker(&self, _: &[Member]) -> Box<dyn Picker> {
///         Box::new(LastFirst)
///     }
/// }
///
/// impl Picker for LastFirst {
///     fn order(&self, _: &Facts<'_>, views: &[View], _: &mut Random, order: &mut Order) {
///         order.rank(views, |index, _| -(index as f64));
///     }
/// }
///
/// let strategies = Strategies::new().strategy(LastFirst)?;
/// # drop(strategies);
/// # Ok::<_, aisix_core::balance::StrategyTaken>(())
/// ```
pub trait Strategy: Send + Sync + 'static {
    /// The name in configuration: lower case and underscores.
    fn name(&self) -> &'static str;

    /// Prepares it for the members of one tier. Called when the configuration is compiled, and again
    /// only when names, weights or costs of the members have changed.
    fn picker(&self, members: &[Member]) -> Box<dyn Picker>;
}

/// A [`Strategy`] that is prepared for the members of one tier.
///
/// It also holds what the strategy remembers, which is kept for as long as the members stay the
/// same. All workers share it.
pub trait Picker: Send + Sync + 'static {
    /// Puts the members that are eligible into `order`, best first, each once.
    ///
    /// `views` are those of the members, in their order; `order` is empty at first. What is put there and
    /// is not eligible, or is there already, is passed over; what is left out is not tried.
    ///
    /// Runs for every request: it must not wait.
    fn order(&self, facts: &Facts<'_>, views: &[View], random: &mut Random, order: &mut Order);
}

/// The share of a weight of 1.
const UNIT: u64 = 1_024;

// === impl Member ===

impl Member {
    /// A target of weight 1 whose cost is not known.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            weight: 1,
            cost: None,
        }
    }
}

// === impl View ===

impl View {
    /// How much of the traffic a target of this weight should get now, in proportion to the shares of others:
    /// its weight (0 counts as 1) times 1024, times [`slow_start`](Self::slow_start); at least 1.
    pub fn share(&self, weight: u32) -> u64 {
        let whole = u64::from(weight.max(1)) * UNIT;
        if self.slow_start >= 1.0 {
            return whole;
        }
        // What is no number counts as 0.
        ((whole as f64 * f64::from(self.slow_start.max(0.0))) as u64).max(1)
    }
}

/// Eligible and idle, at its full weight, with nothing known of its latency.
impl Default for View {
    fn default() -> Self {
        Self {
            eligible: true,
            in_flight: 0,
            latency: None,
            first_token: None,
            slow_start: 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_the_weight_times_slow_start_and_never_nothing() {
        let share = |weight, slow_start| {
            let view = View {
                slow_start,
                ..View::default()
            };
            view.share(weight)
        };
        assert_eq!([0, 1, 5].map(|w| share(w, 1.0)), [1_024, 1_024, 5_120]);
        assert_eq!(share(4, 0.5), 2_048);
        assert_eq!(share(u32::MAX, 7.0), u64::from(u32::MAX) * 1_024);
        let nothing = [0.0, -1.0, f32::NAN, f32::NEG_INFINITY, f32::MIN_POSITIVE];
        assert_eq!(nothing.map(|s| share(9, s)), [1; 5]);
    }
}
