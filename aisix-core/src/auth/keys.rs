//! API keys of the configuration.

use std::sync::Arc;

use async_trait::async_trait;
use http::request::Parts;
use jiff::Timestamp;

use super::{Authenticator, credential};
use crate::{
    call::Caller,
    config::{KeyHash, Snapshot},
    error::{Error, ErrorKind},
};

/// Looks the credential up among the configured API keys.
///
/// Keys are known by their SHA-256 only, and the hashes are compared in constant time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keys;

// === impl Keys ===

#[async_trait]
impl Authenticator for Keys {
    async fn authenticate(
        &self,
        head: &Parts,
        config: &Arc<Snapshot>,
    ) -> Result<Arc<Caller>, Error> {
        let hash = KeyHash::of(credential(head)?.as_bytes());
        let refuse = |message: &'static str| Error::new(ErrorKind::Unauthenticated, message);
        let caller = config
            .caller(&hash)
            .ok_or_else(|| refuse("invalid API key"))?;
        if caller.is_disabled() {
            return Err(refuse("this API key is disabled").with_code("api_key_disabled"));
        }
        if caller.is_expired(Timestamp::now()) {
            return Err(refuse("this API key has expired").with_code("api_key_expired"));
        }
        Ok(caller.clone())
    }
}
