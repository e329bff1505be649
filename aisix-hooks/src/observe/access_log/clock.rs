//! Time stamps: the calendar is asked once a second.

use std::time::Duration;

use jiff::Timestamp;

/// `YYYY-MM-DDTHH:MM:SS`
const SECONDS: usize = 19;

/// Writes time stamps, and remembers the last second.
#[derive(Default)]
pub(super) struct Clock {
    second: u64,
    text: String,
}

// === impl Clock ===

impl Clock {
    /// Appends `{"timestamp":"…Z"` for a time since the epoch, in microseconds.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, now: Duration) {
        if self.second != now.as_secs() || self.text.is_empty() {
            self.second = now.as_secs();
            let second = i64::try_from(self.second).unwrap_or(i64::MAX);
            let time = Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
            self.text = time.to_string();
            self.text.truncate(SECONDS);
        }
        out.extend_from_slice(b"{\"timestamp\":\"");
        out.extend_from_slice(self.text.as_bytes());
        let mut micros = *b".000000Z\"";
        let mut rest = now.subsec_micros();
        for digit in micros[1..7].iter_mut().rev() {
            *digit += (rest % 10) as u8;
            rest /= 10;
        }
        out.extend_from_slice(&micros);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_written_as_rfc_3339() {
        let mut clock = Clock::default();
        let mut write = |micros| {
            let mut out = Vec::new();
            clock.write(&mut out, Duration::from_micros(micros));
            String::from_utf8(out).unwrap()
        };
        let expected = |time| format!("{{\"timestamp\":\"{time}\"");
        assert_eq!(write(0), expected("1970-01-01T00:00:00.000000Z"));
        assert_eq!(
            write(1_795_227_053_000_120),
            expected("2026-11-21T02:10:53.000120Z")
        );
        assert_eq!(
            write(1_795_227_053_999_999),
            expected("2026-11-21T02:10:53.999999Z")
        );
    }
}
