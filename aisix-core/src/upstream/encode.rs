//! The body that goes to the upstream: the client's bytes with a few edits, or a translation.

use std::time::UNIX_EPOCH;

use aisix_wire::{
    Dialect, Edits, Envelope,
    chat::{CallerCodec, Names, UpstreamCodec, WriteContext, WriteOptions},
    json_string,
};
use bytes::Bytes;

use super::{Endpoint, way::Way};
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
    /// Tools that the upstream knows under another name.
    pub(super) names: Names,
}

/// How a request got to the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fidelity {
    /// As the very bytes that the client sent.
    Verbatim,
    /// As those bytes with members edited.
    Edited,
    /// In another dialect.
    Translated,
}

// === impl Fidelity ===

impl Fidelity {
    pub(super) fn as_str(self) -> &'static str {
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
        Way::Translated {
            caller,
            upstream,
            dialect,
        } => translated(attempt, endpoint, (caller, upstream), dialect),
    }
}

/// The client's bytes with what must be different spliced in.
fn spliced(attempt: &Attempt, endpoint: &dyn Endpoint, dialect: Dialect) -> Result<Encoded, Error> {
    let call = &attempt.call;
    let payload = &call.inbound.payload;
    let mut edits = Edits::new();
    if attempt.upstream_model != call.requested_model {
        edits.set("model", json_string(&attempt.upstream_model));
    }
    if dialect == Dialect::OpenAi && call.streams() && !wants_usage(payload) {
        edits.set_in("stream_options", "include_usage", &b"true"[..]);
    }
    endpoint.edit(call, &mut edits)?;
    attempt.target.shape.edit(payload, &mut edits);
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
        names: Names::default(),
    })
}

/// What the client said, in the upstream's dialect.
fn translated(
    attempt: &Attempt,
    endpoint: &dyn Endpoint,
    (caller, upstream): (&dyn CallerCodec, &dyn UpstreamCodec),
    dialect: Dialect,
) -> Result<Encoded, Error> {
    let invalid = |invalid: aisix_wire::Invalid| Error::invalid(invalid.param, invalid.message);
    let request = caller.read_request(attempt.call.bytes()).map_err(invalid)?;
    let options = WriteOptions::new(&attempt.upstream_model);
    let written = upstream
        .write_request(&request, &options)
        .map_err(invalid)?;
    let envelope = Envelope::scan(&written.body, &[]).map_err(|error| {
        Error::new(ErrorKind::Internal, "the request could not be translated").with_source(error)
    })?;
    let mut edits = Edits::new();
    let mut call = Call::clone(&attempt.call);
    call.inbound.payload = Payload::new(written.body, envelope);
    let payload = &call.inbound.payload;
    if dialect == Dialect::OpenAi && attempt.call.streams() {
        edits.set_in("stream_options", "include_usage", &b"true"[..]);
    }
    endpoint.edit(&call, &mut edits)?;
    attempt.target.shape.edit(payload, &mut edits);
    Ok(Encoded {
        body: payload.encode(&edits),
        fidelity: Fidelity::Translated,
        dropped: written.dropped,
        names: Names::of(upstream, &request),
    })
}

/// What an answer is written with.
pub(super) fn context(attempt: &Attempt, include_usage: bool) -> WriteContext<'_> {
    let call = &attempt.call;
    WriteContext {
        model: &call.requested_model,
        created: UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs()),
        request_id: call.trail().request_id().to_str().unwrap_or_default(),
        include_usage,
        request: call.bytes(),
    }
}

/// Whether the caller asked for the usage event.
pub(super) fn wants_usage(payload: &Payload) -> bool {
    let Some(options) = payload.member("stream_options") else {
        return false;
    };
    let bytes = payload.bytes();
    Envelope::scan_at(bytes, options.value.clone())
        .ok()
        .and_then(|options| options.member(bytes, "include_usage")?.as_bool())
        == Some(true)
}
