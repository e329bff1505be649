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
        let caller = find(head, config)?;
        check(caller)?;
        Ok(caller.clone())
    }
}

/// The caller whose credential the request carries, also one that is switched off or expired.
pub(crate) fn find<'c>(head: &Parts, config: &'c Snapshot) -> Result<&'c Arc<Caller>, Error> {
    let hash = KeyHash::of(credential(head)?.as_bytes());
    config
        .caller(&hash)
        .ok_or_else(|| refusal("invalid API key"))
}

/// Refuses a caller that is switched off or expired.
pub(crate) fn check(caller: &Caller) -> Result<(), Error> {
    if caller.is_disabled() {
        return Err(refusal("this API key is disabled").with_code("api_key_disabled"));
    }
    if caller.is_expired(Timestamp::now()) {
        return Err(refusal("this API key has expired").with_code("api_key_expired"));
    }
    Ok(())
}

fn refusal(message: &'static str) -> Error {
    Error::new(ErrorKind::Unauthenticated, message)
}
