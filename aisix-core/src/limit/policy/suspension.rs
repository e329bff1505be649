//! Whether a policy is suspended now.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

use crate::config::resource::Schedule;

/// Schedules, in any of which a policy is suspended.
pub(super) struct Suspension {
    schedules: Vec<Schedule>,
    /// Twice the minute since the epoch that was asked about last, plus one if the answer was yes.
    last: AtomicU64,
}

// === impl Suspension ===

impl Suspension {
    pub(super) fn new(schedules: Vec<Schedule>) -> Self {
        let last = AtomicU64::new(u64::MAX);
        Self { schedules, last }
    }

    /// Whether it is such a time. Wherever one is, clocks begin a new minute at the same time, so that an answer
    /// holds for a whole one.
    pub(super) fn is_on(&self, now: Timestamp) -> bool {
        let minute = u64::try_from(now.as_second()).unwrap_or(0) / 60;
        let last = self.last.load(Ordering::Relaxed);
        if last / 2 == minute {
            return last % 2 == 1;
        }
        let is_on = self.schedules.iter().any(|schedule| schedule.covers(now));
        let answer = minute * 2 + u64::from(is_on);
        self.last.store(answer, Ordering::Relaxed);
        is_on
    }
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, civil::date, tz::TimeZone};

    use super::Suspension;
    use crate::config::resource::{Days, Schedule, Weekday};

    #[test]
    fn any_schedule_suspends_and_every_minute_is_looked_at_anew() {
        let schedule = |zone, start, days| Schedule {
            start,
            end: 24 * 60,
            zone: TimeZone::get(zone).ok(),
            days,
        };
        // From 18:00 on in New York, which is 23:00 in UTC; and a day in India, half an hour out of step.
        let schedules = vec![
            schedule(
                "America/New_York",
                18 * 60,
                Days::OfWeek(vec![Weekday::Mon]),
            ),
            schedule("Asia/Kolkata", 0, Days::Dates(vec![date(2030, 1, 10)])),
        ];
        let suspension = Suspension::new(schedules);
        for (time, expected) in [
            ("2030-01-07T22:59:59Z", false),
            ("2030-01-07T23:00:00Z", true),
            ("2030-01-07T23:00:59Z", true),
            ("2030-01-07T22:59:00Z", false),
            ("2030-01-08T04:59:59Z", true),
            ("2030-01-08T05:00:00Z", false),
            ("2030-01-09T18:29:59Z", false),
            ("2030-01-09T18:30:00Z", true),
            ("2030-01-10T18:30:00Z", false),
        ] {
            let now: Timestamp = time.parse().expect("it is a time");
            assert_eq!(suspension.is_on(now), expected, "{time}");
            assert_eq!(suspension.is_on(now), expected, "{time} once more");
        }
    }
}
