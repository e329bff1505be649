//! Connections.

use std::{sync::Arc, time::Duration};

use aisix_core::config::store::{StoreError, StoreErrorKind};
use etcd_client::{Certificate, Client, ConnectOptions, Identity, TlsOptions};
use rustls::crypto::CryptoProvider;
use tokio::{
    sync::Mutex,
    time::{self, Instant},
};

use super::{
    Settings,
    fault::{Fault, FaultKind},
    image::Reader,
};

/// The largest answer that is read: what is read is asked for in pieces.
pub(super) const ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Connects to one endpoint, the n-th of those that go round.
pub(super) async fn connect(settings: &Settings, number: usize) -> Result<Client, Fault> {
    let endpoint = &settings.endpoints[number % settings.endpoints.len()];
    let failed = |fault: Fault| Fault::new(fault.kind, format!("{endpoint}: {fault}"));
    let mut options = ConnectOptions::new()
        .with_connect_timeout(settings.connect_timeout)
        .with_keep_alive(settings.keepalive.interval, settings.keepalive.timeout)
        // etcd ends connections that are idle and pinged.
        .with_keep_alive_while_idle(false)
        .with_require_leader(true)
        .with_auto_token_refresh(true);
    if let Some((name, password)) = &settings.user {
        options = options.with_user(name, password.expose());
    }
    if endpoint.starts_with("https://") {
        options = options.with_tls(tls(settings).await.map_err(failed)?);
    }
    let time = settings.connect_timeout + settings.request_timeout;
    let connected = within(
        "connection",
        time,
        Client::connect([endpoint], Some(options)),
    );
    connected.await.map_err(failed)
}

/// Waits for an answer, but not for ever.
pub(super) async fn within<T>(
    what: &str,
    time: Duration,
    answer: impl Future<Output = Result<T, etcd_client::Error>>,
) -> Result<T, Fault> {
    match time::timeout(time, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Fault::silent(what, time)),
    }
}

async fn tls(settings: &Settings) -> Result<TlsOptions, Fault> {
    let refused = |message| Fault::new(FaultKind::Refused, message);
    if CryptoProvider::get_default().is_none() {
        let message = "https needs a TLS provider, and the process has installed none";
        return Err(refused(message.to_owned()));
    }
    let tls = settings.tls.clone().unwrap_or_default();
    let mut options = TlsOptions::new();
    match &tls.ca {
        Some(ca) => {
            let ca = ca.read().await.map_err(refused)?;
            options = options.ca_certificate(Certificate::from_pem(ca));
        }
        None => options = options.with_native_roots(),
    }
    if let Some((certificate, key)) = &tls.client {
        let certificate = certificate.read().await.map_err(refused)?;
        let key = key.read().await.map_err(refused)?;
        options = options.identity(Identity::from_pem(certificate, key));
    }
    if let Some(name) = &tls.domain_name {
        options = options.domain_name(name);
    }
    Ok(options)
}

/// The connection of a store; made when it is needed.
pub(super) struct Link {
    settings: Arc<Settings>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    client: Option<Client>,
    /// Counts connections, and so goes round the endpoints.
    number: usize,
    /// When connecting failed last, and why.
    failed: Option<(Instant, Fault)>,
}

// === impl Link ===

impl Link {
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        let state = Mutex::default();
        Self { settings, state }
    }

    /// Asks, of one endpoint after the other if need be. It must not matter whether it is asked twice.
    pub(super) async fn ask<T, F>(&self, question: impl Fn(Reader) -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let attempts = self.settings.endpoints.len().max(2);
        let mut attempt = 1;
        loop {
            let fault = match self.ask_once(&question).await {
                Err(fault) => fault,
                answer => return answer,
            };
            let may_help = matches!(fault.kind, FaultKind::Link | FaultKind::Compacted);
            if attempt == attempts || !may_help {
                return Err(fault);
            }
            attempt += 1;
        }
    }

    /// Asks only once.
    pub(super) async fn ask_once<T, F>(&self, question: impl Fn(Reader) -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let (reader, number) = self.reader().await?;
        let answer = question(reader).await;
        if let Err(fault) = &answer
            && fault.kind == FaultKind::Link
        {
            self.give_up(number).await;
        }
        answer
    }

    async fn reader(&self) -> Result<(Reader, usize), Fault> {
        let asked = Instant::now();
        let mut state = self.state.lock().await;
        if state.client.is_none() {
            // Somebody has tried while we waited for it: those who wait do not each try in turn.
            if let Some((when, fault)) = &state.failed
                && *when > asked
            {
                return Err(fault.clone());
            }
            match connect(&self.settings, state.number).await {
                Ok(client) => state.client = Some(client),
                Err(fault) => {
                    state.number += 1;
                    state.failed = Some((Instant::now(), fault.clone()));
                    return Err(fault);
                }
            }
        }
        let client = state.client.as_ref().expect("it was just made");
        Ok((Reader::new(client, &self.settings), state.number))
    }

    /// The next question goes to another endpoint, unless somebody has seen to that already.
    async fn give_up(&self, number: usize) {
        let mut state = self.state.lock().await;
        if state.number == number {
            state.client = None;
            state.number += 1;
        }
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}

/// A fault, as whoever uses the store is told.
pub(super) fn unavailable(fault: &Fault) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, format!("etcd: {fault}"))
}
