//! Spans of time as people write them.

use std::{borrow::Cow, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error as _};

/// The longest span: 366 days.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// A span of time: a sum of `ms`, `s`, `m`, `h` and `d`, such as `500ms` or `1h30m`; up to 366 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(Duration);

/// Reads a sum of spans.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let (mut total, mut rest) = (0_u64, text);
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let (number, after) = rest.split_at(end);
        let (unit, left) = [
            ("ms", 1),
            ("s", 1_000),
            ("m", 60_000),
            ("h", 3_600_000),
            ("d", 86_400_000),
        ]
        .into_iter()
        .find_map(|(unit, length)| Some((length, after.strip_prefix(unit)?)))?;
        let number: u64 = number.parse().ok()?;
        total = total.checked_add(number.checked_mul(unit)?)?;
        rest = left;
    }
    let total = Duration::from_millis(total);
    (!text.is_empty() && total <= LONGEST).then_some(total)
}

// === impl Span ===

impl Span {
    /// This long.
    pub const fn new(duration: Duration) -> Self {
        Self(duration)
    }

    /// Its length.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let span = parse(&text);
        span.map(Self)
            .ok_or_else(|| D::Error::custom("a span of time is like `500ms`, `30s` or `1h30m`"))
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^([0-9]+(ms|[smhd]))+$"})
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn spans_are_sums_of_units() {
        for (text, millis) in [
            ("0s", 0),
            ("500ms", 500),
            ("30s", 30_000),
            ("1m1ms", 60_001),
            ("1h30m", 5_400_000),
            ("1d", 86_400_000),
        ] {
            assert_eq!(
                parse(text).unwrap(),
                Duration::from_millis(millis),
                "{text}"
            );
        }
        for text in [
            "",
            "1",
            "m",
            "1x",
            "367d",
            "99999999999999999999s",
            "1é",
            "1 s",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
