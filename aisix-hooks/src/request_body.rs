//! Another body in the place of a request's.

use aisix_core::{Error, ErrorKind, call::Call, wire::Pointer};
use bytes::Bytes;

/// Members of a request that decide what serves it, and how it is answered: that was settled when it was admitted.
const SETTLED: [&str; 2] = ["model", "stream"];

/// The member that a place is in, if hooks may no longer change that.
pub(crate) fn settled(place: &Pointer) -> Option<&'static str> {
    let first = place.steps().first()?;
    SETTLED.into_iter().find(|settled| first == settled)
}

/// Gives a call another body. What the gateway relies on must be there.
///
/// # Errors
///
/// When it is no longer a request of this operation; the call is unchanged then.
pub(crate) fn replace(call: &mut Call, body: Bytes) -> Result<(), Error> {
    let mut payload = call.inbound.payload.clone();
    payload.replace(body).map_err(|error| {
        Error::new(ErrorKind::InvalidRequest, "the body is no JSON object").with_source(error)
    })?;
    let operation = call.inbound.operation;
    let checked = operation.check(payload.bytes(), payload.envelope());
    checked.map_err(|invalid| Error::invalid(invalid.param, invalid.message))?;
    call.inbound.payload = payload;
    Ok(())
}
