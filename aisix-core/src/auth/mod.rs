//! Who sends the request.

mod credential;
pub(crate) mod keys;
mod layer;

use std::sync::Arc;

use async_trait::async_trait;
use http::request::Parts;

pub(crate) use self::layer::{Auth, AuthLayer};
pub use self::{
    credential::{NoCredential, credential},
    keys::Keys,
};
use crate::{call::Caller, config::Snapshot, error::Error};

/// Finds out who sends a request.
///
/// The default is [`Keys`], which looks up API keys of the configuration. An app that has
/// authenticated its users already answers from what it put into the request's extensions:
///
/// ```
/// use std::sync::Arc;
/// use aisix_core::{Error, ErrorKind, auth::Authenticator, call::Caller, config::Snapshot};
/// use http::request::Parts;
///
/// #[derive(Clone)]
/// struct User(String);
///
/// struct Session;
///
/// #[async_trait::async_trait]
/// impl Authenticator for Session {
///     async fn authenticate(&self, head: &Parts, _: &Arc<Snapshot>) -> Result<Arc<Caller>, Error> {
///         let user = head.extensions.get::<User>();
///         let User(name) = user.ok_or_else(|| Error::new(ErrorKind::Unauthenticated, "log in first"))?;
///         Ok(Arc::new(Caller::builder(name.as_str()).models(["*"]).build()))
///     }
/// }
/// ```
#[async_trait]
pub trait Authenticator: Send + Sync + 'static {
    /// The caller of the request with this head.
    ///
    /// Dropped when the client leaves.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unauthenticated`](crate::ErrorKind::Unauthenticated) when nobody is known, or any
    /// other kind.
    async fn authenticate(
        &self,
        head: &Parts,
        config: &Arc<Snapshot>,
    ) -> Result<Arc<Caller>, Error>;
}
