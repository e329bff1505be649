//! The control plane: one Tower service.

use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use aisix_core::{
    BoxError, Gateway,
    body::Body,
    config::{Config, ConfigStore, Key, Kind, Status, store::Revision},
    explain::Explainer,
    models,
};
use bytes::Bytes;
use http::{Request, Response, StatusCode, request::Parts};
use tower_service::Service;

use crate::{
    answer::{Refusal, json_response, text_response},
    auth::AdminKeys,
    desk::{Desk, Operation},
    document::Mode,
    explain, health, history, openapi,
    operation::{Delete, Put, Rollback, Rotate},
    plugins,
    request::{self, Conditions, Query},
    resources,
    route::{self, Action, Match},
};

/// The Admin API as a Tower service from HTTP requests to HTTP responses. A cheap clone that never
/// fails.
///
/// Without [keys](AdminBuilder::keys) it refuses everybody. A write that has begun is finished even if
/// the client leaves.
#[derive(Clone)]
pub struct Admin(Arc<Shared>);

struct Shared {
    store: Arc<dyn ConfigStore>,
    keys: AdminKeys,
    desk: Arc<Desk>,
    config: Option<Config>,
    gateway: Option<Gateway>,
    explainer: Option<Explainer>,
    limits: Option<Tell>,
}

/// Builds an [`Admin`].
pub struct AdminBuilder {
    store: Arc<dyn ConfigStore>,
    keys: AdminKeys,
    config: Option<Config>,
    gateway: Option<Gateway>,
    explainer: Option<Explainer>,
    limits: Option<Tell>,
}

/// Tells how something stands.
type Tell = Box<dyn Fn() -> serde_json::Value + Send + Sync>;

// === impl AdminBuilder ===

impl AdminBuilder {
    /// Who may administer. Default: nobody.
    #[must_use]
    pub fn keys(mut self, keys: AdminKeys) -> Self {
        self.keys = keys;
        self
    }

    /// The configuration that follows the store: a write is answered once it is served there, or after
    /// two seconds, and `/aisix/admin/status`, `/admin/v1/health` and
    /// `/admin/v1/models/status` tell how it stands. Default: none.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = Some(config);
        self
    }

    /// A gateway that answers the probes, and what the playground asks as any other caller would:
    /// `POST /playground/chat/completions`. Default: none, and neither of these paths.
    #[must_use]
    pub fn gateway(mut self, gateway: Gateway) -> Self {
        self.gateway = Some(gateway);
        self
    }

    /// What tells administrators what would become of a request: `POST /aisix/admin/explain`. Made from
    /// the builder of the gateway that serves, so that it knows its limits. Default: none, and 501.
    #[must_use]
    pub fn explainer(mut self, explainer: Explainer) -> Self {
        self.explainer = Some(explainer);
        self
    }

    /// What tells where limits are counted, as the member `limits` of `/aisix/admin/status`. Default:
    /// none.
    #[must_use]
    pub fn limits(mut self, tell: impl Fn() -> serde_json::Value + Send + Sync + 'static) -> Self {
        self.limits = Some(Box::new(tell));
        self
    }

    /// Finishes the control plane.
    pub fn build(self) -> Admin {
        Admin(Arc::new(Shared {
            desk: Arc::new(Desk::new(self.store.clone(), self.config.clone())),
            store: self.store,
            keys: self.keys,
            config: self.config,
            gateway: self.gateway,
            explainer: self.explainer,
            limits: self.limits,
        }))
    }
}

impl fmt::Debug for AdminBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminBuilder")
    }
}

// === impl Admin ===

impl Admin {
    /// Starts a control plane over a store.
    pub fn builder(store: impl ConfigStore) -> AdminBuilder {
        Self::over(Arc::new(store))
    }

    /// Starts a control plane over a store that is shared.
    pub fn over(store: Arc<dyn ConfigStore>) -> AdminBuilder {
        AdminBuilder {
            store,
            keys: AdminKeys::default(),
            config: None,
            gateway: None,
            explainer: None,
            limits: None,
        }
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Admin")
    }
}

impl<B> Service<Request<B>> for Admin
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let shared = self.0.clone();
        let (mut head, body) = request.into_parts();
        let body = Body::new(body);
        if let Some(gateway) = &shared.gateway
            && let Some(path) = of_gateway(head.uri.path())
        {
            let query = head.uri.query().map(|query| format!("?{query}"));
            let target = format!("{path}{}", query.unwrap_or_default());
            // The authority, if there is one, is of no interest to the gateway.
            head.uri = target.parse().unwrap_or(http::Uri::from_static(path));
            return Box::pin(gateway.clone().call(Request::from_parts(head, body)));
        }
        Box::pin(async move {
            let answer = shared.answer(&head, body).await;
            Ok(answer.unwrap_or_else(Refusal::into_response))
        })
    }
}

/// How long the answer to a write waits until it is served.
const SERVED_WITHIN: Duration = Duration::from_secs(2);

/// The gateway's own path of one that it answers here.
fn of_gateway(path: &str) -> Option<&'static str> {
    match path {
        "/livez" => Some("/livez"),
        "/readyz" => Some("/readyz"),
        "/playground/chat/completions" => Some("/v1/chat/completions"),
        _ => None,
    }
}

// === impl Shared ===

impl Shared {
    async fn answer(&self, head: &Parts, body: Body) -> Result<Response<Body>, Refusal> {
        let path = head.uri.path();
        // Before the path is looked at: a stranger learns nothing from it.
        let by = match self.keys.find(&head.headers) {
            None if route::is_guarded(path) => {
                let message = "missing or wrong admin key";
                return Err(Refusal::new(StatusCode::UNAUTHORIZED, message));
            }
            found => found.unwrap_or_default(),
        };
        let found = route::find(&head.method, path)?;
        let mut query = Query::of(head)?;
        match found.action {
            Action::List => {
                resources::list(self.store(), found.kind()?, found.segment, query).await
            }
            Action::Get => {
                query.finish()?;
                resources::get(self.store(), &found.key()?, found.segment, head).await
            }
            Action::ListV1 => resources::list_v1(self.store(), found.kind()?).await,
            Action::GetV1 => resources::get_v1(self.store(), &found.key()?).await,
            Action::Status => {
                query.finish()?;
                self.status().await
            }
            Action::Plugins => {
                query.finish()?;
                Ok(plugins::list(self.config.as_ref()))
            }
            Action::ModelsStatus => {
                query.finish()?;
                Ok(health::models(self.config()?))
            }
            Action::Health => {
                query.finish()?;
                Ok(health::summary(self.config()?))
            }
            Action::History => history::list(self.store(), query).await,
            Action::Explain => {
                query.finish()?;
                explain::answer(self.explainer.as_ref(), head, body).await
            }
            Action::OpenApi => Ok(json_response(StatusCode::OK, openapi::document())),
            Action::OpenApiPage => Ok(text_response(
                StatusCode::OK,
                "text/html; charset=utf-8",
                openapi::page(),
            )),
            Action::Create
            | Action::Replace
            | Action::Patch
            | Action::Delete
            | Action::Rotate
            | Action::Rollback => {
                let dry_run = query.flag("dry_run")?;
                query.finish()?;
                self.write(&found, head, body, by, dry_run).await
            }
        }
    }

    async fn write(
        &self,
        found: &Match,
        head: &Parts,
        body: Body,
        by: Arc<str>,
        dry_run: bool,
    ) -> Result<Response<Body>, Refusal> {
        let conditions = Conditions::of(&head.headers);
        let may_be_empty = found.action == Action::Rotate;
        let body = match found.action {
            Action::Delete => serde_json::Map::new(),
            _ => request::object(head, body, may_be_empty).await?,
        };
        let operation: Box<dyn Operation> = match found.action {
            Action::Create => Box::new(Put::create(found.kind()?, body)),
            Action::Replace => Box::new(Put::new(found.key()?, body, Mode::Whole, conditions)),
            Action::Patch => Box::new(Put::new(found.key()?, body, Mode::Merge, conditions)),
            Action::Delete => Box::new(Delete {
                key: found.key()?,
                conditions,
            }),
            Action::Rotate => Box::new(Rotate::new(found.id.clone(), body, conditions)?),
            _ => Box::new(Rollback::new(body)?),
        };
        let done = self.desk.write(operation, by, dry_run).await?;
        if !dry_run && !done.changed.is_empty() {
            self.served(done.revision).await;
        }
        Ok(resources::written(done, found.segment, dry_run))
    }

    /// Waits until a write is served, so that whoever reads the answer can rely on it.
    async fn served(&self, revision: Revision) {
        let Some(config) = &self.config else {
            return;
        };
        let waiting =
            tokio::time::timeout(SERVED_WITHIN, config.until(self.store.told_as(revision)));
        if waiting.await.is_err() {
            tracing::warn!(revision, "what was written is not served yet");
        }
    }

    /// What is in the store, and how this process stands to it.
    async fn status(&self) -> Result<Response<Body>, Refusal> {
        let revision = match self.store.revision().await {
            Ok(revision) => Some(revision),
            // What is served may be told even while the store is away.
            Err(_) if self.config.is_some() => None,
            Err(error) => return Err(error.into()),
        };
        let config = self.config.as_ref();
        let standing = config.map(Config::status);
        let applied = standing.as_ref().and_then(|it| it.applied.as_ref());
        let status = serde_json::json!({
            "revision": revision,
            "age_seconds": applied.map(|applied| health::seconds_since(applied.at)),
            "config": standing.as_ref().map(Status::to_json),
            "models": config.map(|config| models::health::to_json(&config.current())),
            "limits": self.limits.as_ref().map(|tell| tell()),
        });
        Ok(json_response(StatusCode::OK, &status))
    }

    fn config(&self) -> Result<&Config, Refusal> {
        let missing = || {
            let message = "no gateway is followed here";
            Refusal::new(StatusCode::NOT_IMPLEMENTED, message)
        };
        self.config.as_ref().ok_or_else(missing)
    }

    fn store(&self) -> &dyn ConfigStore {
        self.store.as_ref()
    }
}

// === impl Match ===

impl Match {
    fn kind(&self) -> Result<Kind, Refusal> {
        self.kind
            .ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "no such path"))
    }

    fn key(&self) -> Result<Key, Refusal> {
        let (kind, id) = (self.kind()?, self.id.clone());
        Ok(Key { kind, id })
    }
}
