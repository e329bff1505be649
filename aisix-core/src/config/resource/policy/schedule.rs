//! When a policy is suspended.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::super::Invalid;

/// The minutes of a day.
const DAY: u16 = 24 * 60;

/// A span of wall-clock time on some days. One that ends before it begins goes on into the next day; one
/// that ends when it begins is empty.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Fields")]
pub struct Schedule {
    /// When it begins, in minutes of the day.
    pub start: u16,
    /// When it is over, in minutes of the day: up to 24 hours.
    pub end: u16,
    /// The time zone of all of it. `None` for one that is not known: then it is never.
    pub zone: Option<TimeZone>,
    /// The days on which it begins.
    pub days: Days,
}

/// The days on which a span begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Days {
    /// Every week.
    OfWeek(Vec<Weekday>),
    /// These days only.
    Dates(Vec<Date>),
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Weekday {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

/// What a document says.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Fields {
    /// When it begins, `HH:MM`.
    #[schemars(extend("format" = "start-of-window"))]
    start_time: String,
    /// When it is over, `HH:MM` or `24:00`. Before `start_time`, it is on the next day.
    #[schemars(extend("format" = "end-of-window"))]
    end_time: String,
    /// The time zone, by its IANA name.
    #[schemars(extend("format" = "time-zone"))]
    timezone: String,
    /// The days of the week on which it begins.
    #[schemars(length(min = 1))]
    days_of_week: Option<Vec<Weekday>>,
    /// The dates on which it begins.
    #[schemars(length(min = 1), extend("items" = {"type": "string", "format": "calendar-date"}))]
    dates: Option<Vec<String>>,
}

// === impl Schedule ===

impl Schedule {
    /// Whether it is such a time now.
    pub fn covers(&self, now: Timestamp) -> bool {
        let Some(zone) = &self.zone else { return false };
        let local = zone.to_datetime(now);
        let time = local.time();
        let minute =
            u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs());
        let begins = |date: Date| self.days.contain(date);
        if self.start < self.end {
            return (self.start..self.end).contains(&minute) && begins(local.date());
        }
        if self.start == self.end {
            return false;
        }
        // A day later, it is the end of what began on the day before.
        (minute >= self.start && begins(local.date()))
            || (minute < self.end && local.date().yesterday().is_ok_and(begins))
    }
}

impl TryFrom<Fields> for Schedule {
    type Error = &'static str;

    fn try_from(fields: Fields) -> Result<Self, Self::Error> {
        let days = match (fields.days_of_week, fields.dates) {
            (Some(days), None) => Days::OfWeek(days),
            // What is no date was reported, and is on no day.
            (None, Some(dates)) => Days::Dates(dates.iter().filter_map(|it| date(it)).collect()),
            _ => return Err("either days of the week or dates"),
        };
        Ok(Self {
            start: minute(&fields.start_time)
                .filter(|it| *it < DAY)
                .ok_or("no time")?,
            end: minute(&fields.end_time).ok_or("no time")?,
            zone: zone(&fields.timezone),
            days,
        })
    }
}

// === impl Days ===

impl Days {
    fn contain(&self, date: Date) -> bool {
        match self {
            Self::OfWeek(days) => {
                let number = date.weekday().to_monday_zero_offset();
                days.iter().any(|day| *day as i8 == number)
            }
            Self::Dates(dates) => dates.contains(&date),
        }
    }
}

/// Reports schedules that do not say their days in exactly one way.
pub(super) fn rules(schedules: Option<&Value>, errors: &mut Vec<Invalid>) {
    let schedules = schedules.and_then(Value::as_array);
    for (at, schedule) in schedules.into_iter().flatten().enumerate() {
        let has = |name: &str| schedule.get(name).is_some();
        let (name, message) = match (has("days_of_week"), has("dates")) {
            (true, true) => ("dates", "is given besides `days_of_week`"),
            (false, false) if schedule.is_object() => ("days_of_week", "or `dates` is required"),
            _ => continue,
        };
        errors.push(Invalid::new(format!("schedules[{at}].{name}"), message));
    }
}

/// The minute of the day in `HH:MM`, up to `24:00`.
pub(in super::super) fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let two = |digits: &str| {
        let is_number = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse::<u16>().ok()).flatten()
    };
    let (hour, minute) = (two(hour)?, two(minute)?);
    let all = hour * 60 + minute;
    (minute < 60 && all <= DAY).then_some(all)
}

/// The time zone of this name.
pub(in super::super) fn zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}

/// A date of the form `2030-01-31`.
pub(in super::super) fn date(text: &str) -> Option<Date> {
    let has_form = text.len() == 10
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'-');
    has_form.then(|| text.parse().ok()).flatten()
}
