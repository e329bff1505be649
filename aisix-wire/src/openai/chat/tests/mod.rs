mod properties;
mod requests;
mod responses;
mod streams;

use super::ChatCompletions;
use crate::chat::{
    BlockKind, Delta, Event, FinishReason, StreamError, UpstreamCodec, WriteContext,
};
use crate::json::{Object, Value};
use crate::{Kind, sse};

const CONTEXT: WriteContext<'static> = WriteContext {
    model: "public",
    created: 5,
    request_id: "r1",
    include_usage: true,
    request: b"{}",
};

/// JSON with sorted members; numbers keep their text.
fn canon(json: impl AsRef<[u8]>) -> String {
    let bytes = json.as_ref();
    let object = Object::scan(bytes).unwrap_or_else(|error| panic!("{error}: {bytes:?}"));
    sorted(&object)
}

fn sorted(object: &Object<'_>) -> String {
    let mut members: Vec<_> = object
        .members()
        .map(|(name, value)| format!("{name:?}:{}", canon_value(&value)))
        .collect();
    members.sort();
    format!("{{{}}}", members.join(","))
}

fn canon_value(value: &Value<'_>) -> String {
    match value.kind() {
        Kind::Object => sorted(&value.as_object().unwrap()),
        Kind::Array => {
            let items: Vec<_> = value
                .items()
                .unwrap()
                .map(|item| canon_value(&item))
                .collect();
            format!("[{}]", items.join(","))
        }
        Kind::String => format!("{:?}", value.as_str().unwrap()),
        _ => value.raw().to_string(),
    }
}

/// Reads a stream that comes in these chunks, and then ends.
fn read_stream(chunks: &[&[u8]]) -> (Vec<Event>, Result<(), StreamError>) {
    let mut decoder = sse::Decoder::new(1 << 20);
    let mut reader = ChatCompletions.reader();
    let mut events = Vec::new();
    for chunk in chunks {
        decoder.push(chunk.to_vec().into());
        while let Ok(Some(event)) = decoder.next() {
            if let Some(data) = event.data()
                && let Err(error) = reader.read(event.name(), &data, &mut events)
            {
                return (events, Err(error));
            }
        }
    }
    let end = reader.end(&mut events);
    (events, end)
}

/// One line for each event.
fn lines(events: &[Event]) -> String {
    events.iter().map(|event| line(event) + "\n").collect()
}

fn line(event: &Event) -> String {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    match event {
        Event::Start(start) => {
            let created = start.created.map(|created| created.to_string());
            let (id, model) = (or_dash(&start.id), or_dash(&start.model));
            format!("start {id} {model} {}", or_dash(&created))
        }
        Event::BlockStart {
            choice,
            index,
            kind,
        } => format!(
            "{choice} block {index} {}",
            match kind {
                BlockKind::Text => "text".to_owned(),
                BlockKind::Thinking => "thinking".to_owned(),
                BlockKind::Refusal => "refusal".to_owned(),
                BlockKind::ToolCall { id, name } => format!("call {id} {name}"),
                BlockKind::Whole(block) => format!("whole {block:?}"),
            }
        ),
        Event::Delta { choice, delta } => match delta {
            Delta::Text(text) => format!("{choice} text {text:?}"),
            Delta::Thinking(text) => format!("{choice} thinking {text:?}"),
            Delta::Arguments(text) => format!("{choice} arguments {text:?}"),
            Delta::Refusal(text) => format!("{choice} refusal {text:?}"),
            Delta::Signature(text) => format!("{choice} signature {text:?}"),
            Delta::Citations(opaque) => format!("{choice} citations {:?}", opaque.raw),
            Delta::Logprobs(opaque) => format!("{choice} logprobs {:?}", opaque.raw),
        },
        Event::BlockEnd { choice } => format!("{choice} end"),
        Event::Finish { choice, finish } => format!(
            "{choice} finish {}",
            match finish.reason {
                FinishReason::Stop => "stop",
                FinishReason::Length => "length",
                FinishReason::ToolCalls => "tool_calls",
                FinishReason::ContentFilter => "content_filter",
                FinishReason::Other => "other",
            }
        ),
        Event::Usage(u) => format!(
            "usage {}+{}+{} {}+{}",
            u.input, u.cache_read, u.cache_write, u.output, u.reasoning
        ),
        Event::Opaque(opaque) => format!("opaque {:?}", opaque.raw),
        Event::End => "end".to_owned(),
    }
}
