//! Where a request goes, by its path and method alone.

use std::{collections::HashMap, sync::LazyLock};

use aisix_wire::{Dialect, OPERATIONS, Operation};
use http::{HeaderValue, Method, Uri, header::ALLOW, request::Parts};

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
    Operation(&'static Operation),
}

// === impl Route ===

impl Route {
    /// Looks up the route of a method and a path.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] for an unknown path, [`ErrorKind::MethodNotAllowed`] for a known one.
    pub fn look_up(method: &Method, uri: &Uri) -> Result<Self, Error> {
        static BY_PATH: LazyLock<HashMap<&str, &'static Operation>> =
            LazyLock::new(|| OPERATIONS.iter().map(|row| (row.path, *row)).collect());

        let path = uri.path();
        if let Some(operation) = BY_PATH.get(path) {
            return allow(method, &Method::POST, Self::Operation(operation));
        }
        let route = match path {
            "/livez" => Self::Live,
            "/readyz" => Self::Ready,
            "/v1/models" => Self::Models,
            _ => match path.strip_prefix("/v1/models/").and_then(decode) {
                Some(id) if !id.is_empty() => Self::Model(id),
                _ => return Err(Error::new(ErrorKind::NotFound, "no such path")),
            },
        };
        allow(method, &Method::GET, route)
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
            Self::Operation(operation) => operation.path,
        }
    }

    /// The dialect of the caller.
    pub fn dialect(&self, head: &Parts) -> Dialect {
        match self {
            Self::Operation(operation) => operation.dialect,
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

/// Percent-decodes a path segment; `None` when it is not UTF-8 then.
fn decode(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let hex = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let pair = (bytes[at] == b'%').then(|| {
            let high = hex(*bytes.get(at + 1)?)?;
            let low = hex(*bytes.get(at + 2)?)?;
            Some(high << 4 | low)
        });
        match pair {
            None => decoded.push(bytes[at]),
            Some(byte) => {
                decoded.push(byte?);
                at += 2;
            }
        }
        at += 1;
    }
    String::from_utf8(decoded).ok()
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
            Ok(Route::Operation(_))
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
    fn a_model_id_may_hold_slashes_and_escapes() {
        let model = |path: &str| match look_up("GET", path) {
            Ok(Route::Model(id)) => Ok(id),
            other => Err(format!("{other:?}")),
        };
        assert_eq!(model("/v1/models/a/b").unwrap(), "a/b");
        assert_eq!(model("/v1/models/a%2Fb%20c").unwrap(), "a/b c");
        assert!(model("/v1/models/a%2").is_err());
        assert!(model("/v1/models/%ff").is_err());
    }
}
