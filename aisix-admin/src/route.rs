//! The paths: one table, which is served and documented.

use std::sync::Arc;

use aisix_core::config::Kind;
use http::Method;

use crate::{answer::Refusal, request::segment};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    List,
    Create,
    Get,
    Replace,
    Patch,
    Delete,
    Rotate,
    Status,
    Plugins,
    ModelsStatus,
    Health,
    History,
    Rollback,
    Explain,
    ListV1,
    GetV1,
    OpenApi,
    OpenApiPage,
}

/// A path with a method.
pub(crate) struct Route {
    pub(crate) method: Method,
    /// `{kind}` and `{id}` stand for a segment each.
    pub(crate) path: &'static str,
    pub(crate) action: Action,
    /// What it does, in a sentence without a full stop.
    pub(crate) summary: &'static str,
}

const fn route(method: Method, path: &'static str, action: Action, summary: &'static str) -> Route {
    Route {
        method,
        path,
        action,
        summary,
    }
}

pub(crate) static ROUTES: [Route; 21] = [
    route(
        Method::GET,
        "/aisix/admin/{kind}",
        Action::List,
        "List resources",
    ),
    route(
        Method::POST,
        "/aisix/admin/{kind}",
        Action::Create,
        "Create a resource under a new id",
    ),
    route(
        Method::GET,
        "/aisix/admin/{kind}/{id}",
        Action::Get,
        "Get a resource",
    ),
    route(
        Method::PUT,
        "/aisix/admin/{kind}/{id}",
        Action::Replace,
        "Create or replace a resource",
    ),
    route(
        Method::PATCH,
        "/aisix/admin/{kind}/{id}",
        Action::Patch,
        "Change a resource by a JSON merge patch",
    ),
    route(
        Method::DELETE,
        "/aisix/admin/{kind}/{id}",
        Action::Delete,
        "Delete a resource that nothing else uses",
    ),
    route(
        Method::POST,
        "/aisix/admin/api_keys/{id}/rotate",
        Action::Rotate,
        "Give an API key a new credential; the old one works on for a while",
    ),
    route(
        Method::POST,
        "/aisix/admin/apikeys/{id}/rotate",
        Action::Rotate,
        "The same by the older name",
    ),
    route(
        Method::GET,
        "/aisix/admin/status",
        Action::Status,
        "Tell the revision of the store and how this process serves it",
    ),
    route(
        Method::GET,
        "/aisix/admin/plugins",
        Action::Plugins,
        "List the hooks that chains can name, with the schemas of their settings",
    ),
    route(
        Method::GET,
        "/aisix/admin/history",
        Action::History,
        "List the last changes, newest first",
    ),
    route(
        Method::POST,
        "/aisix/admin/rollback",
        Action::Rollback,
        "Bring the configuration of a revision back",
    ),
    // Before the kinds and ids that it would be.
    route(
        Method::GET,
        "/admin/v1/health",
        Action::Health,
        "Tell how the models and the configuration fare, in short",
    ),
    route(
        Method::GET,
        "/admin/v1/models/status",
        Action::ModelsStatus,
        "List the models with their health",
    ),
    route(
        Method::POST,
        "/aisix/admin/explain",
        Action::Explain,
        "Tell what would become of a request, and why, without sending it",
    ),
    route(
        Method::GET,
        "/admin/v1/{kind}",
        Action::ListV1,
        "List resources in the shape of the current generation, read only",
    ),
    route(
        Method::GET,
        "/admin/v1/{kind}/{id}",
        Action::GetV1,
        "Get a resource in the shape of the current generation, read only",
    ),
    route(
        Method::GET,
        "/openapi.json",
        Action::OpenApi,
        "This document",
    ),
    route(
        Method::GET,
        "/admin/openapi.json",
        Action::OpenApi,
        "The same",
    ),
    route(
        Method::GET,
        "/openapi",
        Action::OpenApiPage,
        "This document as a page",
    ),
    route(
        Method::GET,
        "/admin/openapi-scalar",
        Action::OpenApiPage,
        "The same",
    ),
];

/// A route that was found, and what stands in its places.
#[derive(Debug)]
pub(crate) struct Match {
    pub(crate) action: Action,
    pub(crate) kind: Option<Kind>,
    /// The kind as it was written.
    pub(crate) segment: &'static str,
    pub(crate) id: Arc<str>,
}

// === impl Action ===

impl Action {
    /// Whether anybody may ask.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::OpenApi | Self::OpenApiPage)
    }
}

/// A kind, and how it was written.
pub(crate) fn kind(name: &str) -> Option<(Kind, &'static str)> {
    match name {
        // What the first generation called them.
        "apikeys" => Some((Kind::ApiKey, "apikeys")),
        name => name.parse::<Kind>().ok().map(|kind| (kind, kind.as_str())),
    }
}

/// Whether this path can only be asked for with a key, known or not.
pub(crate) fn is_guarded(path: &str) -> bool {
    let open = ROUTES
        .iter()
        .any(|route| route.action.is_open() && route.path == path);
    !open && (path.starts_with("/aisix/admin") || path.starts_with("/admin/v1"))
}

/// Finds the route; 404 and 405 otherwise.
pub(crate) fn find(method: &Method, path: &str) -> Result<Match, Refusal> {
    // What answers GET answers HEAD; the server leaves the body out.
    let method = if *method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    let mut allowed = Vec::new();
    for route in &ROUTES {
        let Some(found) = matched(route, path) else {
            continue;
        };
        if route.method == *method {
            return Ok(found);
        }
        let head = (route.method == Method::GET).then_some("HEAD");
        for name in [route.method.as_str()].into_iter().chain(head) {
            if !allowed.contains(&name) {
                allowed.push(name);
            }
        }
    }
    if allowed.is_empty() {
        return Err(Refusal::new(http::StatusCode::NOT_FOUND, "no such path"));
    }
    let allow = allowed.join(", ");
    let message = format!("this path knows {allow}");
    let mut refusal = Refusal::new(http::StatusCode::METHOD_NOT_ALLOWED, message);
    refusal.allow = Some(allow);
    Err(refusal)
}

fn matched(route: &Route, path: &str) -> Option<Match> {
    let (mut wanted, mut given) = (route.path.split('/'), path.split('/'));
    let mut found = Match {
        action: route.action,
        kind: None,
        segment: "",
        id: "".into(),
    };
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(found),
            (Some("{kind}"), Some(name)) => {
                let (kind, segment) = kind(name)?;
                (found.kind, found.segment) = (Some(kind), segment);
            }
            (Some("{id}"), Some(id)) if !id.is_empty() => found.id = segment(id)?.into(),
            (Some(name), Some(given)) if name == given => {
                if let Some((kind, segment)) = kind(name) {
                    (found.kind, found.segment) = (Some(kind), segment);
                }
            }
            _ => return None,
        }
    }
}
