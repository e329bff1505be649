//! Percentiles and medians.

use std::time::Duration;

/// The value below or at which a share of the samples lies (nearest rank), in microseconds; `None` without samples.
pub(crate) fn percentile(
    samples: impl IntoIterator<Item = Duration>,
    percent: usize,
) -> Option<f64> {
    let mut sorted: Vec<_> = samples.into_iter().collect();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    Some(micros(*sorted.get(rank - 1)?))
}

/// The middle value, or the mean of the two in the middle; `None` without values.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<_> = values.into_iter().collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(sorted[sorted.len() / 2 - 1], upper))
}

/// A duration in microseconds.
pub(crate) fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_percentile_is_the_nearest_rank() {
        let samples = || (1..=100).rev().map(Duration::from_micros);
        assert_eq!(percentile(samples(), 50), Some(50.0));
        assert_eq!(percentile(samples(), 99), Some(99.0));
        let three = [3, 1, 2].map(Duration::from_micros);
        assert_eq!(percentile(three, 99), Some(3.0));
        assert_eq!(percentile(three, 0), Some(1.0));
        assert_eq!(percentile([], 50), None);
    }

    #[test]
    fn the_median_of_an_even_number_is_between_the_middle_two() {
        assert_eq!(median([9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median([4.0, 1.0, 2.0, 9.0]), Some(3.0));
        assert_eq!(median([]), None);
    }
}
