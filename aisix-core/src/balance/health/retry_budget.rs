//! How many retries there may be.

use std::{fmt, time::Duration};

use tower::retry::budget::{Budget, TpsBudget};

/// How long a request allows for retries.
const WINDOW: Duration = Duration::from_secs(10);

/// How many retries a node may make, so that they cannot multiply what an upstream that fails has to bear.
///
/// Of the requests of the last ten seconds, a share may be retried, and so many more in each second, so that a node
/// with few requests retries too. It is tower's [`TpsBudget`], which is Finagle's `RetryBudget`. Share it between
/// all workers.
pub struct RetryBudget(TpsBudget);

// === impl RetryBudget ===

impl RetryBudget {
    /// A budget of `ratio` retries for each request, and of `min_per_second` besides. Shares are taken as one retry
    /// for so many requests, in whole numbers: 0.15 is one for six. What is no number, or negative, is 0; the most
    /// is 1, and 10 000 per second.
    pub fn new(ratio: f32, min_per_second: u32) -> Self {
        let ratio = if ratio > 0.0 { ratio.min(1.0) } else { 0.0 };
        // One for more requests than this is none.
        let ratio = if ratio < 1e-6 { 0.0 } else { ratio };
        Self(TpsBudget::new(WINDOW, min_per_second.min(10_000), ratio))
    }

    /// Counts a request: the first attempt, not its retries.
    pub fn deposit(&self) {
        self.0.deposit();
    }

    /// Whether a retry may be made. Then it is counted.
    pub fn withdraw(&self) -> bool {
        self.0.withdraw()
    }
}

impl Default for RetryBudget {
    /// A fifth of the requests, and ten per second.
    fn default() -> Self {
        Self::new(0.2, 10)
    }
}

impl fmt::Debug for RetryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn left(budget: &RetryBudget) -> usize {
        std::iter::from_fn(|| budget.withdraw().then_some(())).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_fifth_of_the_requests_is_retried_and_ten_per_second_besides() {
        let budget = RetryBudget::default();
        assert_eq!(left(&budget), 100, "ten seconds of ten");
        (0..50).for_each(|_| budget.deposit());
        assert_eq!(left(&budget), 10);
        (0..4).for_each(|_| budget.deposit());
        assert_eq!(left(&budget), 0);
        budget.deposit();
        assert_eq!(left(&budget), 1);
        advance(Duration::from_secs(12)).await;
        assert_eq!(left(&budget), 100, "all of it was long ago");
    }

    #[tokio::test(start_paused = true)]
    async fn any_settings_make_a_budget() {
        for ratio in [
            f32::NAN,
            -1.0,
            0.0,
            1e-9,
            1e-6,
            0.3,
            1.0,
            7.0,
            f32::INFINITY,
        ] {
            let budget = RetryBudget::new(ratio, 0);
            assert_eq!(left(&budget), 0, "{ratio}");
            (0..6).for_each(|_| budget.deposit());
            let expected = match ratio {
                0.3 => 2,
                ratio if ratio >= 1.0 => 6,
                _ => 0,
            };
            assert_eq!(left(&budget), expected, "{ratio}");
        }
        assert_eq!(left(&RetryBudget::new(0.2, u32::MAX)), 100_000);
    }
}
