//! What the formats cost: `cargo bench -p aisix-wire`.

use std::fmt::Write;

use aisix_wire::openai::Meter;
use aisix_wire::{CHAT_COMPLETIONS, Edits, Envelope, json_string, sse};
use bytes::Bytes;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

#[divan::bench(args = ["1 KB", "100 KB", "100 KB of code", "100 KB of one text", "100 KB not ASCII", "100 KB of numbers"])]
fn scan(bencher: Bencher<'_, '_>, which: &str) {
    let body = body(which);
    bencher
        .counter(BytesCount::of_slice(&body))
        .bench(|| Envelope::scan(black_box(&body), CHAT_COMPLETIONS.reads));
}

#[divan::bench(args = ["1 KB", "100 KB"])]
fn serde_json_value(bencher: Bencher<'_, '_>, which: &str) {
    let body = body(which);
    bencher
        .counter(BytesCount::of_slice(&body))
        .bench(|| serde_json::from_slice::<serde_json::Value>(black_box(&body)));
}

#[divan::bench(args = ["1 KB", "100 KB"])]
fn splice(bencher: Bencher<'_, '_>, which: &str) {
    let body = body(which);
    let envelope = Envelope::scan(&body, &[]).expect("the body is JSON");
    let mut edits = Edits::new();
    edits.set("model", json_string("gpt-5-2026-08-07"));
    edits.set_in("stream_options", "include_usage", &b"true"[..]);
    bencher.bench(|| black_box(&edits).apply(&body, &envelope));
}

#[divan::bench]
fn splice_without_effect(bencher: Bencher<'_, '_>) {
    let body = body("1 KB");
    let envelope = Envelope::scan(&body, &[]).expect("the body is JSON");
    let mut edits = Edits::new();
    edits.set("model", json_string("fast"));
    bencher.bench(|| black_box(&edits).apply(&body, &envelope));
}

/// 200 events of 250 bytes.
#[divan::bench(args = [250, 1_400, 16_384, 7])]
fn frame_200_events_in_chunks_of(bencher: Bencher<'_, '_>, size: usize) {
    let stream: Bytes = (0..200).flat_map(|_| sse::encode(None, CHUNK)).collect();
    let chunks: Vec<Bytes> = (0..stream.len())
        .step_by(size)
        .map(|at| stream.slice(at..stream.len().min(at + size)))
        .collect();
    bencher.counter(BytesCount::of_slice(&stream)).bench(|| {
        let mut decoder = sse::Decoder::new(1 << 20);
        let mut bytes = 0;
        for chunk in &chunks {
            decoder.push(chunk.clone());
            while let Ok(Some(event)) = decoder.next() {
                bytes += event.data().map_or(0, |data| data.len());
            }
        }
        bytes
    });
}

#[divan::bench]
fn one_event_of_4_mb_in_chunks_of_1_kb(bencher: Bencher<'_, '_>) {
    let stream = sse::encode(None, &vec![b'x'; 4 << 20]);
    bencher.counter(BytesCount::of_slice(&stream)).bench(|| {
        let mut decoder = sse::Decoder::new(8 << 20);
        for at in (0..stream.len()).step_by(1024) {
            decoder.push(stream.slice(at..stream.len().min(at + 1024)));
            if let Ok(Some(event)) = decoder.next() {
                return event.raw.len();
            }
        }
        0
    });
}

#[divan::bench(args = ["content", "usage", "tool call"])]
fn observe(bencher: Bencher<'_, '_>, which: &str) {
    let data = match which {
        "content" => CHUNK,
        "usage" => USAGE,
        _ => TOOL_CALL,
    };
    let mut meter = Meter::new();
    bencher.bench_local(|| meter.observe(black_box(data)));
}

const CHUNK: &[u8] = br#"{"id":"chatcmpl-BxQ8sYb1mN4uFq7hT2wKzR5cVd0Lp","object":"chat.completion.chunk","created":1760000000,"model":"gpt-5-2026-08-07","service_tier":"default","system_fingerprint":null,"choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}]}"#;

const USAGE: &[u8] = br#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1760000000,"model":"m","choices":[],"usage":{"prompt_tokens":12,"completion_tokens":3,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":8,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}}"#;

const TOOL_CALL: &[u8] = br#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1760000000,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"city\":"}}]},"logprobs":null,"finish_reason":null}]}"#;

/// Bodies as clients send them. The prose has an escape for every 80 bytes, the code for every 16.
fn body(which: &str) -> Bytes {
    const PROSE: &str = r#"Look at the failing test first, then at the \"limit\" module: the window is clock-aligned, so a call that starts just before the minute and ends after it settles into the window it was taken from. That is what the test expects, and what the counters show in production; what they do not show is who asked.\n\n"#;
    const CODE: &str = r#"```rust\nfn settle(&mut self, usage: Option<Usage>) {\n    self.window.add(usage.total());\n    info!(\"settled\");\n}\n```\n"#;
    let mut messages = String::new();
    let target = if which == "1 KB" { 1 << 10 } else { 100 << 10 };
    match which {
        "100 KB of one text" => {
            let text = "all work and no play makes jack a dull boy, ".repeat(target / 44);
            let _ = write!(messages, r#"{{"role":"user","content":"{text}"}}"#);
        }
        "100 KB not ASCII" => {
            let text = "机器学习模型在云端运行，网关转发请求。".repeat(target / 57);
            let _ = write!(messages, r#"{{"role":"user","content":"{text}"}}"#);
        }
        "100 KB of numbers" => {
            let numbers = "-0.0123456,".repeat(target / 11);
            let _ = write!(messages, r#"{{"role":"user","content":[{numbers}0]}}"#);
        }
        _ => {
            let _ = write!(
                messages,
                r#"{{"role":"system","content":"You are terse."}}"#
            );
            let mut turn = 0;
            while messages.len() + 300 < target {
                let role = ["user", "assistant"][turn % 2];
                let text = if which == "100 KB of code" {
                    CODE
                } else {
                    PROSE
                };
                let text = text.repeat(1 + turn % 5);
                let _ = write!(messages, r#",{{"role":"{role}","content":"{text}"}}"#);
                turn += 1;
            }
        }
    }
    let body = format!(
        r#"{{"model":"fast","messages":[{messages}],"temperature":0,"stream":true,"tools":[{{"type":"function","function":{{"name":"read_file","description":"Reads a file of the repository.","parameters":{{"type":"object","properties":{{"path":{{"type":"string"}}}},"required":["path"]}}}}}}]}}"#
    );
    assert!(Envelope::scan(body.as_bytes(), &[]).is_ok());
    body.into()
}
