//! `/livez` and `/readyz`.

use http::{HeaderValue, StatusCode, Uri, header::X_CONTENT_TYPE_OPTIONS};

use super::Drain;
use crate::{config::Snapshot, reply::Reply};

/// Alive, unless it is shutting down.
pub(super) fn live(uri: &Uri, drain: &Drain) -> Reply {
    let checks = [("ping", true), ("shutdown", !drain.is_draining())];
    answer("livez", uri, &checks)
}

/// Ready once a configuration was applied, until it is shutting down.
pub(super) fn ready(uri: &Uri, drain: &Drain, config: &Snapshot) -> Reply {
    let checks = [
        ("shutdown", !drain.is_draining()),
        ("config", config.is_loaded()),
    ];
    answer("readyz", uri, &checks)
}

fn answer(name: &str, uri: &Uri, checks: &[(&str, bool)]) -> Reply {
    let passed = checks.iter().all(|(_, ok)| *ok);
    let verbose = uri.query().is_some_and(|query| {
        query
            .split('&')
            .any(|pair| pair.split('=').next() == Some("verbose"))
    });
    let body = if passed && !verbose {
        "ok".to_owned()
    } else {
        let mut lines: Vec<String> = checks
            .iter()
            .map(|(check, ok)| match ok {
                true => format!("[+]{check} ok"),
                false => format!("[-]{check} failed: reason withheld"),
            })
            .collect();
        lines.push(match passed {
            true => format!("{name} check passed\n"),
            false => format!("{name} check failed"),
        });
        lines.join("\n")
    };
    let status = match passed {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut reply = Reply::new(status, "text/plain; charset=utf-8", body);
    reply
        .headers_mut()
        .insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply
}
