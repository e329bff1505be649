//! The listener for administrators.

use std::net::{Ipv4Addr, SocketAddr};

use aisix_core::config::Secret;

use super::{block::Block, proxy::ServerTls};

/// `admin`: the listener for administrators.
#[derive(Clone, Debug)]
pub(crate) struct Admin {
    /// `admin.addr`: where to listen. Default: `127.0.0.1:3001`.
    pub(crate) addr: SocketAddr,
    /// `admin.admin_keys`: who may administer. Default: none; with the embedded store, one is made up.
    pub(crate) keys: Vec<Secret>,
    /// `admin.tls`: the certificate to show. Default: none, plain HTTP.
    pub(crate) tls: Option<ServerTls>,
}

// === impl Admin ===

impl Admin {
    /// `None` when it is switched off: by `admin.enabled`, or because resources come from a file
    /// or from etcd and nothing is said.
    pub(super) fn read(mut block: Block<'_>, is_elsewhere: bool) -> Option<Self> {
        let is_wanted = !is_elsewhere || !block.is_empty();
        let is_enabled = block.get("enabled", is_wanted);
        let addr = block.get("addr", SocketAddr::from((Ipv4Addr::LOCALHOST, 3001)));
        let keys: Vec<String> = block.list("admin_keys").unwrap_or_default();
        let tls = ServerTls::read(block.block("tls"));
        for (index, _) in keys
            .iter()
            .enumerate()
            .filter(|(_, key)| key.trim().is_empty())
        {
            block.element_error("admin_keys", index, "must not be empty");
        }
        if is_enabled && is_elsewhere && keys.is_empty() {
            let message = "needs at least one key; or set `admin.enabled` to false";
            block.error("admin_keys", message);
        }
        block.finish();
        let keys = keys.iter().map(|key| Secret::new(key.trim())).collect();
        is_enabled.then_some(Self { addr, keys, tls })
    }
}
