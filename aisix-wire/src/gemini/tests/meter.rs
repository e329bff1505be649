use proptest::prelude::*;

use crate::gemini::{Meter, read_facts};
use crate::openai::Mark;
use crate::sse::Decoder;
use crate::{Envelope, ResponseError, Usage};

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/fixtures/gemini/", $name))
    };
}

fn marks(stream: &[u8]) -> (Vec<Mark>, Meter) {
    let mut meter = Meter::new();
    let mut decoder = Decoder::new(1 << 20);
    decoder.push(stream.to_vec().into());
    let mut marks = Vec::new();
    while let Ok(Some(event)) = decoder.next() {
        marks.extend(event.data().map(|data| meter.observe(&data)));
    }
    (marks, meter)
}

#[test]
fn a_stream_is_followed_to_its_end() {
    let (seen, meter) = marks(fixture!("stream/text.sse"));
    assert_eq!(seen, [Mark::Content, Mark::Content, Mark::Content]);
    assert!(meter.finished() && meter.done());
    let usage = Usage {
        input: 6,
        cache_read: 4,
        output: 3,
        reasoning: 8,
        ..Usage::default()
    };
    assert_eq!(meter.usage(), Some(usage));
    assert_eq!(meter.text_bytes(), 6 + 4 + 1 + 6);
}

#[test]
fn endings_errors_and_rubbish_are_told_apart() {
    let (seen, meter) = marks(fixture!("stream/two_candidates.sse"));
    assert_eq!(seen, [Mark::Content, Mark::Content]);
    assert!(meter.finished());
    let (seen, meter) = marks(fixture!("stream/blocked.sse"));
    assert_eq!(seen, [Mark::Finish]);
    assert!(meter.finished());
    let (seen, meter) = marks(fixture!("stream/cut.sse"));
    assert_eq!(seen, [Mark::Content]);
    assert!(!meter.finished());
    let (seen, _) = marks(fixture!("stream/error_array.sse"));
    assert!(matches!(&seen[..], [Mark::Error(refusal)] if refusal.code.as_deref() == Some("429")));
    let (seen, _) = marks(fixture!("stream/garbage.sse"));
    assert_eq!(seen, [Mark::Malformed, Mark::Malformed]);
    let (seen, _) = marks(fixture!("stream/tools.sse"));
    assert_eq!(seen, [Mark::Content, Mark::Finish]);
    let mut meter = Meter::new();
    assert_eq!(
        meter.observe(br#"{"usageMetadata":{"promptTokenCount":1}}"#),
        Mark::Preamble
    );
    assert_eq!(
        meter.observe(br#"{"candidates":[{"content":{"parts":[{"text":""}]}}]}"#),
        Mark::Preamble
    );
}

#[test]
fn a_whole_answer_tells_its_facts() {
    let facts = read_facts(fixture!("response/thoughts_and_calls.json")).unwrap();
    let usage = Usage {
        input: 6,
        cache_read: 4,
        output: 2,
        reasoning: 30,
        ..Usage::default()
    };
    assert_eq!(facts.usage, Some(usage));
    assert_eq!(facts.id.as_deref(), Some("r1"));
    assert_eq!(facts.model.as_deref(), Some("gemini-3-pro-preview"));
    assert_eq!(facts.finish_reason.as_deref(), Some("STOP"));
    let facts = read_facts(fixture!("response/blocked_prompt.json")).unwrap();
    assert_eq!(facts.finish_reason.as_deref(), Some("PROHIBITED_CONTENT"));
    assert_eq!(read_facts(b" \n"), Err(ResponseError::Empty));
    assert_eq!(read_facts(b"[]"), Err(ResponseError::NotJson));
}

proptest! {
    #[test]
    fn events_of_anything_are_observed_without_a_panic(
        text in prop::collection::vec(
            prop::sample::select(&["{", "}", "[", "]", "\"candidates\":", "\"content\":", "\"parts\":", "\"text\":", "\"x\"", ",", "7", "\"usageMetadata\":", "\"error\":"][..]),
            0..30,
        ),
    ) {
        let text = text.concat();
        let mark = Meter::new().observe(text.as_bytes());
        if Envelope::scan(text.as_bytes(), &[]).is_ok() {
            prop_assert_ne!(mark, Mark::Malformed);
        }
    }
}
