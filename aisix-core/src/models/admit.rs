//! The stage: the model exists, its caller may use it, and somebody can serve it.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use aisix_wire::{Form, Operation, chat::Draw};
use http::HeaderMap;
use tower_layer::Layer;
use tower_service::Service;

use super::{Ensemble, Model, Serves, Target};
use crate::{
    call::{Call, Expense, Inbound},
    error::{Error, ErrorKind},
    limit::Reserve,
    reply::Reply,
    route::Router,
    stage::{StageFuture, replace},
    upstream::{Exit, Upstream, Way},
};

/// The longest name that is repeated in a message, in characters.
const MAX_QUOTED: usize = 128;

/// Turns an [`Inbound`] into a [`Call`].
#[derive(Clone)]
pub(crate) struct AdmitLayer {
    exit: Exit,
    limits: Reserve,
    /// What answers the questions that hooks have for other models.
    router: Arc<Router<Upstream>>,
}

/// See [`AdmitLayer`].
#[derive(Clone)]
pub(crate) struct Admit<S> {
    inner: S,
    layer: AdmitLayer,
}

// === impl AdmitLayer ===

impl AdmitLayer {
    pub(crate) fn new(exit: Exit, router: Router<Upstream>, limits: Reserve) -> Self {
        let router = Arc::new(router);
        Self {
            exit,
            router,
            limits,
        }
    }
}

impl<S> Layer<S> for AdmitLayer {
    type Service = Admit<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Admit {
            inner,
            layer: self.clone(),
        }
    }
}

// === impl Admit ===

impl<S> Service<Inbound> for Admit<S>
where
    S: Service<Call, Response = Reply, Error = Error> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Reply;
    type Error = Error;
    type Future = StageFuture<Reply, Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, inbound: Inbound) -> Self::Future {
        let admitted = admit(inbound, &self.layer);
        let mut inner = replace(&mut self.inner);
        Box::pin(async move { inner.call(admitted?).await })
    }
}

fn admit(inbound: Inbound, layer: &AdmitLayer) -> Result<Call, Error> {
    let requested = inbound.requested_model.clone();
    let model = inbound
        .config
        .model(&requested)
        .ok_or_else(|| not_found(&requested))?
        .clone();
    inbound.trail.set_model(model.clone());
    if !inbound.caller.may_use(&requested) {
        let name = quoted(&requested);
        return Err(Error::new(
            ErrorKind::Forbidden,
            format!("this API key may not use model {name}"),
        ));
    }
    if !model.admits(inbound.trail.client()) {
        return Err(Error::new(
            ErrorKind::Forbidden,
            "this model may not be used from your address",
        )
        .with_code("ip_restricted"));
    }
    offers(&model, inbound.operation, &requested)?;
    Ok(Call {
        inbound,
        model,
        upstream_headers: HeaderMap::new(),
        exit: layer.exit.clone(),
        limits: layer.limits.clone(),
        router: layer.router.clone(),
        prompt_caching: None,
        draw: Draw::default(),
        expense: Expense::default(),
        beyond: None,
    })
}

/// Whether anything that serves the model offers the operation.
pub(crate) fn offers(model: &Model, operation: &Operation, requested: &str) -> Result<(), Error> {
    if let Serves::Ensemble(ensemble) = &model.serves {
        return answers(ensemble, operation, requested);
    }
    let mut refusal = None;
    for target in model.targets() {
        match way(target, operation, requested) {
            Ok(_) => return Ok(()),
            Err(error) => refusal = refusal.or(Some(error)),
        }
    }
    Err(refusal.unwrap_or_else(|| unavailable(requested)))
}

/// Whether enough of an ensemble offer the operation, which must be a chat.
fn answers(ensemble: &Ensemble, operation: &Operation, requested: &str) -> Result<(), Error> {
    if operation.form != Form::Chat {
        let name = quoted(requested);
        let message = format!("model {name} asks several models, and answers chats only");
        return Err(Error::invalid("model", message));
    }
    let judge = ensemble.judge.as_ref();
    let judge = judge.ok_or_else(|| unavailable(requested))?;
    way(&judge.member.target, operation, requested)?;
    let ways = ensemble.panel.iter();
    let mut ways: Vec<_> = ways
        .map(|voice| way(&voice.member.target, operation, requested))
        .collect();
    if ways.iter().filter(|way| way.is_ok()).count() >= ensemble.least {
        return Ok(());
    }
    let refusal = ways.drain(..).find_map(Result::err);
    Err(refusal.unwrap_or_else(|| unavailable(requested)))
}

/// The way of an operation to a target, for a model that the caller called `requested`.
pub(crate) fn way(target: &Target, operation: &Operation, requested: &str) -> Result<Way, Error> {
    let dialect = target.endpoint()?.dialect(operation);
    dialect
        .and_then(|dialect| Way::of(operation, dialect))
        .ok_or_else(|| not_offered(operation, requested))
}

/// Nobody can serve the model.
pub(crate) fn unavailable(requested: &str) -> Error {
    let message = format!("no target of model {} can serve it", quoted(requested));
    Error::new(ErrorKind::ProviderUnavailable, message)
}

fn not_offered(operation: &Operation, requested: &str) -> Error {
    let name = quoted(requested);
    let message = format!(
        "the provider of model {name} does not support {}",
        operation.path
    );
    match operation.form {
        // Only some providers count, so asking another is the caller's mistake.
        Form::CountTokens => Error::invalid("model", message),
        _ => Error::new(ErrorKind::NotImplemented, message),
    }
}

pub(crate) fn not_found(name: &str) -> Error {
    Error::new(
        ErrorKind::ModelNotFound,
        format!("model {} not found", quoted(name)),
    )
}

/// A name in quotes, cut to what a message may repeat.
pub(crate) fn quoted(name: &str) -> String {
    match name.char_indices().nth(MAX_QUOTED) {
        Some((end, _)) => format!("{:?}", format!("{}…", &name[..end])),
        None => format!("{name:?}"),
    }
}
