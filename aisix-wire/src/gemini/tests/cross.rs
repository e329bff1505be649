//! With the codecs of the other dialects.

use bytes::BytesMut;
use serde_json::{Value, json};

use super::{value, written};
use crate::Dialect;
use crate::chat::*;
use crate::gemini::Gemini;
use crate::sse::Decoder;

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../tests/fixtures/gemini/", $name))
    };
}

const CONTEXT: WriteContext<'static> = WriteContext {
    model: "g",
    created: 7,
    request_id: "req-1",
    include_usage: true,
    request: b"{}",
};

fn other(dialect: Dialect) -> &'static dyn CallerCodec {
    caller_codec(dialect).unwrap()
}

#[test]
fn requests_of_other_dialects_become_what_the_fixtures_say() {
    for (dialect, text) in [
        (Dialect::OpenAi, fixture!("cross/chat_request.json")),
        (Dialect::Anthropic, fixture!("cross/messages_request.json")),
    ] {
        let golden = value(text);
        let body = golden[dialect.as_str()].to_string();
        let request = other(dialect).read_request(body.as_bytes()).unwrap();
        let options = WriteOptions::new(golden["model"].as_str().unwrap());
        let out = Gemini.write_request(&request, &options).unwrap();
        assert_eq!(written(&out.body), golden["gemini"], "{dialect}");
        assert_eq!(json!(out.dropped), golden["dropped"], "{dialect}");
    }
}

#[test]
fn a_thought_signature_travels_through_an_openai_client_and_back() {
    let answer = Gemini
        .read_response(fixture!("response/thoughts_and_calls.json").as_bytes())
        .unwrap();
    let out = written(&other(Dialect::OpenAi).write_response(&answer, &CONTEXT));
    let message = &out["choices"][0]["message"];
    assert_eq!(out["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(out["usage"]["prompt_tokens"], 10);
    assert_eq!(out["usage"]["completion_tokens"], 32);
    let calls = message["tool_calls"].as_array().unwrap();
    let mut messages = vec![json!({"role": "user", "content": "x"}), message.clone()];
    messages.extend(
        calls
            .iter()
            .map(|call| json!({"role": "tool", "tool_call_id": call["id"], "content": "ok"})),
    );
    let body = json!({"model": "g", "messages": messages}).to_string();
    let request = other(Dialect::OpenAi)
        .read_request(body.as_bytes())
        .unwrap();
    let back = Gemini
        .write_request(&request, &WriteOptions::new("gemini-3-pro"))
        .unwrap();
    let parts = written(&back.body)["contents"][1]["parts"].clone();
    let signed: Vec<&Value> = parts
        .as_array()
        .unwrap()
        .iter()
        .filter(|part| part.get("thoughtSignature").is_some())
        .collect();
    assert_eq!(signed.len(), 1);
    assert_eq!(
        (
            &signed[0]["thoughtSignature"],
            &signed[0]["functionCall"]["name"]
        ),
        (&json!("c2ln"), &json!("lookup"))
    );
}

/// The parts of the model's turn that carry a signature, when a caller of Messages sends these blocks back.
fn signed_after(blocks: &[Value]) -> Vec<Value> {
    let calls = blocks.iter().filter(|block| block["type"] == "tool_use");
    let results = calls.map(|call| {
        assert!(call["id"].as_str().unwrap().len() < 64, "{call}");
        json!({"type": "tool_result", "tool_use_id": call["id"], "content": "ok"})
    });
    let messages = json!([
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": blocks},
        {"role": "user", "content": results.collect::<Vec<_>>()},
    ]);
    let body = json!({"model": "g", "max_tokens": 10, "messages": messages}).to_string();
    let messages = other(Dialect::Anthropic);
    let request = messages.read_request(body.as_bytes()).unwrap();
    let options = WriteOptions::new("gemini-3-pro");
    let back = Gemini.write_request(&request, &options).unwrap();
    let body = written(&back.body);
    assert_eq!(
        body["contents"][2]["parts"][0]["functionResponse"]["name"],
        "lookup"
    );
    let parts = body["contents"][1]["parts"].as_array().unwrap();
    let signed = parts
        .iter()
        .filter(|part| part.get("thoughtSignature").is_some());
    signed.cloned().collect()
}

#[test]
fn a_thought_signature_travels_through_an_anthropic_client_and_back() {
    let whole = fixture!("response/thoughts_and_calls.json");
    let answer = Gemini.read_response(whole.as_bytes()).unwrap();
    let out = written(&other(Dialect::Anthropic).write_response(&answer, &CONTEXT));
    let signed = signed_after(out["content"].as_array().unwrap());
    assert_eq!(signed[0]["thoughtSignature"], "c2ln");
    assert_eq!(signed[0]["functionCall"]["name"], "lookup");

    let mut events = Vec::new();
    let (mut decoder, mut reader) = (Decoder::new(1 << 20), Gemini.reader());
    decoder.push(fixture!("stream/tools.sse").into());
    while let Ok(Some(event)) = decoder.next() {
        let data = event.data().unwrap();
        reader.read(None, &data, &mut events).unwrap();
    }
    reader.end(&mut events).unwrap();
    let mut out = BytesMut::new();
    let mut writer = other(Dialect::Anthropic).writer(&CONTEXT);
    events
        .iter()
        .for_each(|event| writer.write(event, &mut out));
    let text = String::from_utf8(out.to_vec()).unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let starts = data.filter_map(|data| {
        let block = value(data)["content_block"].clone();
        (block["type"] == "tool_use").then_some(block)
    });
    let signed = signed_after(&starts.collect::<Vec<_>>());
    assert_eq!(signed[0]["thoughtSignature"], "c2ln");
}

#[test]
fn streams_reach_callers_of_other_dialects_whole() {
    for (dialect, end) in [
        (Dialect::OpenAi, "data: [DONE]"),
        (Dialect::Anthropic, "message_stop"),
    ] {
        for stream in [
            fixture!("stream/text.sse"),
            fixture!("stream/tools.sse"),
            fixture!("stream/blocked.sse"),
        ] {
            let (mut decoder, mut reader) = (Decoder::new(1 << 20), Gemini.reader());
            let (mut writer, mut events, mut out) =
                (other(dialect).writer(&CONTEXT), Vec::new(), BytesMut::new());
            decoder.push(stream.into());
            while let Ok(Some(event)) = decoder.next() {
                reader
                    .read(None, &event.data().unwrap(), &mut events)
                    .unwrap();
            }
            reader.end(&mut events).unwrap();
            events
                .iter()
                .for_each(|event| writer.write(event, &mut out));
            let text = String::from_utf8(out.to_vec()).unwrap();
            assert!(text.trim_end().contains(end), "{dialect}: {text}");
            assert_eq!(text.contains("lookup"), stream.contains("lookup"));
            assert_eq!(text.contains("🦀"), stream.contains("🦀"));
        }
    }
}
