//! How long hooks may keep a request waiting.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use crate::error::{Error, ErrorKind};

/// The longest that the hooks of a chain wait in a row, unless for what comes after them.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often a request is beyond the hooks of a chain: not with them, but with what they call on. Travels with the
/// request and its clones, so that hooks may ask twice.
#[derive(Clone, Debug, Default)]
pub(crate) struct Beyond(Arc<AtomicUsize>);

/// A request is beyond until this is dropped.
pub(crate) struct Gone(Beyond);

// === impl Beyond ===

impl Beyond {
    /// Notes that the request has left the hooks behind.
    pub(crate) fn enter(self) -> Gone {
        self.0.fetch_add(1, Ordering::Relaxed);
        Gone(self)
    }

    /// Runs hooks, and gives up when they wait too long while the request is with them. Costs a timer only when they wait.
    pub(super) async fn bound<T>(
        self,
        hooks: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let mut hooks = pin!(hooks);
        let mut timer = None;
        poll_fn(|cx| {
            if let Poll::Ready(answer) = hooks.as_mut().poll(cx) {
                return Poll::Ready(answer);
            }
            if self.0.load(Ordering::Relaxed) > 0 {
                timer = None;
                return Poll::Pending;
            }
            let timer = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(PATIENCE)));
            timer.as_mut().poll(cx).map(|()| Err(too_long()))
        })
        .await
    }
}

fn too_long() -> Error {
    Error::new(ErrorKind::Timeout, "a hook took too long")
}

// === impl Gone ===

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
