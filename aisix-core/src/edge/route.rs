//! Where a request goes, by its path and method alone.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use aisix_wire::{Dialect, OPERATIONS, Operation};
use http::{HeaderValue, Method, Uri, header::ALLOW, request::Parts};
use percent_encoding::percent_decode_str;

use crate::error::{Error, ErrorKind};

/// Where a request goes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Route {
    /// Is the process alive?
    Live,
    /// May traffic be sent here?
    Ready,
    /// The models that the caller may use.
    Models,
    /// One model.
    Model(String),
    /// An operation on a model.
    Operation {
        /// The row of the endpoint.
        operation: &'static Operation,
        /// The model's name, where the path holds it.
        model: Option<Arc<str>>,
    },
}

// === impl Route ===

impl Route {
    /// Looks up the route of a method and a path.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] for an unknown path, [`ErrorKind::MethodNotAllowed`] for a known one.
    pub fn look_up(method: &Method, uri: &Uri) -> Result<Self, Error> {
        let path = uri.path();
        if let Some(route) = Self::operation(path) {
            return allow(method, &Method::POST, route);
        }
        let route = match path {
            "/livez" => Self::Live,
            "/readyz" => Self::Ready,
            "/v1/models" | "/v1beta/models" => Self::Models,
            _ => {
                let id = ["/v1/models/", "/v1beta/models/"]
                    .into_iter()
                    .find_map(|before| path.strip_prefix(before));
                match id.and_then(decode) {
                    Some(id) if !id.is_empty() => Self::Model(id),
                    _ => return Err(Error::new(ErrorKind::NotFound, "no such path")),
                }
            }
        };
        allow(method, &Method::GET, route)
    }

    /// Looks up the route of a request that a hook has rewritten. Every route that can be reached so asks for a
    /// caller.
    pub(crate) fn look_up_again(method: &Method, uri: &Uri) -> Result<Self, Error> {
        match Self::look_up(method, uri)? {
            Self::Live | Self::Ready => Err(Error::new(ErrorKind::NotFound, "no such path")),
            route => Ok(route),
        }
    }

    fn operation(path: &str) -> Option<Self> {
        static BY_PATH: LazyLock<HashMap<&str, &'static Operation>> =
            LazyLock::new(|| OPERATIONS.iter().map(|row| (row.path, *row)).collect());

        if let Some(operation) = BY_PATH.get(path) {
            let (operation, model) = (*operation, None);
            // Braces are no part of a path that somebody asks for.
            return (!operation.names_model_in_path())
                .then_some(Self::Operation { operation, model });
        }
        OPERATIONS.iter().find_map(|operation| {
            let model = decode(operation.model_in(path)?)?;
            Some(Self::Operation {
                operation,
                model: Some(model.into()),
            })
        })
    }

    /// Whether a caller must be known.
    pub fn wants_caller(&self) -> bool {
        !matches!(self, Self::Live | Self::Ready)
    }

    /// The route's template, for labels.
    pub fn template(&self) -> &'static str {
        match self {
            Self::Live => "/livez",
            Self::Ready => "/readyz",
            Self::Models => "/v1/models",
            Self::Model(_) => "/v1/models/{id}",
            Self::Operation { operation, .. } => operation.path,
        }
    }

    /// The dialect of the caller.
    pub fn dialect(&self, head: &Parts) -> Dialect {
        match self {
            Self::Operation { operation, .. } => operation.dialect,
            Self::Models | Self::Model(_) if head.uri.path().starts_with("/v1beta/") => {
                Dialect::Gemini
            }
            Self::Models | Self::Model(_) if head.headers.contains_key("anthropic-version") => {
                Dialect::Anthropic
            }
            _ => Dialect::OpenAi,
        }
    }
}

fn allow(method: &Method, allowed: &Method, route: Route) -> Result<Route, Error> {
    if method == allowed || (allowed == Method::GET && method == Method::HEAD) {
        return Ok(route);
    }
    let name = HeaderValue::from_str(allowed.as_str()).expect("a method is a token");
    let message = format!("use {allowed} for this path");
    Err(Error::new(ErrorKind::MethodNotAllowed, message).with_header(ALLOW, name))
}

/// Percent-decodes a part of a path; `None` when it is not UTF-8 then.
fn decode(text: &str) -> Option<String> {
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look_up(method: &str, path: &str) -> Result<Route, ErrorKind> {
        let method = method.parse().unwrap();
        Route::look_up(&method, &path.parse().unwrap()).map_err(|error| error.kind())
    }

    #[test]
    fn paths_and_methods_are_told_apart() {
        assert!(matches!(
            look_up("POST", "/v1/chat/completions?a=b"),
            Ok(Route::Operation { model: None, .. })
        ));
        let refused = |method, path| look_up(method, path).unwrap_err();
        assert_eq!(
            refused("GET", "/v1/chat/completions"),
            ErrorKind::MethodNotAllowed
        );
        assert_eq!(refused("POST", "/v1/models"), ErrorKind::MethodNotAllowed);
        assert_eq!(refused("GET", "/v1/chat"), ErrorKind::NotFound);
        assert_eq!(refused("GET", "/v1/models/"), ErrorKind::NotFound);
    }

    #[test]
    fn an_operation_may_name_its_model_in_the_path() {
        let named = |path: &str| match look_up("POST", path) {
            Ok(Route::Operation {
                operation,
                model: Some(model),
            }) => (operation.name, model.to_string()),
            other => panic!("{other:?}"),
        };
        let path = "/v1beta/models/google%2Fgemini:generateContent?key=k";
        assert_eq!(named(path), ("generate_content", "google/gemini".into()));
        let path = "/v1beta/models/m:streamGenerateContent";
        assert_eq!(named(path), ("stream_generate_content", "m".into()));
        let refused = |method, path| look_up(method, path).unwrap_err();
        let path = "/v1beta/models/m:generateContent";
        assert_eq!(refused("GET", path), ErrorKind::MethodNotAllowed);
        let path = "/v1beta/models/m:countTokens";
        assert_eq!(refused("POST", path), ErrorKind::MethodNotAllowed);
        assert_eq!(
            refused("POST", "/v1beta/m:generateContent"),
            ErrorKind::NotFound
        );
    }

    #[test]
    fn a_model_id_may_hold_slashes_and_escapes() {
        let model = |path: &str| match look_up("GET", path) {
            Ok(Route::Model(id)) => Ok(id),
            other => Err(format!("{other:?}")),
        };
        assert_eq!(model("/v1/models/a/b").unwrap(), "a/b");
        assert_eq!(model("/v1/models/a%2Fb%20c").unwrap(), "a/b c");
        assert_eq!(model("/v1/models/100%").unwrap(), "100%");
        assert!(model("/v1/models/%ff").is_err());
    }
}
