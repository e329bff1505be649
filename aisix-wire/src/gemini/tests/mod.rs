mod cross;
mod embed;
mod errors;
mod meter;
mod request;
mod response;
mod stream;
mod total;

use serde_json::Value;

/// A fixture as a value.
fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// What was written, as a value.
fn written(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(bytes)))
}
