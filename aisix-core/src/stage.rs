//! What the stages of the pipeline share.

use std::{future::Future, pin::Pin};

/// The future of a stage.
pub(crate) type StageFuture<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// Takes the service that was polled ready, and leaves a clone in its place.
pub(crate) fn replace<S: Clone>(service: &mut S) -> S {
    let clone = service.clone();
    std::mem::replace(service, clone)
}
