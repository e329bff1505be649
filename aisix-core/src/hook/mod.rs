//! Hooks: policies as Tower layers.
//!
//! A hook is a [`tower_layer::Layer`] over [`CallService`]. It sees each [`Call`] after authentication,
//! model validation and limits, and before the first attempt at an upstream; on the way back it sees
//! the [`Reply`]. The easy form is an async function:
//!
//! ```
//! use aisix_core::{Error, call::Call, hook::{self, Next}, reply::Reply};
//!
//! async fn shout(call: Call, next: Next) -> Result<Reply, Error> {
//!     let mut reply = next.run(call).await?;
//!     reply.headers_mut().insert("x-shout", http::HeaderValue::from_static("hey"));
//!     Ok(reply)
//! }
//!
//! let hook = hook::from_fn(shout);
//! # fn is_hook(_: impl hook::Hook) {}
//! # is_hook(hook);
//! ```
//!
//! Tower's own layers are hooks as they are, such as `tower::timeout::TimeoutLayer`.

mod arrival;
mod cached;
mod chain;
mod from_fn;
mod guard;
mod guards;
mod hooks;
mod http;
mod layer;
mod memory;
mod onward;
mod parallel;
mod patience;
mod plugin;

use tower::util::BoxCloneSyncService;
use tower_layer::Layer;
use tower_service::Service;

pub(crate) use self::{
    arrival::{ArrivalHookLayer, ArrivalHooked},
    chain::{Chain, Chains},
    guards::{Active, Guard, Guards},
    http::{HttpHookLayer, HttpHooked},
    layer::{HookLayer, Hooked},
    patience::Beyond,
};
pub use self::{
    from_fn::{FromFn, FromFnService, Next, from_fn},
    hooks::{Description, Hooks},
    http::{HttpHook, HttpService},
    plugin::{Built, Check, Context, PluginFactory, Stages},
};
use crate::{BoxError, call::Call, error::Error, reply::Reply};

/// What a hook wraps: the rest of the pipeline.
pub type CallService = BoxCloneSyncService<Call, Reply, Error>;

/// A policy on calls: any Tower layer over [`CallService`].
///
/// Implemented for every fitting layer; nobody implements it by hand. The layer's error is anything
/// boxable: an [`Error`] of ours is taken back, tower's `Elapsed` and `Overloaded` become
/// [`Timeout`](crate::ErrorKind::Timeout) and [`Unavailable`](crate::ErrorKind::Unavailable).
pub trait Hook: Send + Sync + 'static {
    /// Wraps `inner`.
    fn wrap(&self, inner: CallService) -> CallService;

    /// The name: that of the layer's type, or of the function that [`from_fn`] was given.
    fn name(&self) -> &'static str;
}

impl<L, S> Hook for L
where
    L: Layer<CallService, Service = S> + Send + Sync + 'static,
    S: Service<Call, Response = Reply> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
{
    fn wrap(&self, inner: CallService) -> CallService {
        let service = tower::ServiceExt::map_err(self.layer(inner), |error: S::Error| {
            Error::from_boxed(error.into())
        });
        BoxCloneSyncService::new(service)
    }

    fn name(&self) -> &'static str {
        from_fn::name_of::<L>()
    }
}
