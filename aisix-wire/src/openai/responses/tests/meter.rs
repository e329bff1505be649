use bytes::Bytes;
use proptest::prelude::*;

use super::fixture;
use crate::error::ErrorBody;
use crate::openai::Mark;
use crate::openai::responses::Meter;
use crate::sse::Decoder;
use crate::{Envelope, Refusal, Usage};

const ERROR: ErrorBody<'static> = ErrorBody {
    status: 504,
    message: "the upstream was silent",
    kind: "timeout_error",
    code: None,
    param: None,
};

fn mark(data: &str) -> Mark {
    Meter::new().observe(None, data.as_bytes())
}

#[test]
fn a_stream_is_followed_to_its_end() {
    use Mark::{Content, Done, Preamble};
    let mut decoder = Decoder::new(1 << 20);
    decoder.push(Bytes::from_static(
        fixture!("stream/verbatim.sse").as_bytes(),
    ));
    let mut meter = Meter::new();
    let mut marks = Vec::new();
    while let Some(event) = decoder.next().unwrap() {
        assert!(!meter.done());
        marks.push(meter.observe(event.name(), &event.data().unwrap()));
    }
    assert_eq!(
        marks,
        [
            Preamble, Preamble, Preamble, Preamble, Preamble, Preamble, Content, Preamble, Content,
            Content, Done
        ]
    );
    assert!(meter.done() && meter.finished());
    assert_eq!(
        meter.text_bytes(),
        ("Hé".len() + "f".len() + "{}".len()) as u64
    );
    let counted = Usage {
        input: 6,
        cache_read: 4,
        output: 4,
        reasoning: 3,
        ..Usage::default()
    };
    assert_eq!(meter.usage(), Some(counted));
}

#[test]
fn a_stream_that_breaks_goes_on_with_the_next_number() {
    let mut meter = Meter::new();
    let first = meter.fail(&ERROR);
    let first = String::from_utf8(first.to_vec()).unwrap();
    assert!(first.starts_with("event: error\ndata: {\"type\":\"error\",\"sequence_number\":0,"));
    meter.observe(None, br#"{"type":"response.created","sequence_number":0}"#);
    meter.observe(
        None,
        br#"{"type":"response.output_text.delta","sequence_number":7,"delta":"x"}"#,
    );
    meter.observe(None, br#"{"type":"response.new","sequence_number":3}"#);
    let event = String::from_utf8(meter.fail(&ERROR).to_vec()).unwrap();
    assert_eq!(
        event,
        "event: error\ndata: {\"type\":\"error\",\"sequence_number\":8,\"code\":null,\
         \"message\":\"the upstream was silent\",\"param\":null,\"error\":{\"type\":\"timeout_error\",\
         \"message\":\"the upstream was silent\"}}\n\n"
    );
}

#[test]
fn errors_are_noticed_in_every_form() {
    let refusal = |message: &str, code: &str| {
        Mark::Error(Refusal {
            message: message.to_owned(),
            code: Some(code.to_owned()),
            ..Refusal::default()
        })
    };
    for (data, mark) in [
        (
            r#"{"type":"error","code":"c","message":"m","param":null,"sequence_number":1}"#,
            refusal("m", "c"),
        ),
        (
            r#"{"type":"error","error":{"code":"c","message":"m"}}"#,
            refusal("m", "c"),
        ),
        (
            r#"{"type":"response.failed","response":{"error":{"code":"c","message":"m"}}}"#,
            refusal("m", "c"),
        ),
        (r#"{"error":{"code":"c","message":"m"}}"#, refusal("m", "c")),
        (r#"{"type":"error"}"#, Mark::Error(Refusal::default())),
        (
            r#"{"type":"response.failed"}"#,
            Mark::Error(Refusal::default()),
        ),
        ("[DONE]", Mark::Malformed),
        ("{}", Mark::Preamble),
        (r#"{"type":"response.new"}"#, Mark::Preamble),
        (
            r#"{"type":"response.output_text.delta","delta":""}"#,
            Mark::Preamble,
        ),
        (r#"{"type":"response.new.delta","delta":{}}"#, Mark::Content),
        (
            r#"{"type":"response.output_item.added","item":{"type":"web_search_call"}}"#,
            Mark::Content,
        ),
        (r#"{"type":"response.output_item.added"}"#, Mark::Preamble),
        (
            r#"{"type":"response.output_item.done","item":{"type":"image_generation_call"}}"#,
            Mark::Content,
        ),
        (r#"{"type":"response.incomplete"}"#, Mark::Done),
    ] {
        assert_eq!(self::mark(data), mark, "{data}");
    }
    let named = Meter::new().observe(Some(b"error"), br#"{"message":"m","code":"c"}"#);
    assert_eq!(named, refusal("m", "c"));
}

proptest! {
    #[test]
    fn no_bytes_make_the_meter_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[{}\\[\\]\":,a-z0-9]{0,80}") {
        let mut meter = Meter::new();
        meter.observe(None, &bytes);
        meter.observe(Some(&bytes), text.as_bytes());
        let event = meter.fail(&ERROR);
        let data = event.strip_prefix(b"event: error\ndata: ").unwrap();
        prop_assert!(Envelope::scan(data, &[]).is_ok());
    }
}
