//! What stands at the borders instead of what serves.

use std::{future::Future, pin::Pin, sync::Arc};

use async_trait::async_trait;
use http::request::Parts;

use super::notes::Notes;
use crate::{
    auth::{Authenticator, keys},
    call::Caller,
    config::Snapshot,
    error::{Error, ErrorKind},
    limit::{Claim, Exceeded, Hold, LimitStore, Permit, Settlement},
};

/// Takes a caller by the id of its key, or asks the gateway's own authenticator.
pub(super) struct Naming {
    pub(super) inner: Arc<dyn Authenticator>,
    pub(super) key_id: Option<Arc<str>>,
    pub(super) notes: Arc<Notes>,
}

/// Looks at limits and takes nothing.
pub(super) struct Looking {
    pub(super) inner: Arc<dyn LimitStore>,
    pub(super) notes: Arc<Notes>,
}

/// Nothing is held.
struct Nothing;

// === impl Naming ===

impl Naming {
    fn named(&self, id: &str, config: &Snapshot) -> Result<Arc<Caller>, Error> {
        let Some(caller) = config.caller_of(id) else {
            self.notes.key_unknown();
            return Err(Error::new(ErrorKind::Unauthenticated, "no such API key"));
        };
        self.notes.caller_found(caller.clone());
        keys::check(caller)?;
        Ok(caller.clone())
    }
}

#[async_trait]
impl Authenticator for Naming {
    async fn authenticate(
        &self,
        head: &Parts,
        config: &Arc<Snapshot>,
    ) -> Result<Arc<Caller>, Error> {
        self.notes.auth_reached(config);
        if let Some(id) = &self.key_id {
            return self.named(id, config);
        }
        let found = self.inner.authenticate(head, config).await;
        // Whose key is refused is worth knowing.
        let caller = match &found {
            Ok(caller) => Some(caller),
            Err(_) => keys::find(head, config).ok(),
        };
        if let Some(caller) = caller {
            self.notes.caller_found(caller.clone());
        }
        found
    }
}

// === impl Looking ===

impl LimitStore for Looking {
    fn acquire<'a>(
        &'a self,
        claim: &'a Claim,
    ) -> Pin<Box<dyn Future<Output = Result<Permit, Exceeded>> + Send + 'a>> {
        Box::pin(async move {
            let look = self.inner.look(claim).await;
            self.notes.looked_at(claim.clone(), look.clone());
            // A store that cannot tell refuses nobody here.
            look.map_or(Ok(()), |look| look.outcome)?;
            Ok(Permit::new(Nothing, Vec::new()))
        })
    }
}

// === impl Nothing ===

impl Hold for Nothing {
    fn settle(&self, _: Settlement) {}
}
