//! Asking the node that runs.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use aisix_core::{body::Body, config::Secret};
use aisix_providers::http::{Client, Settings as ClientSettings};
use anyhow::Context;
use http::{
    Request, Response, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use http_body_util::{BodyExt, Limited};
use serde_json::Value;
use tokio::{net::TcpStream, time::timeout};
use tower::ServiceExt;

use super::{
    arguments::Asked,
    text::{Place, Told},
};
use crate::settings::{Admin, Settings};

/// Holds an admin key of the node.
const ADMIN_KEY_VARIABLE: &str = "AISIX_ADMIN_KEY";
/// How long the node may take to be there.
const CONNECT: Duration = Duration::from_secs(2);
/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(30);
/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// Asks the node whose admin listener the settings name; `None` when nobody listens there.
///
/// # Errors
///
/// When who listens there does not explain.
pub(super) async fn explain(settings: &Settings, asked: &Asked) -> anyhow::Result<Option<Told>> {
    let Some(admin) = &settings.admin else {
        return Ok(None);
    };
    let addr = reachable(admin.addr);
    if !matches!(timeout(CONNECT, TcpStream::connect(addr)).await, Ok(Ok(_))) {
        return Ok(None);
    }
    let url = match admin.tls {
        // What certificates are made out to.
        Some(_) if addr.ip().is_loopback() => format!("https://localhost:{}", addr.port()),
        Some(_) => format!("https://{addr}"),
        None => format!("http://{addr}"),
    };
    let key = key(admin).with_context(|| {
        format!("a node answers at {url} and wants an admin key: set {ADMIN_KEY_VARIABLE}")
    })?;
    let answer = timeout(ANSWER, ask(admin, &url, &key, asked)).await;
    let answer = answer.with_context(|| format!("the node at {url} does not answer"))?;
    let (status, text) = answer.with_context(|| format!("the node at {url} cannot be asked"))?;
    read(status, &text, &url).map(Some)
}

/// An address that means every one is reached by this machine's own.
fn reachable(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}

fn key(admin: &Admin) -> Option<Secret> {
    let given = std::env::var(ADMIN_KEY_VARIABLE).ok();
    let given = given.map(|key| Secret::new(key.trim()));
    given.or_else(|| admin.keys.first().cloned())
}

async fn ask(
    admin: &Admin,
    url: &str,
    key: &Secret,
    asked: &Asked,
) -> anyhow::Result<(StatusCode, String)> {
    let client = Client::new(ClientSettings {
        connect_timeout: Some(CONNECT),
        ca_file: admin.tls.as_ref().map(|tls| tls.cert_file.clone()),
        proxy_from_env: false,
        ..ClientSettings::default()
    })?;
    let request = Request::post(format!("{url}/aisix/admin/explain"))
        .header(AUTHORIZATION, format!("Bearer {}", key.expose()))
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(asked.to_json().to_string()))?;
    let response: Response<Body> = client.oneshot(request).await.map_err(|error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        anyhow::anyhow!(cause.unwrap_or_else(|| error.to_string()))
    })?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_ANSWER)
        .collect()
        .await;
    let body = body.map_err(|error| anyhow::anyhow!("{error}"))?.to_bytes();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

fn read(status: StatusCode, text: &str, url: &str) -> anyhow::Result<Told> {
    let answer: Value = serde_json::from_str(text).unwrap_or_default();
    if status == StatusCode::UNAUTHORIZED {
        anyhow::bail!("the node at {url} knows another admin key: set {ADMIN_KEY_VARIABLE}");
    }
    if let Some(message) = answer["error_msg"].as_str() {
        anyhow::bail!("{message}");
    }
    if status != StatusCode::OK || !answer["outcome"]["sent"].is_boolean() {
        anyhow::bail!("what answers at {url} does not explain: {status}");
    }
    Ok(Told {
        explanation: answer,
        place: Place::Node(url.to_owned()),
    })
}
