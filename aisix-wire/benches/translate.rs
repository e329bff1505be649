//! What translation costs beside passing on: `cargo bench -p aisix-wire --bench translate`.
//!
//! Each bench has the verbatim ways of the two dialects that upstreams and callers share as its first inputs, so
//! that a run can be read by itself on a busy machine. Allocations are counted too.

use aisix_wire::chat::{Event, WriteContext, WriteOptions, caller_codec, upstream_codec};
use aisix_wire::{
    CHAT_COMPLETIONS, Dialect, Edits, Envelope, MESSAGES, anthropic, json_string, openai, sse,
};
use bytes::{Bytes, BytesMut};
use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// A way from a caller's dialect to an upstream's.
type Way = (Dialect, Dialect);

const WAYS: [&str; 11] = [
    "openai, verbatim",
    "anthropic, verbatim",
    "openai to anthropic",
    "openai to gemini",
    "anthropic to openai",
    "anthropic to gemini",
    "gemini to openai",
    "gemini to anthropic",
    "responses to openai",
    "responses to anthropic",
    "responses to gemini",
];

const CONTEXT: WriteContext<'static> = WriteContext {
    model: "fast",
    created: 1_760_000_000,
    request_id: "0198c7d2-6f0e-7c3a-9d55-0242ac120002",
    include_usage: true,
    request: b"{}",
};

/// How many events a stream has, first and last ones aside.
const EVENTS: usize = 200;

/// A request of 1 KB on its way to the upstream.
#[divan::bench(args = WAYS)]
fn request(bencher: Bencher<'_, '_>, which: &str) {
    let (from, to) = way(which);
    let body = request_of(from);
    if from == to {
        let operation = if from == Dialect::OpenAi {
            &CHAT_COMPLETIONS
        } else {
            &MESSAGES
        };
        let mut edits = Edits::new();
        edits.set("model", json_string("gpt-5-2026-08-07"));
        return bencher.bench(|| {
            let envelope = Envelope::scan(black_box(&body), operation.reads).expect("it is JSON");
            edits.apply(&body, &envelope)
        });
    }
    let (caller, upstream) = codecs((from, to));
    let options = WriteOptions::new(model(to));
    bencher.bench(|| {
        // The gateway has scanned it before it knows where it goes.
        let envelope = Envelope::scan(black_box(&body), CHAT_COMPLETIONS.reads);
        let request = caller
            .read_request(black_box(&body))
            .expect("it is a request");
        (envelope, upstream.write_request(&request, &options))
    });
}

/// A small answer on its way back.
#[divan::bench(args = WAYS)]
fn answer(bencher: Bencher<'_, '_>, which: &str) {
    let (to, from) = way(which);
    let body = answer_of(from);
    match from == to {
        true if from == Dialect::OpenAi => bencher.bench(|| openai::read_response(black_box(body))),
        true => bencher.bench(|| anthropic::read_response(black_box(body))),
        false => {
            let (caller, upstream) = codecs((to, from));
            bencher.bench(|| {
                let response = upstream
                    .read_response(black_box(body))
                    .expect("it is an answer");
                caller.write_response(&response, &CONTEXT)
            });
        }
    }
}

/// A stream of 200 short texts.
#[divan::bench(args = WAYS)]
fn stream(bencher: Bencher<'_, '_>, which: &str) {
    let (to, from) = way(which);
    let stream = stream_of(from);
    let bencher = bencher.counter(ItemsCount::new(EVENTS));
    match from == to {
        true if from == Dialect::OpenAi => bencher.bench(|| {
            let mut meter = openai::Meter::new();
            each(&stream, |event, data| {
                black_box((meter.observe(&data), event.raw));
            });
        }),
        true => bencher.bench(|| {
            let mut meter = anthropic::Meter::new();
            each(&stream, |event, data| {
                black_box((meter.observe(event.name(), &data), event.raw));
            });
        }),
        false => {
            let (caller, upstream) = codecs((to, from));
            bencher.bench(|| {
                let (mut reader, mut writer) = (upstream.reader(), caller.writer(&CONTEXT));
                let mut events: Vec<Event> = Vec::new();
                let mut out = BytesMut::with_capacity(4096);
                each(&stream, |event, data| {
                    reader
                        .read(event.name(), &data, &mut events)
                        .expect("a good stream");
                    for event in events.drain(..) {
                        writer.write(&event, &mut out);
                    }
                    black_box(out.split().freeze());
                });
            });
        }
    }
}

/// The events of a stream that comes in pieces of 1400 bytes.
fn each(stream: &Bytes, mut take: impl FnMut(sse::Event, Bytes)) {
    let mut decoder = sse::Decoder::new(1 << 20);
    for at in (0..stream.len()).step_by(1400) {
        decoder.push(stream.slice(at..stream.len().min(at + 1400)));
        while let Ok(Some(event)) = decoder.next() {
            if let Some(data) = event.data() {
                take(event, data);
            }
        }
    }
}

fn way(which: &str) -> Way {
    let dialect = |name| match name {
        "openai" => Dialect::OpenAi,
        "anthropic" => Dialect::Anthropic,
        "responses" => Dialect::Responses,
        _ => Dialect::Gemini,
    };
    match which.split_once(" to ") {
        Some((from, to)) => (dialect(from), dialect(to)),
        None => {
            let same = dialect(which.split(',').next().unwrap_or(which));
            (same, same)
        }
    }
}

fn codecs(
    (caller, upstream): Way,
) -> (
    &'static dyn aisix_wire::chat::CallerCodec,
    &'static dyn aisix_wire::chat::UpstreamCodec,
) {
    let caller = caller_codec(caller).expect("it has a caller's side");
    (
        caller,
        upstream_codec(upstream).expect("it has an upstream's side"),
    )
}

fn model(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Anthropic => "claude-sonnet-4-5",
        Dialect::Gemini => "gemini-2.5-flash",
        _ => "gpt-5-2026-08-07",
    }
}

const PROSE: &str = "Look at the failing test first, then at the \\\"limit\\\" module: the window is clock-aligned, so a call that starts just before the minute and ends after it settles into the window it was taken from. That is what the test expects, and what the counters show.\\n";

/// A request of about 1 KB.
fn request_of(dialect: Dialect) -> Bytes {
    let text = PROSE.repeat(3);
    let schema = r#"{"type":"object","properties":{"path":{"type":"string"}},"required":["path"]}"#;
    let body = match dialect {
        Dialect::Anthropic => format!(
            r#"{{"model":"fast","max_tokens":1024,"system":"You are terse.","messages":[{{"role":"user","content":"{text}"}}],"temperature":0,"tools":[{{"name":"read_file","description":"Reads a file of the repository.","input_schema":{schema}}}]}}"#
        ),
        Dialect::Gemini => format!(
            r#"{{"systemInstruction":{{"parts":[{{"text":"You are terse."}}]}},"contents":[{{"role":"user","parts":[{{"text":"{text}"}}]}}],"generationConfig":{{"temperature":0}},"tools":[{{"functionDeclarations":[{{"name":"read_file","description":"Reads a file of the repository.","parametersJsonSchema":{schema}}}]}}]}}"#
        ),
        Dialect::Responses => format!(
            r#"{{"model":"fast","instructions":"You are terse.","input":[{{"role":"user","content":"{text}"}}],"temperature":0,"tools":[{{"type":"function","name":"read_file","description":"Reads a file of the repository.","parameters":{schema}}}]}}"#
        ),
        _ => format!(
            r#"{{"model":"fast","messages":[{{"role":"system","content":"You are terse."}},{{"role":"user","content":"{text}"}}],"temperature":0,"tools":[{{"type":"function","function":{{"name":"read_file","description":"Reads a file of the repository.","parameters":{schema}}}}}]}}"#
        ),
    };
    body.into()
}

fn answer_of(dialect: Dialect) -> &'static [u8] {
    match dialect {
        Dialect::Anthropic => br#"{"id":"msg_01XFDUDYJgAACzvnptvVoYEL","type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929","content":[{"type":"text","text":"The quick brown fox jumps over the lazy dog."}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":220,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":10,"service_tier":"standard"}}"#,
        Dialect::Gemini => br#"{"candidates":[{"content":{"parts":[{"text":"The quick brown fox jumps over the lazy dog."}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":220,"candidatesTokenCount":10,"totalTokenCount":230,"promptTokensDetails":[{"modality":"TEXT","tokenCount":220}]},"modelVersion":"gemini-2.5-flash","responseId":"mAbCdEfGhIjKlMnO"}"#,
        _ => br#"{"id":"chatcmpl-BxQ8sYb1mN4uFq7hT2wKzR5cVd0Lp","object":"chat.completion","created":1760000000,"model":"gpt-5-2026-08-07","choices":[{"index":0,"message":{"role":"assistant","content":"The quick brown fox jumps over the lazy dog.","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":220,"completion_tokens":10,"total_tokens":230,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}},"service_tier":"default","system_fingerprint":"fp_load"}"#,
    }
}

fn stream_of(dialect: Dialect) -> Bytes {
    let (first, middle, last): (&[&str], &str, &[&str]) = match dialect {
        Dialect::Anthropic => (
            &[
                "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_01XFDUDYJgAACzvnptvVoYEL\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-sonnet-4-5-20250929\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":220,\"output_tokens\":1}}}\n\n",
                "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
            ],
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" token\"}}\n\n",
            &[
                "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
                "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":200}}\n\n",
                "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
            ],
        ),
        Dialect::Gemini => (
            &[],
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\" token\"}],\"role\":\"model\"},\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":220,\"candidatesTokenCount\":10,\"totalTokenCount\":230},\"modelVersion\":\"gemini-2.5-flash\",\"responseId\":\"mAbCdEfGhIjKlMnO\"}\r\n\r\n",
            &[
                "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":220,\"candidatesTokenCount\":200,\"totalTokenCount\":420},\"modelVersion\":\"gemini-2.5-flash\",\"responseId\":\"mAbCdEfGhIjKlMnO\"}\r\n\r\n",
            ],
        ),
        _ => (
            &[
                "data: {\"id\":\"chatcmpl-BxQ8sYb1mN4uFq7hT2wKzR5cVd0Lp\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,\"model\":\"gpt-5-2026-08-07\",\"service_tier\":\"default\",\"system_fingerprint\":null,\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null},\"finish_reason\":null}]}\n\n",
            ],
            "data: {\"id\":\"chatcmpl-BxQ8sYb1mN4uFq7hT2wKzR5cVd0Lp\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,\"model\":\"gpt-5-2026-08-07\",\"service_tier\":\"default\",\"system_fingerprint\":null,\"choices\":[{\"index\":0,\"delta\":{\"content\":\" token\"},\"finish_reason\":null}]}\n\n",
            &[
                "data: {\"id\":\"chatcmpl-BxQ8sYb1mN4uFq7hT2wKzR5cVd0Lp\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,\"model\":\"gpt-5-2026-08-07\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
                "data: {\"id\":\"chatcmpl-BxQ8sYb1mN4uFq7hT2wKzR5cVd0Lp\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,\"model\":\"gpt-5-2026-08-07\",\"choices\":[],\"usage\":{\"prompt_tokens\":220,\"completion_tokens\":200,\"total_tokens\":420}}\n\n",
                "data: [DONE]\n\n",
            ],
        ),
    };
    [first.concat(), middle.repeat(EVENTS), last.concat()]
        .concat()
        .into()
}
