//! The small second servers: metrics and status, and the control plane.

use std::{
    convert::Infallible, future::ready, net::SocketAddr, num::NonZeroUsize, sync::Arc, thread,
    time::Duration,
};

use aisix_core::{body::Body, edge::Drain};
use anyhow::Context;
use http::{HeaderValue, Method, Request, Response, StatusCode, header::ALLOW};
use tokio::{
    net::TcpListener,
    runtime,
    sync::{Semaphore, oneshot, watch},
};

use super::{ListenerSettings, connection::Connections, listen, service::HttpService};

/// How many connections are open at a time; more wait to be accepted.
const CONNECTIONS: usize = 64;
/// How long a connection is kept without a request.
const IDLE: Duration = Duration::from_secs(30);

/// A running second server, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Aside {
    addr: SocketAddr,
    /// Ends the thread when it is dropped.
    _stop: oneshot::Sender<()>,
}

// === impl Aside ===

impl Aside {
    /// The address that was taken, with its port.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }
}

/// A service that answers GET and HEAD by `answer`, and everything else by 405. Bodies of requests are
/// not read.
pub(crate) fn get_only<F>(answer: F) -> impl HttpService
where
    F: Fn(&Request<()>) -> Response<Body> + Send + Sync + 'static,
{
    let answer = Arc::new(answer);
    tower::service_fn(move |request: Request<Body>| {
        let (head, _) = request.into_parts();
        let response = match head.method {
            Method::GET | Method::HEAD => answer(&Request::from_parts(head, ())),
            _ => use_get(),
        };
        ready(Ok::<_, Infallible>(response))
    })
}

/// Serves on a thread of its own. `name` is what the log calls it.
///
/// # Errors
///
/// When the port cannot be taken, or the thread cannot be started.
pub(crate) fn aside(
    name: &'static str,
    settings: ListenerSettings,
    service: impl HttpService,
) -> anyhow::Result<Aside> {
    let addr = settings.addr;
    let cannot = || format!("cannot serve {name} on {addr}");
    let settings = ListenerSettings {
        idle_timeout: Some(IDLE),
        ..settings
    };
    let connections = Connections::new(&settings, Drain::new())?;
    let mut listeners = listen::bind(addr, NonZeroUsize::MIN).with_context(cannot)?;
    let listener = listeners.pop().expect("one was asked for");
    let addr = listener.local_addr()?;

    let (stop, stopped) = oneshot::channel();
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .with_context(cannot)?;
    let listener = {
        let _inside = runtime.enter();
        TcpListener::from_std(listener).with_context(cannot)?
    };
    thread::Builder::new()
        .name(format!("aisix-{name}"))
        .spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = accept(listener, Arc::new(connections), service) => {}
                }
            });
        })
        .with_context(cannot)?;
    tracing::info!(listener = name, addr = %addr, "listening");
    Ok(Aside { addr, _stop: stop })
}

async fn accept<S: HttpService>(listener: TcpListener, connections: Arc<Connections>, service: S) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    // Nobody waits for these connections; the runtime drops them.
    let closing = watch::Sender::new(false);
    loop {
        let place = room.clone().acquire_owned().await;
        let place = place.expect("the semaphore is never closed");
        let (stream, peer) = listen::accept(&listener).await;
        let serving = connections
            .clone()
            .serve(stream, peer, service.clone(), closing.subscribe());
        tokio::spawn(async move {
            serving.await;
            drop(place);
        });
    }
}

fn use_get() -> Response<Body> {
    let mut response = Response::new(Body::from("use GET for this path\n"));
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    let allowed = HeaderValue::from_static("GET, HEAD");
    response.headers_mut().insert(ALLOW, allowed);
    response
}
