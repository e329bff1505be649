//! The id of a request.

use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

/// Where the id of a request comes from.
#[derive(Clone, Debug)]
pub struct RequestId {
    /// Headers whose value is taken, the first acceptable one: 1 to 256 visible ASCII characters.
    /// Empty: always a new id. Default: `x-aisix-request-id`.
    pub accept_headers: Vec<HeaderName>,
}

// === impl RequestId ===

impl RequestId {
    /// The client's id, or a new one.
    pub fn of(&self, headers: &HeaderMap) -> HeaderValue {
        self.accept_headers
            .iter()
            .filter_map(|name| headers.get(name))
            .find(|value| {
                let bytes = value.as_bytes();
                (1..=256).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
            })
            .cloned()
            .unwrap_or_else(Self::mint)
    }

    fn mint() -> HeaderValue {
        let mut buffer = Uuid::encode_buffer();
        let id = Uuid::new_v4().hyphenated().encode_lower(&mut buffer);
        HeaderValue::from_str(id).expect("a UUID is visible ASCII")
    }
}

impl Default for RequestId {
    fn default() -> Self {
        Self {
            accept_headers: vec![HeaderName::from_static("x-aisix-request-id")],
        }
    }
}
