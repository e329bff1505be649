//! The control plane: one Tower service.

use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use aisix_core::{
    BoxError,
    body::Body,
    config::{ConfigStore, Key, Kind},
};
use bytes::Bytes;
use http::{Request, Response, StatusCode, request::Parts};
use tower_service::Service;

use crate::{
    answer::{Refusal, json_response, text_response},
    auth::AdminKeys,
    desk::{Desk, Operation},
    document::Mode,
    history, openapi,
    operation::{Delete, Put, Rollback, Rotate},
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
}

/// Builds an [`Admin`].
pub struct AdminBuilder {
    store: Arc<dyn ConfigStore>,
    keys: AdminKeys,
}

// === impl AdminBuilder ===

impl AdminBuilder {
    /// Who may administer. Default: nobody.
    #[must_use]
    pub fn keys(mut self, keys: AdminKeys) -> Self {
        self.keys = keys;
        self
    }

    /// Finishes the control plane.
    pub fn build(self) -> Admin {
        Admin(Arc::new(Shared {
            desk: Arc::new(Desk::new(self.store.clone())),
            store: self.store,
            keys: self.keys,
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
        AdminBuilder {
            store: Arc::new(store),
            keys: AdminKeys::default(),
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
        let (head, body) = request.into_parts();
        let body = Body::new(body);
        Box::pin(async move {
            let answer = shared.answer(&head, body).await;
            Ok(answer.unwrap_or_else(Refusal::into_response))
        })
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
            Action::History => history::list(self.store(), query).await,
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
        Ok(resources::written(done, found.segment, dry_run))
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
