//! The body that goes to the upstream: the client's bytes with a few edits, or a translation.

use std::time::UNIX_EPOCH;

use aisix_wire::{
    Dialect, Edits, Envelope, Form, Kind,
    anthropic::CacheTtl,
    chat::{CallerCodec, Names, UpstreamCodec, WriteContext, WriteOptions},
    gemini, json_string,
};
use bytes::Bytes;

use super::{Endpoint, back::Back, way::Way};
use crate::{
    call::{Attempt, Call, Payload},
    error::{Error, ErrorKind},
};

/// A body, and how faithful it is to the client's.
pub(super) struct Encoded {
    pub(super) body: Bytes,
    pub(super) fidelity: Fidelity,
    /// Members that the upstream's dialect cannot say.
    pub(super) dropped: Vec<String>,
    /// Whether prompts are to be kept for longer than every provider's dialect knows.
    pub(super) caches_for_an_hour: bool,
    /// What becomes of the answer.
    pub(super) back: Back,
}

/// How a request got to the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fidelity {
    /// As the very bytes that the client sent.
    Verbatim,
    /// As those bytes with members edited.
    Edited,
    /// In another dialect.
    Translated,
}

// === impl Fidelity ===

impl Fidelity {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Verbatim => "verbatim",
            Self::Edited => "edited",
            Self::Translated => "translated",
        }
    }
}

/// Writes the body for the upstream.
pub(super) fn body(attempt: &Attempt, endpoint: &dyn Endpoint, way: Way) -> Result<Encoded, Error> {
    match way {
        Way::Same(dialect) => spliced(attempt, endpoint, dialect),
        Way::Chat {
            caller,
            upstream,
            dialect,
        } => translated(attempt, endpoint, (caller, upstream), dialect),
        Way::Embed => embedding(attempt, endpoint),
    }
}

/// The client's bytes with what must be different spliced in.
fn spliced(attempt: &Attempt, endpoint: &dyn Endpoint, dialect: Dialect) -> Result<Encoded, Error> {
    let call = &attempt.call;
    let payload = &call.inbound.payload;
    let mut edits = Edits::new();
    if !call.inbound.operation.names_model_in_path()
        && attempt.upstream_model != *call.requested_model()
    {
        edits.set("model", json_string(&attempt.upstream_model));
    }
    if dialect == Dialect::OpenAi && call.streams() && !wants_usage(payload) {
        edits.set_in("stream_options", "include_usage", &b"true"[..]);
    }
    let draw = call.draw;
    let request = (&**payload.bytes(), payload.envelope());
    draw.edit(dialect, &attempt.upstream_model, request, &mut edits);
    endpoint.edit(call, &mut edits)?;
    attempt.target.shape.edit(payload, &mut edits);
    begin(attempt, dialect, payload, &mut edits);
    let caches_for_an_hour = cache(attempt, dialect, payload, &mut edits);
    let body = payload.encode(&edits);
    // Without an edit it is the same memory.
    let fidelity = match body.as_ptr() == payload.bytes().as_ptr() {
        true => Fidelity::Verbatim,
        false => Fidelity::Edited,
    };
    Ok(Encoded {
        body,
        fidelity,
        dropped: Vec::new(),
        caches_for_an_hour,
        back: Back::Same(dialect),
    })
}

/// What the client said, in the upstream's dialect.
fn translated(
    attempt: &Attempt,
    endpoint: &dyn Endpoint,
    (caller, upstream): (&'static dyn CallerCodec, &'static dyn UpstreamCodec),
    dialect: Dialect,
) -> Result<Encoded, Error> {
    let call = &attempt.call;
    let mut request = caller.read_request(call.bytes()).map_err(invalid)?;
    if call.inbound.operation.names_model_in_path() {
        request.model = call.requested_model().to_string();
        request.stream = call.streams();
    }
    call.draw.apply(&attempt.upstream_model, &mut request);
    let mut options = WriteOptions::new(&attempt.upstream_model);
    options.on_unsupported = attempt.target.on_unsupported;
    endpoint.adapt(&mut options);
    let written = upstream
        .write_request(&request, &options)
        .map_err(invalid)?;
    let mut edits = Edits::new();
    if dialect == Dialect::OpenAi && call.streams() {
        edits.set_in("stream_options", "include_usage", &b"true"[..]);
    }
    let (body, caches_for_an_hour) = edited(attempt, endpoint, dialect, written.body, edits)?;
    Ok(Encoded {
        body,
        fidelity: Fidelity::Translated,
        dropped: written.dropped,
        caches_for_an_hour,
        back: Back::Chat {
            caller,
            upstream,
            names: Names::of(upstream, &request),
        },
    })
}

/// What OpenAI's caller wants embedded, as Gemini takes it.
fn embedding(attempt: &Attempt, endpoint: &dyn Endpoint) -> Result<Encoded, Error> {
    let written = gemini::write_embed_request(
        attempt.call.bytes(),
        &attempt.upstream_model,
        attempt.target.on_unsupported,
    )
    .map_err(invalid)?;
    let (dialect, edits) = (Dialect::Gemini, Edits::new());
    let (body, caches_for_an_hour) = edited(attempt, endpoint, dialect, written.body, edits)?;
    Ok(Encoded {
        body,
        fidelity: Fidelity::Translated,
        dropped: written.dropped,
        caches_for_an_hour,
        back: Back::Embed(written.encoding),
    })
}

/// A translated body with what the endpoint and the provider key want changed in it, and whether it is to be
/// cached for an hour.
fn edited(
    attempt: &Attempt,
    endpoint: &dyn Endpoint,
    dialect: Dialect,
    body: Bytes,
    mut edits: Edits,
) -> Result<(Bytes, bool), Error> {
    let envelope = Envelope::scan(&body, &[]).map_err(|error| {
        Error::new(ErrorKind::Internal, "the request could not be translated").with_source(error)
    })?;
    let mut call = Call::clone(&attempt.call);
    call.inbound.payload = Payload::new(body, envelope);
    endpoint.edit(&call, &mut edits)?;
    let payload = &call.inbound.payload;
    attempt.target.shape.edit(payload, &mut edits);
    begin(attempt, dialect, payload, &mut edits);
    let caches_for_an_hour = cache(attempt, dialect, payload, &mut edits);
    Ok((payload.encode(&edits), caches_for_an_hour))
}

/// Gives the upstream the beginning of its answer, if there is one.
fn begin(attempt: &Attempt, dialect: Dialect, payload: &Payload, edits: &mut Edits) {
    let messages = payload.member("messages");
    let messages = messages.filter(|it| it.kind == Kind::Array);
    let Some((text, messages)) = attempt.begun.as_ref().zip(messages) else {
        return;
    };
    let mut message = match messages.len {
        0 => Vec::new(),
        _ => vec![b','],
    };
    message.extend_from_slice(br#"{"role":"assistant","content":"#);
    message.extend_from_slice(&json_string(text));
    if dialect == Dialect::OpenAi {
        message.extend_from_slice(br#","prefix":true"#);
    }
    message.push(b'}');
    let end = messages.value.end - 1;
    edits.replace(end..end, message);
}

/// Says what of a prompt is to be cached, in the one dialect that wants to be told; tells whether for an hour.
fn cache(attempt: &Attempt, dialect: Dialect, payload: &Payload, edits: &mut Edits) -> bool {
    let call = &attempt.call;
    let asked = call.prompt_caching.or(attempt.target.prompt_caching);
    let is_chat = dialect == Dialect::Anthropic && call.inbound.operation.form == Form::Chat;
    asked.filter(|_| is_chat).is_some_and(|caching| {
        let set = caching.edit(payload.bytes(), payload.envelope(), edits);
        set > 0 && caching.ttl == CacheTtl::OneHour
    })
}

/// What a codec finds wrong with a request.
pub(crate) fn invalid(invalid: aisix_wire::Invalid) -> Error {
    let error = Error::invalid(invalid.param, invalid.message);
    match invalid.code {
        Some(code) => error.with_code(code),
        None => error,
    }
}

/// What an answer is written with.
pub(super) fn context(attempt: &Attempt, include_usage: bool) -> WriteContext<'_> {
    write_context(&attempt.call, include_usage)
}

/// What the answer to a call is written with.
pub(crate) fn write_context(call: &Call, include_usage: bool) -> WriteContext<'_> {
    WriteContext {
        model: call.requested_model(),
        created: UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs()),
        request_id: call.trail().request_id().to_str().unwrap_or_default(),
        include_usage,
        request: call.bytes(),
    }
}

/// Whether the caller asked for the usage event.
pub(crate) fn wants_usage(payload: &Payload) -> bool {
    payload.flag_at("stream_options.include_usage")
}
