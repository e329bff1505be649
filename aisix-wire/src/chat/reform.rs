//! One answer in several forms: whole, and as a stream.

use bytes::{Bytes, BytesMut};

use super::{
    CallerCodec, Event, Response, UpstreamCodec, WriteContext,
    assembly::{self, Assembly},
    caller_codec, upstream_codec,
};
use crate::{Dialect, Usage, sse};

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerForm {
    /// One document.
    Whole,
    /// A stream of server-sent events.
    Stream,
}

/// Writes an answer of a dialect in another form of the same dialect.
///
/// `usage` is what it used, where the answer itself does not tell. With [`WriteContext::include_usage`] a stream
/// gets its usage event, so that this also writes streams as streams. The id and the model stay those of the
/// answer.
///
/// `None` when the dialect cannot be read ([`Dialect::Responses`]), the answer is not complete or does not
/// tell what it used, or when what is written does not read the same in the neutral form: logprobs, citations,
/// or recordings that one form has no place for. Members that the neutral form does not know are left out, as
/// in every translation.
pub fn reform(
    dialect: Dialect,
    (from, answer): (AnswerForm, &Bytes),
    to: AnswerForm,
    usage: Option<Usage>,
    context: &WriteContext<'_>,
) -> Option<Bytes> {
    let (caller, upstream) = (caller_codec(dialect)?, upstream_codec(dialect)?);
    let mut response = read(upstream, dialect, from, answer)?;
    response.usage = response.usage.or(usage);
    response.usage?;
    let mut context = *context;
    if let Some(model) = &response.model {
        context.model = model;
    }
    let written = match to {
        AnswerForm::Whole => caller.write_response(&response, &context),
        AnswerForm::Stream => stream(caller, &response, &context),
    };
    let again = read(upstream, dialect, to, &written)?;
    says_the_same(&response, &again).then_some(written)
}

/// Reads an answer; `None` when not all of it can be said in the other form.
fn read(
    upstream: &dyn UpstreamCodec,
    dialect: Dialect,
    form: AnswerForm,
    answer: &Bytes,
) -> Option<Response> {
    let response = match form {
        AnswerForm::Whole => upstream.read_response(answer).ok()?,
        AnswerForm::Stream => read_stream(upstream, dialect, answer)?,
    };
    let all_known = response.rest.iter().all(|extra| {
        let name = extra.name.as_str();
        let is_hint = matches!(name, "system_fingerprint" | "service_tier");
        is_hint || name.starts_with("usage") || extra.value.as_str() == "null"
    });
    (all_known && !response.choices.is_empty()).then_some(response)
}

fn read_stream(upstream: &dyn UpstreamCodec, dialect: Dialect, answer: &Bytes) -> Option<Response> {
    let mut decoder = sse::Decoder::new(usize::MAX);
    decoder.push(answer.clone());
    let (mut reader, mut assembly) = (upstream.reader(), Assembly::new(dialect));
    let mut events = Vec::new();
    while let Some(event) = decoder.next().ok()? {
        if let Some(data) = event.data() {
            reader.read(event.name(), &data, &mut events).ok()?;
            events.drain(..).for_each(|event| assembly.add(&event));
        }
    }
    reader.end(&mut events).ok()?;
    events.drain(..).for_each(|event| assembly.add(&event));
    assembly.finish()
}

fn stream(caller: &dyn CallerCodec, response: &Response, context: &WriteContext<'_>) -> Bytes {
    let (mut writer, mut out) = (caller.writer(context), BytesMut::new());
    let events: Vec<Event> = assembly::events(response);
    for event in &events {
        writer.write(event, &mut out);
    }
    out.freeze()
}

fn says_the_same(a: &Response, b: &Response) -> bool {
    let same_choice = |(a, b): (&super::Choice, &super::Choice)| {
        a.index == b.index
            && a.blocks == b.blocks
            && a.logprobs == b.logprobs
            && a.finish.reason == b.finish.reason
            && a.finish.stop_sequence == b.finish.stop_sequence
    };
    let same_usage = b.usage.is_none() || a.usage == b.usage;
    let pairs = a.choices.iter().zip(&b.choices);
    same_usage && a.choices.len() == b.choices.len() && pairs.into_iter().all(same_choice)
}

#[cfg(test)]
mod tests;
