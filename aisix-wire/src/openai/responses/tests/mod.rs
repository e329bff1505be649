mod meter;
mod properties;
mod requests;
mod responses;
mod streams;
mod validator;

use serde_json::Value;

use crate::chat::WriteContext;

const CONTEXT: WriteContext<'static> = WriteContext {
    model: "public",
    created: 5,
    request_id: "r1",
    include_usage: false,
    request: b"{}",
};

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/fixtures/responses/", $name))
    };
}
use fixture;

/// What was written, as a value.
fn value(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(bytes)))
}
