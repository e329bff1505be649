//! One scripted upstream: strict about what it receives, exact about what it answers.
//!
//! It listens on a free port of 127.0.0.1, refuses what the real provider refuses ([`strict`]),
//! records every request, refused ones too, and answers by script: first those queued with
//! [`Upstream::next`], then the one set for the request's model with [`Upstream::on`], then a plain
//! text. Dropping it closes every connection.

mod answer;
pub mod candidate;
mod exchange;
mod gate;
pub mod message;
mod output;
mod play;
mod raw;
mod reply;
mod sse;
pub mod strict;

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};

use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

pub use self::{
    answer::Answer,
    candidate::Candidate,
    exchange::{Ending, Exchange, Request},
    gate::Gate,
    message::Message,
    output::Output,
    raw::RawUpstream,
    reply::{Reply, Step},
    sse::Framing,
    strict::Flavour,
};
use crate::within;

/// The credential that every scripted upstream asks for.
pub const KEY: &str = "sk-upstream-0123456789";

/// Makes the reply to a request.
#[derive(Clone)]
pub struct Script(Arc<dyn Fn(&Request) -> Reply + Send + Sync>);

/// A provider that does what the test says. See the [module](self).
#[derive(Debug)]
pub struct Upstream {
    addr: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    flavour: Flavour,
    scripts: Mutex<Scripts>,
    seen: watch::Sender<Vec<Exchange>>,
    connections: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Scripts {
    queued: VecDeque<Script>,
    by_model: HashMap<String, Script>,
}

// === impl Script ===

impl Script {
    /// Makes the reply from the request.
    pub fn new(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self(Arc::new(reply))
    }

    /// The reply that this request gets.
    #[must_use]
    pub fn reply_to(&self, request: &Request) -> Reply {
        (self.0)(request)
    }
}

impl From<Reply> for Script {
    fn from(reply: Reply) -> Self {
        Self::new(move |_| reply.clone())
    }
}

impl From<Answer> for Script {
    fn from(answer: Answer) -> Self {
        Self::new(move |request| answer.reply_to(request))
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Script")
    }
}

// === impl Upstream ===

impl Upstream {
    /// Starts an upstream of this flavour on a free port.
    pub async fn start(flavour: Flavour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port");
        let addr = listener
            .local_addr()
            .expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            flavour,
            scripts: Mutex::default(),
            seen: watch::Sender::new(Vec::new()),
            connections: watch::Sender::new(0),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&shared)));
        Self {
            addr,
            shared,
            _tasks: tasks,
        }
    }

    /// The address it listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The base URL that a client of this flavour is given; without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}{}", self.addr, self.shared.flavour.base_path())
    }

    /// The flavour it was started with.
    #[must_use]
    pub fn flavour(&self) -> Flavour {
        self.shared.flavour
    }

    /// Answers every request for `model` by this script, from now on.
    pub fn on(&self, model: &str, script: impl Into<Script>) {
        self.shared
            .scripts()
            .by_model
            .insert(model.to_owned(), script.into());
    }

    /// Answers one request, the next that has no earlier script queued, by this script.
    pub fn next(&self, script: impl Into<Script>) {
        self.shared.scripts().queued.push_back(script.into());
    }

    /// Every exchange so far, in the order of arrival.
    #[must_use]
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.shared.seen.borrow().clone()
    }

    /// Waits for the exchange with this number, counted from 0.
    pub async fn exchange(&self, number: usize) -> Exchange {
        self.find("a request at the upstream", |seen| {
            seen.get(number).cloned()
        })
        .await
    }

    /// Waits for a request for `model`; the latest when there were several.
    pub async fn exchange_for(&self, model: &str) -> Exchange {
        let of_model = |exchange: &&Exchange| exchange.request.model().as_deref() == Some(model);
        self.find(&format!("a request for {model} at the upstream"), |seen| {
            seen.iter().rev().find(of_model).cloned()
        })
        .await
    }

    /// How many connections were opened to it so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        *self.shared.connections.borrow()
    }

    async fn find(&self, what: &str, find: impl Fn(&[Exchange]) -> Option<Exchange>) -> Exchange {
        let mut seen = self.shared.seen.subscribe();
        let found = within(what, seen.wait_for(|seen| find(seen).is_some())).await;
        find(&found.expect("the upstream holds the sender")).expect("just checked")
    }
}

// === impl Shared ===

impl Shared {
    fn scripts(&self) -> MutexGuard<'_, Scripts> {
        self.scripts.lock().expect("no script is chosen in a panic")
    }

    fn reply(&self, request: &Request) -> Reply {
        match strict::check(self.flavour, request) {
            Err(refusal) => refusal,
            Ok(strict::Asked::Models(reply)) => reply,
            Ok(strict::Asked::Inference) => {
                let script = self.script(request);
                script.reply_to(request)
            }
        }
    }

    /// What is said when nothing is scripted.
    fn greeting(&self, request: &Request) -> Script {
        const WORDS: [&str; 3] = ["Hello", " from", " upstream"];
        match self.flavour {
            Flavour::Anthropic => Message::text(&WORDS).into(),
            Flavour::Gemini => Candidate::text(&WORDS).into(),
            _ if request.path.ends_with("/responses") => Output::text(&WORDS).into(),
            Flavour::OpenAi | Flavour::DeepSeek | Flavour::GeminiFront => {
                Answer::text(WORDS).into()
            }
        }
    }

    fn script(&self, request: &Request) -> Script {
        let model = request.model().unwrap_or_default();
        let mut scripts = self.scripts();
        let queued = scripts.queued.pop_front();
        let script = queued.or_else(|| scripts.by_model.get(&model).cloned());
        script.unwrap_or_else(|| self.greeting(request))
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        shared.connections.send_modify(|count| *count += 1);
        connections.spawn(serve(socket, Arc::clone(&shared)));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(socket: TcpStream, shared: Arc<Shared>) {
    // Without it a small chunk may wait for the acknowledgement of the one before.
    socket.set_nodelay(true).ok();
    let service = service_fn(|request: http::Request<Incoming>| {
        let shared = Arc::clone(&shared);
        async move {
            let (head, body) = request.into_parts();
            let body = body
                .collect()
                .await
                .map_err(std::io::Error::other)?
                .to_bytes();
            let path = head
                .uri
                .path_and_query()
                .map_or("/", |path| path.as_str())
                .to_owned();
            let request = Request {
                method: head.method,
                path,
                headers: head.headers,
                body,
            };
            let request = Arc::new(request);
            let (exchange, tail) = Exchange::new(Arc::clone(&request));
            let reply = shared.reply(&request);
            shared.seen.send_modify(|seen| seen.push(exchange));
            play::play(reply, tail).await
        }
    });
    // A connection that its peer or a script broke is what the tests are about, not a failure.
    http1::Builder::new()
        .serve_connection(TokioIo::new(socket), service)
        .await
        .ok();
}
