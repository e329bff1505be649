//! What is held of Redis for a call, and the queue through which it is given back.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use aisix_core::limit::{Hold, Limit, Settlement};
use tokio::sync::{mpsc, oneshot};

use crate::redis_access::{Link, Operation};

/// Something for the driver to do.
pub(super) enum Job {
    /// End a call under these limits.
    Settle {
        limits: Vec<Arc<Limit>>,
        call: String,
        settlement: Settlement,
    },
    /// Say when everything before this is done.
    Done(oneshot::Sender<()>),
}

/// The limits that a call holds, or may hold. What was not settled is given back when it is dropped.
pub(super) struct Holding {
    pub(super) limits: Vec<Arc<Limit>>,
    pub(super) call: String,
    queue: mpsc::Sender<Job>,
    link: Arc<Link>,
    is_settled: AtomicBool,
}

// === impl Holding ===

impl Holding {
    pub(super) fn new(
        limits: Vec<Arc<Limit>>,
        call: String,
        queue: mpsc::Sender<Job>,
        link: Arc<Link>,
    ) -> Self {
        Self {
            limits,
            call,
            queue,
            link,
            is_settled: AtomicBool::new(false),
        }
    }
}

impl Hold for Holding {
    fn settle(&self, settlement: Settlement) {
        if self.limits.is_empty() || self.is_settled.swap(true, Ordering::Relaxed) {
            return;
        }
        let job = Job::Settle {
            limits: self.limits.clone(),
            call: self.call.clone(),
            settlement,
        };
        if self.queue.try_send(job).is_err() {
            self.link.failed(Operation::Settle);
        }
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.settle(Settlement::Unused);
    }
}
