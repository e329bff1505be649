//! What a call asks of the mock upstream, found by searching the body for the few members that matter.

use memchr::memmem;
use std::time::Duration;

/// The script of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// One small JSON reply.
    Chat,
    /// The same after some time.
    Late(Duration),
    /// The same, but each such call is refused.
    Flaky(usize),
    /// A stream of events.
    Stream(Stream),
}

/// How a stream goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stream {
    /// How many chunks come before the usage chunk and `[DONE]`.
    pub(crate) chunks: usize,
    /// The time between two chunks; zero writes them at once.
    pub(crate) gap: Duration,
    /// Whether a usage chunk follows.
    pub(crate) usage: bool,
}

impl Ask {
    /// Reads the script; `None` when there is no model in the body or it names more than 100 000 chunks.
    ///
    /// This is a search and no parser: inside a JSON string a quote is escaped, so that `"model"` in a
    /// prompt cannot match.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let name = value_of(body, b"\"model\"")?.strip_prefix(b"\"")?;
        let end = memchr::memchr(b'"', name)?;
        let name = std::str::from_utf8(&name[..end]).ok()?;
        let usage = value_of(body, b"\"include_usage\"").is_some_and(|v| v.starts_with(b"true"));
        Some(match Self::named(name)? {
            Self::Stream(stream) => Self::Stream(Stream { usage, ..stream }),
            ask => ask,
        })
    }

    /// Reads the script of a model, up to an `@`; `None` when it names more than 100 000 chunks.
    pub(crate) fn named(model: &str) -> Option<Self> {
        let model = model.split('@').next()?;
        if let Some(millis) = model.strip_prefix("late-") {
            let millis: u32 = millis.parse().ok()?;
            return Some(Self::Late(Duration::from_millis(millis.into())));
        }
        if let Some(each) = model.strip_prefix("flaky-") {
            return each.parse().ok().filter(|n| *n > 0).map(Self::Flaky);
        }
        let Some(script) = model.strip_prefix("stream-") else {
            return Some(Self::Chat);
        };
        let (chunks, gap) = script.split_once('-')?;
        let chunks = chunks.parse().ok().filter(|n| *n <= 100_000)?;
        let gap = Duration::from_millis(u64::from(gap.parse::<u32>().ok()?));
        let usage = false;
        Some(Self::Stream(Stream { chunks, gap, usage }))
    }
}

/// What follows a member's name and colon.
fn value_of<'a>(body: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let after = memmem::find(body, name)? + name.len();
    let rest = body[after..].trim_ascii_start().strip_prefix(b":")?;
    Some(rest.trim_ascii_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_name_is_the_script() {
        let chat = Ask::read(br#"{"model": "chat", "messages": []}"#);
        assert_eq!(chat, Some(Ask::Chat));
        let paced = Ask::read(br#"{"messages":[],"stream":true,"model":"stream-200-5"}"#);
        let expected = Stream {
            chunks: 200,
            gap: Duration::from_millis(5),
            usage: false,
        };
        assert_eq!(paced, Some(Ask::Stream(expected)));
    }

    #[test]
    fn what_follows_an_at_sign_is_not_part_of_the_script() {
        assert_eq!(Ask::named("chat@gemini"), Some(Ask::Chat));
        let stream = Ask::named("stream-2-0@gemini");
        assert!(matches!(
            stream,
            Some(Ask::Stream(Stream { chunks: 2, .. }))
        ));
    }

    #[test]
    fn usage_is_sent_only_when_asked_for() {
        let usage = |body: &str| match Ask::read(body.as_bytes()) {
            Some(Ask::Stream(stream)) => stream.usage,
            other => panic!("{other:?}"),
        };
        assert!(usage(
            r#"{"model":"stream-2-0","stream_options":{"include_usage" : true}}"#
        ));
        assert!(!usage(
            r#"{"model":"stream-2-0","stream_options":{"include_usage":false}}"#
        ));
        assert!(!usage(r#"{"model":"stream-2-0"}"#));
    }

    #[test]
    fn a_prompt_that_quotes_a_member_is_not_taken_for_it() {
        let body = br#"{"messages":[{"content":"say \"model\": \"x\""}],"model":"stream-1-0"}"#;
        assert!(matches!(Ask::read(body), Some(Ask::Stream(_))));
    }

    #[test]
    fn a_script_may_be_a_fault() {
        let late = Ask::Late(Duration::from_millis(500));
        assert_eq!(Ask::named("late-500@b"), Some(late));
        assert_eq!(Ask::named("flaky-10"), Some(Ask::Flaky(10)));
        assert_eq!(Ask::named("flaky-0"), None);
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for body in [
            "",
            "{}",
            r#"{"model":7}"#,
            r#"{"model":"stream-x-0"}"#,
            r#"{"model":"stream-999999-0"}"#,
            r#"{"model":"ab"#,
        ] {
            assert_eq!(Ask::read(body.as_bytes()), None, "{body}");
        }
    }
}
