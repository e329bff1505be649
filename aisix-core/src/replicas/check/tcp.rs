//! Asking by a connection.

use ::http::Uri;
use tokio::net::TcpStream;

use super::probe::{Bad, Found};
use crate::{balance::health::Reason, replicas::Replica};

/// Connects once, and hangs up.
pub(super) async fn ask(replica: &Replica) -> Found {
    let (host, port) = place(&replica.base_url).ok_or_else(|| Bad::of(Reason::TransportError))?;
    match TcpStream::connect((host.as_str(), port)).await {
        Ok(_) => Ok(None),
        Err(_) => Err(Bad::of(Reason::TransportError)),
    }
}

/// Host and port of a base URL.
fn place(url: &str) -> Option<(String, u16)> {
    let url: Uri = url.parse().ok()?;
    let usual = match url.scheme_str() {
        Some("https") => 443,
        _ => 80,
    };
    // An address of version 6 is in brackets there, and only there.
    let host = url.host()?.trim_matches(['[', ']']).to_owned();
    Some((host, url.port_u16().unwrap_or(usual)))
}
