//! The body that goes to the upstream: the client's bytes with a few edits.

use aisix_wire::{Edits, json_string};
use bytes::Bytes;

use super::Endpoint;
use crate::{
    call::{Attempt, Payload},
    error::Error,
};

/// The client's bytes with what must be different spliced in.
pub(super) fn body(attempt: &Attempt, endpoint: &dyn Endpoint) -> Result<Bytes, Error> {
    let call = &attempt.call;
    let payload = &call.inbound.payload;
    let mut edits = Edits::new();
    if attempt.upstream_model != call.requested_model {
        edits.set("model", json_string(&attempt.upstream_model));
    }
    if call.streams() && !wants_usage(payload) {
        edits.set_in("stream_options", "include_usage", &b"true"[..]);
    }
    endpoint.edit(call, &mut edits)?;
    attempt.target.shape.edit(payload, &mut edits);
    Ok(payload.encode(&edits))
}

/// Whether the caller asked for the usage event.
pub(super) fn wants_usage(payload: &Payload) -> bool {
    let Some(options) = payload.member("stream_options") else {
        return false;
    };
    let bytes = payload.bytes();
    aisix_wire::Envelope::scan_at(bytes, options.value.clone())
        .ok()
        .and_then(|options| options.member(bytes, "include_usage")?.as_bool())
        == Some(true)
}
