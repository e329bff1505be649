//! What both guards that ask Azure AI Content Safety share.

use aisix_core::config::{Secret, resource::Invalid};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Uri};
use serde::Serialize;

use super::{
    ask::post,
    service::Piece,
    settings::{address, credential},
};

/// The version of the API.
const VERSION: &str = "api-version=2024-09-01";
/// How long a text may be that it takes at once, in characters.
pub(super) const MAX_TEXT: usize = 10_000;

/// Where a resource is, and what it takes to ask it.
pub(super) struct Resource {
    uri: Uri,
    key: HeaderValue,
}

// === impl Resource ===

impl Resource {
    pub(super) fn new(
        endpoint: &str,
        operation: &str,
        api_key: &Secret,
    ) -> Result<Self, Vec<Invalid>> {
        let path = format!("/contentsafety/{operation}?{VERSION}");
        Ok(Self {
            uri: address("endpoint", endpoint, &path)?,
            key: credential("api_key", api_key.expose())?,
        })
    }

    pub(super) fn question(&self, body: &impl Serialize) -> Request<Bytes> {
        let name = HeaderName::from_static("ocp-apim-subscription-key");
        post(&self.uri, [(name, &self.key)], body)
    }
}

/// The texts as one, a line for each.
pub(super) fn joined<'a>(pieces: impl IntoIterator<Item = &'a Piece<'a>>) -> String {
    let texts = pieces.into_iter().map(|piece| piece.text);
    texts.collect::<Vec<_>>().join("\n")
}
