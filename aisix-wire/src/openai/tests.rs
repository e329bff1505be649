use proptest::prelude::*;

use super::*;
use crate::Usage;

fn counts(
    input: u64,
    cache_read: u64,
    cache_write: u64,
    output: u64,
    reasoning: u64,
) -> Option<Usage> {
    Some(Usage {
        input,
        cache_read,
        cache_write,
        output,
        reasoning,
    })
}

#[test]
fn usage_is_split_into_buckets_that_do_not_overlap() {
    let full = br#"{"prompt_tokens":12,"completion_tokens":30,"total_tokens":42,
        "prompt_tokens_details":{"cached_tokens":8,"cache_write_tokens":1,"audio_tokens":0},
        "completion_tokens_details":{"reasoning_tokens":20}}"#;
    assert_eq!(usage(full), counts(3, 8, 1, 10, 20));
    assert_eq!(usage(full).unwrap().total(), 42);
}

#[test]
fn usage_forgives_nulls_gaps_and_floats() {
    assert_eq!(
        usage(br#"{"prompt_tokens":12,"total_tokens":12}"#),
        counts(12, 0, 0, 0, 0)
    );
    assert_eq!(
        usage(br#"{"completion_tokens":2,"total_tokens":12}"#),
        counts(10, 0, 0, 2, 0)
    );
    let nulls = br#" {"prompt_tokens":5.0,"completion_tokens":null,"prompt_tokens_details":null,
        "completion_tokens_details":{"reasoning_tokens":null}} "#;
    assert_eq!(usage(nulls), counts(5, 0, 0, 0, 0));
    assert_eq!(
        usage(br#"{"prompt_tokens":-5,"completion_tokens":1e300}"#),
        counts(0, 0, 0, u64::MAX, 0)
    );
    for nothing in [
        &b""[..],
        b"null",
        b"7",
        b"{}",
        b"[]",
        b"{\"prompt_tokens\":",
        br#"{"prompt_tokens":null}"#,
    ] {
        assert_eq!(usage(nothing), None);
    }
}

#[test]
fn usage_reads_cache_hits_of_deepseek() {
    let body = br#"{"prompt_tokens":10,"completion_tokens":4,"total_tokens":14,
        "prompt_cache_hit_tokens":6,"prompt_cache_miss_tokens":4,"completion_tokens_details":{"reasoning_tokens":3}}"#;
    assert_eq!(usage(body), counts(4, 6, 0, 1, 3));
}

#[test]
fn usage_counts_reasoning_beside_the_completion_when_the_total_says_so() {
    let body = br#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":315,
        "completion_tokens_details":{"reasoning_tokens":300}}"#;
    assert_eq!(usage(body), counts(10, 0, 0, 5, 300));
    let body = br#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,
        "completion_tokens_details":{"reasoning_tokens":300}}"#;
    assert_eq!(usage(body), counts(10, 0, 0, 0, 5));
}

#[test]
fn usage_beyond_any_sum_does_not_pass_for_reasoning_beside_the_completion() {
    let absurd = br#"{"prompt_tokens":18446744073709551615,"completion_tokens":30,"total_tokens":18446744073709551615,
        "completion_tokens_details":{"reasoning_tokens":20}}"#;
    assert_eq!(usage(absurd), counts(u64::MAX, 0, 0, 10, 20));
}

proptest! {
    #[test]
    fn usage_never_underflows(prompt: u64, cached: u64, written: u64, completion: u64, reasoning: u64, total: u64) {
        let body = format!(
            r#"{{"prompt_tokens":{prompt},"completion_tokens":{completion},"total_tokens":{total},
            "prompt_tokens_details":{{"cached_tokens":{cached},"cache_write_tokens":{written}}},
            "completion_tokens_details":{{"reasoning_tokens":{reasoning}}}}}"#
        );
        let usage = usage(body.as_bytes()).unwrap();
        prop_assert_eq!(usage.input_total(), prompt);
        prop_assert!(usage.output_total() >= completion);
    }

    #[test]
    fn chunks_of_anything_are_observed_without_a_panic(
        text in prop::collection::vec(
            prop::sample::select(&["{", "}", "[", "]", "\"choices\":", "\"delta\":", "\"content\":", "\"x\"", ",", "7", "\"usage\":", "\"error\":"][..]),
            0..30,
        ),
    ) {
        let text = text.concat();
        let mut meter = Meter::new();
        let mark = meter.observe(text.as_bytes());
        prop_assert_eq!(mark == Mark::Malformed, crate::Envelope::scan(text.as_bytes(), &[]).is_err());
    }
}

#[test]
fn a_response_tells_its_usage_id_and_ending() {
    let body = br#"

        {"id":"chatcmpl-1","object":"chat.completion","model":"m","choices":[
        {"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],
        "usage":{"prompt_tokens":12,"completion_tokens":3},"error":null}"#;
    let facts = read_response(body).unwrap();
    assert_eq!(facts.usage, counts(12, 0, 0, 3, 0));
    assert_eq!(facts.id.as_deref(), Some("chatcmpl-1"));
    assert_eq!(facts.model.as_deref(), Some("m"));
    assert_eq!(facts.finish_reason.as_deref(), Some("stop"));
    assert_eq!(read_response(b"{}").unwrap(), ResponseFacts::default());
}

#[test]
fn an_answer_that_is_none_is_told_apart() {
    assert_eq!(read_response(b""), Err(ResponseError::Empty));
    assert_eq!(read_response(b" \r\n\n"), Err(ResponseError::Empty));
    for body in [&b"<html>"[..], b"{\"id\":\"x\"", b"[]", b"{", b"\xFF"] {
        assert_eq!(read_response(body), Err(ResponseError::NotJson));
    }
    let Err(ResponseError::InBand(refusal)) =
        read_response(br#"{"error":{"message":"overloaded","code":529}}"#)
    else {
        panic!("an error in the guise of an answer");
    };
    assert_eq!(refusal.message, "overloaded");
    assert_eq!(refusal.code.as_deref(), Some("529"));
}

fn mark(chunk: &str) -> Mark {
    Meter::new().observe(chunk.as_bytes())
}

fn delta(delta: &str) -> String {
    format!(
        r#"{{"id":"c","choices":[{{"index":0,"delta":{delta},"finish_reason":null}}],"usage":null}}"#
    )
}

#[test]
fn roles_and_empty_deltas_are_preamble() {
    for empty in [
        "{}",
        "null",
        r#"{"role":"assistant","content":""}"#,
        r#"{"content":null,"refusal":null,"tool_calls":[],"reasoning_content":""}"#,
    ] {
        assert_eq!(mark(&delta(empty)), Mark::Preamble, "{empty}");
    }
    assert_eq!(
        mark(r#"{"choices":[],"prompt_filter_results":[]}"#),
        Mark::Preamble
    );
    assert_eq!(mark("{}"), Mark::Preamble);
}

#[test]
fn whatever_the_reader_gets_is_content() {
    for content in [
        r#"{"content":"x"}"#,
        r#"{"reasoning_content":"hm"}"#,
        r#"{"reasoning":"hm"}"#,
        r#"{"refusal":"no"}"#,
        r#"{"tool_calls":[{"index":0,"id":"call_1","function":{"name":"f","arguments":""}}]}"#,
        r#"{"function_call":{"name":"f"}}"#,
        r#"{"audio":{"data":"AAAA"}}"#,
        r#"{"content":[{"type":"text","text":"x"}]}"#,
    ] {
        assert_eq!(mark(&delta(content)), Mark::Content, "{content}");
    }
    assert_eq!(
        mark(r#"{"choices":[{"text":"x","finish_reason":null}]}"#),
        Mark::Content
    );
    assert_eq!(
        mark(r#"{"choices":[{"text":"","finish_reason":null}]}"#),
        Mark::Preamble
    );
    assert_eq!(
        mark(r#"{"choices":[{"index":0,"delta":{}},{"index":1,"delta":{"content":"x"}}]}"#),
        Mark::Content
    );
}

#[test]
fn a_stream_is_followed_to_its_end() {
    let mut meter = Meter::new();
    assert_eq!(
        meter.observe(delta(r#"{"role":"assistant"}"#).as_bytes()),
        Mark::Preamble
    );
    assert_eq!(
        meter.observe(delta(r#"{"content":"four"}"#).as_bytes()),
        Mark::Content
    );
    assert!(!meter.finished());
    let tool = delta(
        r#"{"tool_calls":[{"index":0,"id":"call_1","function":{"name":"f","arguments":"{\"a\":1}"}}]}"#,
    );
    assert_eq!(meter.observe(tool.as_bytes()), Mark::Content);
    assert_eq!(meter.text_bytes(), 4 + 1 + 9);
    assert_eq!(
        meter.observe(br#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#),
        Mark::Finish
    );
    assert!(meter.finished() && !meter.done());
    assert_eq!(meter.usage(), None);
    let usage = br#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#;
    assert_eq!(meter.observe(usage), Mark::UsageOnly);
    assert_eq!(meter.usage(), counts(1, 0, 0, 2, 0));
    assert_eq!(meter.observe(b" [DONE] "), Mark::Done);
    assert!(meter.done());
    assert_eq!(meter.usage(), counts(1, 0, 0, 2, 0));
}

#[test]
fn usage_beside_content_counts_and_the_latest_holds() {
    let mut meter = Meter::new();
    for tokens in [1, 2] {
        let chunk = format!(
            r#"{{"choices":[{{"delta":{{"content":"x"}},"finish_reason":"stop"}}],"usage":{{"completion_tokens":{tokens}}}}}"#
        );
        assert_eq!(meter.observe(chunk.as_bytes()), Mark::Content);
    }
    assert!(meter.finished());
    assert_eq!(meter.usage(), counts(0, 0, 0, 2, 0));
}

#[test]
fn errors_and_rubbish_in_a_stream_are_noticed() {
    let Mark::Error(refusal) = mark(r#"{"error":{"message":"gone","type":"server_error"}}"#) else {
        panic!("an error");
    };
    assert_eq!(
        (refusal.message.as_str(), refusal.kind.as_deref()),
        ("gone", Some("server_error"))
    );
    assert!(matches!(
        mark(r#"{"error":"gone","choices":[]}"#),
        Mark::Error(_)
    ));
    assert_eq!(mark(r#"{"error":null,"choices":[]}"#), Mark::Preamble);
    for rubbish in ["", "<html>", "{\"choices\":[", "[]", "null"] {
        assert_eq!(mark(rubbish), Mark::Malformed, "{rubbish}");
    }
}
