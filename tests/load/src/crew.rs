//! The closed loop: a fixed number of connections, each making its next call when the last one is done.

use crate::client::{Connection, Expect, Sample};
use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// The longest a run of calls may take before it counts as failed.
const LIMIT: Duration = Duration::from_secs(300);

/// One call as it is written to the wire, and what must come back.
#[derive(Clone)]
pub(crate) struct Call {
    /// Head and body.
    pub(crate) request: Bytes,
    /// What makes the reply a good one.
    pub(crate) expect: Expect,
    /// Whose credential stands in the request, where callers take turns.
    pub(crate) callers: Option<Callers>,
}

/// Callers who take turns in random order, the same in every run.
#[derive(Clone, Copy)]
pub(crate) struct Callers {
    /// Where the number of the caller stands in the request.
    pub(crate) place: usize,
    /// How many there are.
    pub(crate) count: usize,
}

/// How many digits the number of a caller has.
pub(crate) const DIGITS: usize = 8;

/// A number of open connections.
pub(crate) struct Crew {
    connections: Vec<Connection>,
}

/// What a run of calls gave.
pub(crate) struct Shift {
    /// One sample per call, in no order.
    pub(crate) samples: Vec<Sample>,
    /// From the first call's start to the last one's end.
    pub(crate) elapsed: Duration,
}

impl Crew {
    /// Opens the connections.
    pub(crate) async fn open(address: SocketAddr, size: usize) -> Result<Self> {
        let mut connections = Vec::with_capacity(size);
        for _ in 0..size {
            connections.push(Connection::open(address).await?);
        }
        Ok(Self { connections })
    }

    /// Makes a number of calls; the first that fails ends the run with its error, and the crew is then of no more use.
    pub(crate) async fn work(&mut self, call: &Call, count: usize) -> Result<Shift> {
        let left = Arc::new(AtomicUsize::new(count));
        let start = Instant::now();
        let mut tasks = JoinSet::new();
        for connection in self.connections.drain(..) {
            tasks.spawn(repeat(connection, call.clone(), Arc::clone(&left)));
        }
        let mut samples = Vec::with_capacity(count);
        let all = async {
            while let Some(ended) = tasks.join_next().await {
                let (connection, made) = ended.map_err(|e| anyhow!(e)).flatten()?;
                self.connections.push(connection);
                samples.extend(made);
            }
            anyhow::Ok(())
        };
        let ended = tokio::time::timeout(LIMIT, all).await;
        ended.with_context(|| format!("not done after {LIMIT:?}"))??;
        let elapsed = start.elapsed();
        Ok(Shift { samples, elapsed })
    }
}

/// Makes calls on one connection while any are left.
async fn repeat(
    mut connection: Connection,
    call: Call,
    left: Arc<AtomicUsize>,
) -> Result<(Connection, Vec<Sample>)> {
    let mut made = Vec::new();
    let mut request = call.request.to_vec();
    let mut random = fastrand::Rng::with_seed(7);
    let take = |n: usize| n.checked_sub(1);
    while left
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
        .is_ok()
    {
        if let Some(callers) = &call.callers {
            let number = random.usize(..callers.count);
            let digits = format!("{number:0DIGITS$}");
            request[callers.place..][..DIGITS].copy_from_slice(digits.as_bytes());
        }
        made.push(connection.call(&request, call.expect).await?);
    }
    Ok((connection, made))
}
