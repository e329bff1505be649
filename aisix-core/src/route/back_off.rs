//! How long to wait before a target is asked again.

use std::time::Duration;

/// The longest wish of an upstream that is waited for.
const MAX_HINT: Duration = Duration::from_secs(5);
/// What is added at most to such a wish, so that those who were told the same do not all come back together.
const SPREAD: Duration = Duration::from_millis(250);
/// The bound of the first pause; that of each later one is twice as long.
const FIRST: u64 = 500;
/// The bound of every pause, in milliseconds.
const LONGEST: u64 = 4_000;

/// How long to wait before the next attempt, when `failed` have failed. `jitter` is in 0..1.
///
/// An upstream that says when it wants to be asked again, within five seconds, is asked then, and up to a quarter of a second later. Otherwise
/// the pause is anything between nothing and a bound that doubles from half a second up to four, which is
/// "full jitter" (Brooker, "Exponential Backoff and Jitter", AWS 2015): callers that failed together come back at
/// different times.
pub(super) fn back_off(failed: u32, hint: Option<Duration>, jitter: f64) -> Duration {
    match hint {
        Some(hint) if !hint.is_zero() && hint <= MAX_HINT => hint + SPREAD.mul_f64(jitter),
        _ => {
            let doublings = failed.saturating_sub(1).min(16);
            let bound = (FIRST << doublings).min(LONGEST);
            Duration::from_millis(bound).mul_f64(jitter)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_doubles_up_to_four_seconds() {
        let millis = |failed, jitter| back_off(failed, None, jitter).as_millis();
        let bounds = [1, 2, 3, 4, 5, 90, u32::MAX].map(|failed| millis(failed, 1.0));
        assert_eq!(bounds, [500, 1_000, 2_000, 4_000, 4_000, 4_000, 4_000]);
        assert_eq!([1, 2, 9].map(|failed| millis(failed, 0.0)), [0; 3]);
        assert_eq!(millis(2, 0.25), 250);
    }

    #[test]
    fn a_short_wish_of_the_upstream_is_heeded_and_never_undercut() {
        let wish = |seconds, jitter| back_off(1, Some(Duration::from_secs(seconds)), jitter);
        assert_eq!(wish(3, 0.0), Duration::from_secs(3));
        assert_eq!(wish(5, 1.0), Duration::from_millis(5_250));
        assert_eq!(wish(6, 1.0), Duration::from_millis(500), "too long");
        assert_eq!(wish(0, 1.0), Duration::from_millis(500), "says nothing");
    }
}
