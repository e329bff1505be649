//! Who may administer.

use std::{fmt, sync::Arc};

use aisix_core::config::KeyHash;
use http::{HeaderMap, header::AUTHORIZATION};

/// The keys of administrators.
///
/// A key is sent as `Authorization: Bearer <key>`, or without an `Authorization` header as
/// `x-api-key: <key>`. Only hashes are kept, and they are compared in constant time.
#[derive(Clone, Default)]
pub struct AdminKeys(Vec<(KeyHash, Arc<str>)>);

// === impl AdminKeys ===

impl AdminKeys {
    /// These keys.
    pub fn new<K: AsRef<str>>(keys: impl IntoIterator<Item = K>) -> Self {
        Self::hashed(keys.into_iter().map(|key| KeyHash::of(key.as_ref())))
    }

    /// The keys with these hashes.
    pub fn hashed(hashes: impl IntoIterator<Item = KeyHash>) -> Self {
        // Eight digits tell the keys of a gateway apart, and tell nobody the key.
        let named = |hash: KeyHash| (hash, Arc::from(&hash.to_hex()[..8]));
        Self(hashes.into_iter().map(named).collect())
    }

    /// The id of the key that was sent, if it is one of these.
    pub(crate) fn find(&self, headers: &HeaderMap) -> Option<Arc<str>> {
        let sent = KeyHash::of(sent(headers)?);
        // All of them are looked at, so that the time says nothing.
        self.0.iter().fold(None, |found, (hash, id)| {
            let is_it = *hash == sent;
            if is_it { Some(id.clone()) } else { found }
        })
    }
}

impl fmt::Debug for AdminKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.0.iter().map(|(_, id)| id))
            .finish()
    }
}

/// The key that was sent. A bare value without a scheme is one too.
fn sent(headers: &HeaderMap) -> Option<&str> {
    let key = match headers.get(AUTHORIZATION) {
        Some(value) => {
            let value = value.to_str().ok()?.trim();
            match value.split_once(' ') {
                Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => key,
                _ => value,
            }
        }
        None => headers.get("x-api-key")?.to_str().ok()?,
    };
    Some(key.trim()).filter(|key| !key.is_empty())
}
