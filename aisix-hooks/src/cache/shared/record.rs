//! An answer as it is written in Redis: a line of JSON, and the body as it was.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aisix_core::wire::Usage;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use memchr::memchr;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::super::entry::Entry;

/// Which way of writing this is. Others are not read.
const VERSION: u8 = 1;
/// What the line takes at most, in bytes.
const LINE: usize = 16 * 1_024;

/// The line.
#[derive(Serialize, Deserialize)]
struct Line {
    version: u8,
    /// Since when it is kept, in milliseconds since 1970.
    since: u64,
    /// The length of the body, in bytes.
    length: usize,
    headers: Vec<(String, String)>,
    /// Tokens: input, read from and written to the provider's cache, output, reasoning.
    usage: Option<[u64; 5]>,
}

/// How long what is written can be, if its body has at most `max_length` bytes.
pub(super) fn most(max_length: usize) -> usize {
    max_length.saturating_add(LINE)
}

/// Writes an answer; `None` when it cannot be read again.
pub(super) fn write(entry: &Entry) -> Option<Vec<u8>> {
    let headers = entry.headers.iter().map(|(name, value)| {
        let value = value.to_str().ok()?;
        Some((name.as_str().to_owned(), value.to_owned()))
    });
    let line = Line {
        version: VERSION,
        since: now().saturating_sub(milliseconds(entry.age())),
        length: entry.body.len(),
        headers: headers.collect::<Option<_>>()?,
        usage: entry.usage.map(|usage| {
            let Usage {
                input,
                cache_read,
                cache_write,
                output,
                reasoning,
            } = usage;
            [input, cache_read, cache_write, output, reasoning]
        }),
    };
    let mut written = serde_json::to_vec(&line).ok()?;
    written.reserve(entry.body.len() + 1);
    written.push(b'\n');
    if written.len() > LINE {
        return None;
    }
    written.extend_from_slice(&entry.body);
    Some(written)
}

/// Reads an answer; `None` when there is none, or not all of it. Anybody may have written it.
pub(super) fn read(written: Vec<u8>) -> Option<Entry> {
    let end = memchr(b'\n', &written)?;
    let line: Line = serde_json::from_slice(&written[..end]).ok()?;
    let body = Bytes::from(written).slice(end + 1..);
    if line.version != VERSION || line.length != body.len() {
        return None;
    }
    let mut headers = HeaderMap::new();
    for (name, value) in line.headers {
        let name: HeaderName = name.parse().ok()?;
        if !Entry::KEPT.contains(&name) {
            return None;
        }
        headers.insert(name, HeaderValue::try_from(value).ok()?);
    }
    let age = Duration::from_millis(now().saturating_sub(line.since));
    Some(Entry {
        headers,
        body,
        usage: line.usage.map(tokens),
        since: Instant::now().checked_sub(age)?,
    })
}

fn tokens([input, cache_read, cache_write, output, reasoning]: [u64; 5]) -> Usage {
    Usage {
        input,
        cache_read,
        cache_write,
        output,
        reasoning,
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    milliseconds(since.unwrap_or_default())
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use http::header::{CONTENT_TYPE, SET_COOKIE};

    use super::*;

    fn entry(body: &'static [u8]) -> Entry {
        let json = HeaderValue::from_static("application/json");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, json)]);
        Entry::new(
            headers,
            Bytes::from_static(body),
            Some(tokens([1, 2, 3, 4, 5])),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_written_is_read_with_its_age() {
        let kept = entry(b"{\"a\":\n\xff}\n");
        tokio::time::advance(Duration::from_secs(7)).await;
        let read = read(write(&kept).unwrap()).unwrap();
        assert_eq!((&read.body, &read.headers), (&kept.body, &kept.headers));
        assert_eq!(read.usage, kept.usage);
        assert_eq!(read.age().as_secs(), 7);
    }

    #[test]
    fn what_is_cut_off_or_of_another_kind_is_not_read() {
        let written = write(&entry(b"hello")).unwrap();
        assert!(read(written.clone()).is_some());
        for length in 0..written.len() {
            assert!(read(written[..length].to_vec()).is_none(), "{length}");
        }
        let text = String::from_utf8(written).unwrap();
        for (old, new) in [
            ("\"version\":1", "\"version\":2"),
            ("hello", "hello!"),
            ("content-type", "set-cookie"),
            ("application/json", "a\\u0000b"),
        ] {
            assert!(text.contains(old));
            let changed = text.replace(old, new);
            assert!(read(changed.into_bytes()).is_none(), "{new}");
        }
    }

    #[test]
    fn what_is_longer_than_is_read_is_not_written() {
        let mut long = entry(b"hello");
        let value = HeaderValue::try_from("a".repeat(LINE)).unwrap();
        long.headers.insert(SET_COOKIE, value);
        assert!(write(&long).is_none());
        assert!(write(&entry(b"hello")).unwrap().len() <= most(5));
    }
}
