//! Answers that tell the tokens of other calls besides their own.

use bytes::Bytes;

use crate::json::{Object, Value};
use crate::{Dialect, Edits, Usage};

/// A count in the object that tells them; with `inner`, one in an object within.
struct Count {
    name: &'static str,
    inner: Option<&'static str>,
    of: fn(&Usage) -> u64,
}

const fn count(name: &'static str, of: fn(&Usage) -> u64) -> Count {
    let inner = None;
    Count { name, inner, of }
}

const fn part(name: &'static str, inner: &'static str, of: fn(&Usage) -> u64) -> Count {
    let inner = Some(inner);
    Count { name, inner, of }
}

const OPENAI: &[Count] = &[
    count("prompt_tokens", Usage::input_total),
    count("completion_tokens", Usage::output_total),
    count("total_tokens", Usage::total),
    part("prompt_tokens_details", "cached_tokens", |it| it.cache_read),
    part("prompt_tokens_details", "cache_write_tokens", |it| {
        it.cache_write
    }),
    part("completion_tokens_details", "reasoning_tokens", |it| {
        it.reasoning
    }),
];

const RESPONSES: &[Count] = &[
    count("input_tokens", Usage::input_total),
    count("output_tokens", Usage::output_total),
    count("total_tokens", Usage::total),
    part("input_tokens_details", "cached_tokens", |it| it.cache_read),
    part("input_tokens_details", "cache_write_tokens", |it| {
        it.cache_write
    }),
    part("output_tokens_details", "reasoning_tokens", |it| {
        it.reasoning
    }),
];

const ANTHROPIC: &[Count] = &[
    count("input_tokens", |it| it.input),
    count("cache_creation_input_tokens", |it| it.cache_write),
    count("cache_read_input_tokens", |it| it.cache_read),
    count("output_tokens", Usage::output_total),
    part("output_tokens_details", "thinking_tokens", |it| {
        it.reasoning
    }),
];

const GEMINI: &[Count] = &[
    count("promptTokenCount", Usage::input_total),
    count("cachedContentTokenCount", |it| it.cache_read),
    count("candidatesTokenCount", |it| it.output),
    count("thoughtsTokenCount", |it| it.reasoning),
    count("totalTokenCount", Usage::total),
];

/// Adds the tokens of other calls to those that an answer tells, or an event of one that streams; all else stays as it
/// came. `None` when it tells none.
///
/// Events that tell them again tell the sums again: callers take the last ones.
pub fn add_usage(dialect: Dialect, body: &Bytes, more: &Usage) -> Option<Bytes> {
    let root = Object::scan(body).ok()?;
    let (counts, usage) = match dialect {
        Dialect::OpenAi => (OPENAI, root.try_object("usage")),
        Dialect::Responses => (RESPONSES, within(&root, "response")),
        Dialect::Anthropic => (ANTHROPIC, within(&root, "message")),
        Dialect::Gemini => (GEMINI, root.try_object("usageMetadata")),
    };
    let usage = usage?;
    // What this event does not tell was told before, and stays as it was.
    let tells_part = root.try_text("type").as_deref() == Some("message_delta");
    let mut edits = Edits::new();
    for Count { name, inner, of } in counts {
        let (amount, told) = (of(more), told(&usage, name, *inner));
        let is_missing = told.is_none() && (amount == 0 || tells_part && *name != "output_tokens");
        if is_missing {
            continue;
        }
        let sum = told.unwrap_or(0).saturating_add(amount).to_string();
        match inner {
            Some(inner) => edits.set_in(*name, *inner, sum),
            None => edits.set(*name, sum),
        }
    }
    Some(edits.apply(body, usage.envelope()))
}

/// The usage of an answer, or of the answer that an event tells in this member.
fn within<'a>(root: &Object<'a>, member: &str) -> Option<Object<'a>> {
    let own = root.try_object("usage");
    own.or_else(|| root.try_object(member)?.try_object("usage"))
}

fn told(usage: &Object<'_>, name: &str, inner: Option<&str>) -> Option<u64> {
    match inner {
        Some(inner) => number(&usage.try_object(name)?.get(inner)?),
        None => number(&usage.get(name)?),
    }
}

/// A count; 64-bit ones are texts in JSON made of protocol buffers.
fn number(value: &Value<'_>) -> Option<u64> {
    match value.as_str() {
        Some(text) => text.parse().ok(),
        None => value.as_u64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MORE: Usage = Usage {
        input: 100,
        cache_read: 20,
        cache_write: 0,
        output: 30,
        reasoning: 4,
    };

    fn added(dialect: Dialect, body: &'static str) -> String {
        let body = add_usage(dialect, &Bytes::from_static(body.as_bytes()), &MORE);
        String::from_utf8(body.unwrap_or_default().to_vec()).expect("it is UTF-8")
    }

    #[test]
    fn counts_are_sums_and_all_else_stays() {
        let cases = [
            (
                Dialect::OpenAi,
                r#"{"id":"x","usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12,"cost":1}}"#,
                r#"{"id":"x","usage":{"prompt_tokens":125,"completion_tokens":41,"total_tokens":166,"cost":1,"prompt_tokens_details":{"cached_tokens":20},"completion_tokens_details":{"reasoning_tokens":4}}}"#,
            ),
            (
                Dialect::Responses,
                r#"{"type":"response.completed","response":{"usage":{"input_tokens":5,"input_tokens_details":{"cached_tokens":1},"output_tokens":7,"total_tokens":12}}}"#,
                r#"{"type":"response.completed","response":{"usage":{"input_tokens":125,"input_tokens_details":{"cached_tokens":21},"output_tokens":41,"total_tokens":166,"output_tokens_details":{"reasoning_tokens":4}}}}"#,
            ),
            (
                Dialect::Anthropic,
                r#"{"type":"message","usage":{"input_tokens":5,"output_tokens":7}}"#,
                r#"{"type":"message","usage":{"input_tokens":105,"output_tokens":41,"cache_read_input_tokens":20,"output_tokens_details":{"thinking_tokens":4}}}"#,
            ),
            (
                Dialect::Gemini,
                r#"{"usageMetadata":{"promptTokenCount":"5","candidatesTokenCount":7,"totalTokenCount":12}}"#,
                r#"{"usageMetadata":{"promptTokenCount":125,"candidatesTokenCount":37,"totalTokenCount":166,"cachedContentTokenCount":20,"thoughtsTokenCount":4}}"#,
            ),
        ];
        for (dialect, before, after) in cases {
            assert_eq!(added(dialect, before), after, "{dialect:?}");
        }
    }

    #[test]
    fn a_stream_of_messages_tells_each_count_where_it_told_it_before() {
        let start =
            r#"{"type":"message_start","message":{"usage":{"input_tokens":5,"output_tokens":1}}}"#;
        let start = added(Dialect::Anthropic, start);
        assert!(start.contains(r#""input_tokens":105"#), "{start}");
        let delta = added(
            Dialect::Anthropic,
            r#"{"type":"message_delta","usage":{"output_tokens":7}}"#,
        );
        assert_eq!(
            delta,
            r#"{"type":"message_delta","usage":{"output_tokens":41}}"#
        );
    }

    #[test]
    fn what_tells_no_tokens_is_left_alone() {
        for body in [r#"{"usage":null}"#, "{}", "[DONE]", r#"{"usage":7}"#] {
            assert_eq!(added(Dialect::OpenAi, body), "", "{body}");
        }
    }
}
