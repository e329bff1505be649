//! Token counts.

use std::ops::{Add, AddAssign};

/// The tokens of one call in disjoint buckets: every token is counted in exactly one of them.
///
/// All sums saturate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Usage {
    /// Prompt tokens that came from no cache and went to none.
    pub input: u64,
    /// Prompt tokens read from the provider's cache.
    pub cache_read: u64,
    /// Prompt tokens written to the provider's cache.
    pub cache_write: u64,
    /// Completion tokens the caller can see.
    pub output: u64,
    /// Completion tokens spent on reasoning.
    pub reasoning: u64,
}

// === impl Usage ===

impl Usage {
    /// All prompt tokens, cached ones included.
    pub fn input_total(&self) -> u64 {
        self.input
            .saturating_add(self.cache_read)
            .saturating_add(self.cache_write)
    }

    /// All completion tokens, reasoning included.
    pub fn output_total(&self) -> u64 {
        self.output.saturating_add(self.reasoning)
    }

    /// All tokens.
    pub fn total(&self) -> u64 {
        self.input_total().saturating_add(self.output_total())
    }
}

impl Add for Usage {
    type Output = Usage;

    fn add(self, other: Usage) -> Usage {
        Usage {
            input: self.input.saturating_add(other.input),
            cache_read: self.cache_read.saturating_add(other.cache_read),
            cache_write: self.cache_write.saturating_add(other.cache_write),
            output: self.output.saturating_add(other.output),
            reasoning: self.reasoning.saturating_add(other.reasoning),
        }
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Usage) {
        *self = *self + other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_saturate_instead_of_wrapping() {
        let full = Usage {
            input: u64::MAX,
            reasoning: u64::MAX,
            output: 1,
            ..Usage::default()
        };
        let sum = full
            + Usage {
                input: 1,
                cache_write: 7,
                ..Usage::default()
            };
        assert_eq!(sum.input, u64::MAX);
        assert_eq!(sum.input_total(), u64::MAX);
        assert_eq!(sum.output_total(), u64::MAX);
        assert_eq!(sum.total(), u64::MAX);
    }

    #[test]
    fn totals_count_every_bucket_once() {
        let usage = Usage {
            input: 1,
            cache_read: 20,
            cache_write: 300,
            output: 4000,
            reasoning: 50_000,
        };
        assert_eq!(usage.input_total(), 321);
        assert_eq!(usage.output_total(), 54_000);
        assert_eq!(usage.total(), 54_321);
    }
}
