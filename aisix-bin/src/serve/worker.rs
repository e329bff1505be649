//! The threads that serve, from the first listener to the last byte.

use std::{
    convert::Infallible,
    net::{self, SocketAddr},
    num::NonZeroUsize,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use aisix_core::edge::Drain;
use anyhow::{Context, anyhow};
use futures_util::future::try_join_all;
use tokio::{
    net::TcpListener,
    runtime::{self, Runtime},
    sync::{oneshot, watch},
};

use super::{
    Proxy, Workers,
    connection::Connections,
    listen,
    service::HttpService,
    shutdown::{Phase, Shutdown},
};

/// A proxy that has its port. Clients may connect; they are served when it runs.
pub(crate) struct Bound {
    addr: SocketAddr,
    listeners: Vec<net::TcpListener>,
    connections: Arc<Connections>,
    workers: Workers,
    drain: Drain,
    min_drain: Duration,
}

/// How serving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Everything that was begun was finished.
    Drained,
    /// Somebody could not wait.
    Killed,
}

/// One thread's share.
struct Worker<M> {
    index: usize,
    listener: net::TcpListener,
    connections: Arc<Connections>,
    workers: Workers,
    make: M,
    shutdown: Shutdown,
}

/// Ends the workers when the future that waits for them is dropped.
struct KillOnDrop(Shutdown);

// === impl Proxy ===

impl Proxy {
    /// Reads the certificate and takes the port, once for each worker.
    ///
    /// # Errors
    ///
    /// When either cannot be had. Nothing was served then.
    pub(crate) fn bind(self) -> anyhow::Result<Bound> {
        let Self {
            listener,
            workers,
            drain,
            min_drain,
        } = self;
        let connections = Connections::new(&listener, drain.clone())?;
        let count = match workers {
            Workers::PerCore(count) => count,
            Workers::Shared => NonZeroUsize::MIN,
        };
        let listeners = listen::bind(listener.addr, count)
            .with_context(|| format!("cannot listen on {}", listener.addr))?;
        Ok(Bound {
            addr: listeners[0].local_addr()?,
            listeners,
            connections: Arc::new(connections),
            workers,
            drain,
            min_drain,
        })
    }
}

// === impl Bound ===

impl Bound {
    /// The address that was taken, with its port.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves until `shutdown` is requested and everything that was begun is finished.
    ///
    /// `make` builds the service of a worker, on the worker's thread and inside its runtime; nobody is
    /// served before all are built. The first request to shut down switches the drain on; connections
    /// are still accepted for `min_drain`, while answers over HTTP/1.1 say `Connection: close`. Then
    /// the port is given back, and requests and streams in flight are waited for without a bound. A
    /// second request cuts them. Dropping the future does the same.
    ///
    /// # Errors
    ///
    /// When `make` fails, or a worker's runtime cannot be built or panics.
    pub(crate) async fn run<M, S, E>(self, make: M, shutdown: Shutdown) -> anyhow::Result<Ended>
    where
        M: Fn(usize) -> Result<S, E> + Clone + Send + 'static,
        S: HttpService,
        E: Into<anyhow::Error>,
    {
        let _guard = KillOnDrop(shutdown.clone());
        let mut readiness = Vec::new();
        let mut endings = Vec::new();
        for (index, listener) in self.listeners.into_iter().enumerate() {
            let worker = Worker {
                index,
                listener,
                connections: self.connections.clone(),
                workers: self.workers,
                make: make.clone(),
                shutdown: shutdown.clone(),
            };
            let (ready, is_ready) = oneshot::channel();
            readiness.push(is_ready);
            endings.push(worker.spawn(ready)?);
        }
        for is_ready in readiness {
            // A worker that failed before it was ready says why when it ends.
            if is_ready.await.is_err() {
                shutdown.advance(Phase::Killed);
            }
        }
        shutdown.advance(Phase::Serving);
        if shutdown.reached(Phase::Serving).await == Phase::Serving {
            tracing::info!(listener = "proxy", addr = %self.addr, "listening");
        }
        let endings = try_join_all(endings.into_iter().map(async |ending| {
            ending
                .await
                .unwrap_or_else(|_| Err(anyhow!("a worker panicked")))
        }));
        let ended = tokio::select! {
            ended = endings => ended?,
            never = close(&shutdown, &self.drain, self.min_drain) => match never {},
        };
        Ok(match ended.contains(&Ended::Killed) {
            true => Ended::Killed,
            false => Ended::Drained,
        })
    }
}

/// Leads a requested shutdown from draining to closing. Never ends.
async fn close(shutdown: &Shutdown, drain: &Drain, min_drain: Duration) -> Infallible {
    shutdown.reached(Phase::Draining).await;
    drain.begin();
    tracing::info!(seconds = min_drain.as_secs_f64(), "draining");
    tokio::time::sleep(min_drain).await;
    shutdown.advance(Phase::Closing);
    std::future::pending().await
}

// === impl Worker ===

impl<M, S, E> Worker<M>
where
    M: Fn(usize) -> Result<S, E> + Send + 'static,
    S: HttpService,
    E: Into<anyhow::Error>,
{
    /// Starts the thread. `ready` is sent when the service is built, and dropped when it cannot be.
    fn spawn(
        self,
        ready: oneshot::Sender<()>,
    ) -> anyhow::Result<oneshot::Receiver<anyhow::Result<Ended>>> {
        let name = match self.workers {
            Workers::PerCore(_) => format!("aisix-worker-{}", self.index),
            Workers::Shared => "aisix-accept".to_owned(),
        };
        let (end, ending) = oneshot::channel();
        let work = move || {
            let ended = self.runtime().and_then(|runtime| {
                let ended = runtime.block_on(self.work(ready));
                // What was not finished is dropped, and look-ups of names are not waited for.
                runtime.shutdown_background();
                ended
            });
            let _ = end.send(ended);
        };
        thread::Builder::new()
            .name(name)
            .spawn(work)
            .context("cannot start a worker")?;
        Ok(ending)
    }

    fn runtime(&self) -> anyhow::Result<Runtime> {
        let mut builder = match self.workers {
            Workers::PerCore(_) => runtime::Builder::new_current_thread(),
            Workers::Shared => runtime::Builder::new_multi_thread(),
        };
        let next = AtomicUsize::new(0);
        builder
            .enable_all()
            .thread_name_fn(move || {
                format!("aisix-worker-{}", next.fetch_add(1, Ordering::Relaxed))
            })
            .build()
            .context("cannot start the runtime of a worker")
    }

    async fn work(self, ready: oneshot::Sender<()>) -> anyhow::Result<Ended> {
        let service = (self.make)(self.index).map_err(Into::into)?;
        let listener = TcpListener::from_std(self.listener)?;
        let _ = ready.send(());
        self.shutdown.reached(Phase::Serving).await;

        let closing = watch::Sender::new(false);
        let mut stop = pin!(self.shutdown.reached(Phase::Closing));
        loop {
            let (stream, peer) = tokio::select! {
                biased;
                _ = &mut stop => break,
                accepted = listen::accept(&listener) => accepted,
            };
            let connections = self.connections.clone();
            let serving = connections.serve(stream, peer, service.clone(), closing.subscribe());
            tokio::spawn(serving);
        }
        drop(listener);
        closing.send_replace(true);
        Ok(tokio::select! {
            biased;
            _ = self.shutdown.reached(Phase::Killed) => Ended::Killed,
            () = closing.closed() => Ended::Drained,
        })
    }
}

// === impl KillOnDrop ===

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        self.0.advance(Phase::Killed);
    }
}
