//! When an upstream wants to be asked again.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use jiff::{Timestamp, fmt::rfc2822};

/// What is counted against limits: the header that tells how much is left, and the one that tells when there is
/// all of it again. OpenAI's and those that speak like it, then Anthropic's, then what others have agreed upon.
const LIMITS: [(&str, &str); 7] = [
    (
        "x-ratelimit-remaining-requests",
        "x-ratelimit-reset-requests",
    ),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    (
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
    ),
    (
        "anthropic-ratelimit-tokens-remaining",
        "anthropic-ratelimit-tokens-reset",
    ),
    (
        "anthropic-ratelimit-input-tokens-remaining",
        "anthropic-ratelimit-input-tokens-reset",
    ),
    (
        "anthropic-ratelimit-output-tokens-remaining",
        "anthropic-ratelimit-output-tokens-reset",
    ),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
];
/// Numbers from here on are milliseconds since 1970, and from the next one on seconds since 1970.
const EPOCH_MILLIS: f64 = 1e11;
const EPOCH_SECONDS: f64 = 1e9;

/// How long the upstream wants to be left alone, if it says so.
///
/// `retry-after-ms` and `retry-after` (seconds, or a date) say it of every refusal. Of one for a limit, what tells when the limit is
/// at rest again says it too: of limits with nothing left, the one that takes longest.
pub(super) fn retry_after(
    status: StatusCode,
    headers: &HeaderMap,
    now: Timestamp,
) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let wish = text("retry-after-ms")
        .and_then(|text| seconds(text.parse::<f64>().ok()? / 1_000.0))
        .or_else(|| time(text("retry-after")?, now));
    if wish.is_some() || status != StatusCode::TOO_MANY_REQUESTS {
        return wish;
    }
    let used_up = LIMITS
        .iter()
        .filter(|(remaining, _)| text(remaining).is_none_or(|left| left.parse() == Ok(0.0)));
    used_up
        .filter_map(|(_, reset)| time(text(reset)?, now))
        .max()
}

/// A time from now on: seconds, a time of the day as a number or a date, or units as in `1m30.5s`.
fn time(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(number) = text.parse::<f64>() {
        let since_1970 = now.as_duration().as_secs_f64();
        return seconds(match number {
            millis if millis >= EPOCH_MILLIS => (millis / 1_000.0 - since_1970).max(0.0),
            time if time >= EPOCH_SECONDS => (time - since_1970).max(0.0),
            seconds => seconds,
        });
    }
    let date = text.parse::<Timestamp>().ok().or_else(|| {
        let date = rfc2822::DateTimeParser::new().parse_timestamp(text);
        date.ok()
    });
    match date {
        Some(date) => {
            let left = date.duration_since(now);
            Some(Duration::try_from(left).unwrap_or(Duration::ZERO))
        }
        None => units(text),
    }
}

/// Numbers with units, as Go writes durations: `6m0s`, `120ms`, `1h2m3.5s`.
fn units(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        total += number
            * match &rest[..letters] {
                "d" => 86_400.0,
                "h" => 3_600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = &rest[letters..];
    }
    seconds(total)
}

fn seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const NOW: &str = "2026-01-02T03:04:05Z";

    fn wish(status: u16, headers: &[(&'static str, &str)]) -> Option<u128> {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect();
        let status = StatusCode::from_u16(status).unwrap();
        let wish = retry_after(status, &headers, NOW.parse().unwrap());
        wish.map(|wish| wish.as_millis())
    }

    #[test]
    fn a_wish_is_seconds_milliseconds_or_a_date() {
        for (name, value, millis) in [
            ("retry-after", "7", Some(7_000)),
            ("retry-after", "1.5", Some(1_500)),
            ("retry-after", "Fri, 02 Jan 2026 03:05:05 GMT", Some(60_000)),
            ("retry-after", "Fri, 02 Jan 2026 03:04:00 GMT", Some(0)),
            ("retry-after-ms", "250", Some(250)),
            ("retry-after", "soon", None),
            ("retry-after", "-1", None),
            ("retry-after", "1e300", None),
            ("retry-after", "NaN", None),
        ] {
            assert_eq!(wish(503, &[(name, value)]), millis, "{name}: {value}");
        }
        let both = [("retry-after", "7"), ("retry-after-ms", "250")];
        assert_eq!(wish(429, &both), Some(250), "the more exact one");
    }

    #[test]
    fn of_limits_the_one_that_is_used_up_longest_counts() {
        for (value, millis) in [
            ("6m0s", Some(360_000)),
            ("120ms", Some(120)),
            ("1h2m3.5s", Some(3_723_500)),
            ("9", Some(9_000)),
            ("2026-01-02T03:04:35Z", Some(30_000)),
            ("1767323105", Some(60_000)),
            ("1767323105000", Some(60_000)),
            ("1m30", None),
            ("3 fortnights", None),
            ("m", None),
        ] {
            let header = [("x-ratelimit-reset-requests", value)];
            assert_eq!(wish(429, &header), millis, "{value}");
        }
        let limits = [
            ("x-ratelimit-remaining-requests", "5"),
            ("x-ratelimit-reset-requests", "10m"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "3s"),
            ("anthropic-ratelimit-tokens-remaining", "0"),
            ("anthropic-ratelimit-tokens-reset", "2026-01-02T03:04:09Z"),
        ];
        assert_eq!(wish(429, &limits), Some(4_000));
        assert_eq!(wish(503, &limits), None, "not refused for a limit");
    }
}
