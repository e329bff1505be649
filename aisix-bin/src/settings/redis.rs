//! Redis, which several processes share.

use aisix_core::config::Secret;

use super::{block::Block, upstream::UpstreamTls};

/// A Redis block: where it is, and who we are.
#[derive(Clone, Debug)]
pub(crate) struct Redis {
    /// `mode`, and what belongs to it.
    pub(crate) server: RedisServer,
    /// `username`: instead of what a URL says. Default: none.
    pub(crate) username: Option<String>,
    /// `password`: instead of what a URL says. Default: none.
    pub(crate) password: Option<Secret>,
    /// `database`: its number, instead of what a URL says. Default: 0.
    pub(crate) database: Option<u32>,
    /// `tls`: certificates, for `rediss://`.
    pub(crate) tls: UpstreamTls,
}

/// `mode`: what kind of servers there are. Default: single.
#[derive(Clone, Debug)]
pub(crate) enum RedisServer {
    /// `url`: one server.
    Single(Secret),
    /// `nodes`: some nodes of a cluster.
    Cluster(Vec<Secret>),
    /// `sentinels` and `master_name`: the master that sentinels agree on.
    Sentinel(Vec<Secret>, String),
}

// === impl Redis ===

impl Redis {
    /// `None` after an error was noted.
    pub(super) fn read(mut block: Block<'_>) -> Option<Self> {
        let mode = block.get("mode", "single".to_owned());
        let database = block.find("database");
        let server = match mode.as_str() {
            "single" => {
                block.accept(&["nodes", "sentinels", "master_name"]);
                block
                    .require("url")
                    .map(|url: String| RedisServer::Single(Secret::new(url)))
            }
            "cluster" => {
                block.accept(&["url", "sentinels", "master_name"]);
                if database.is_some_and(|database| database != 0) {
                    block.error("database", "must be 0 in a cluster");
                }
                addresses(&mut block, "nodes").map(RedisServer::Cluster)
            }
            "sentinel" => {
                block.accept(&["url", "nodes"]);
                let sentinels = addresses(&mut block, "sentinels");
                let name = block.require("master_name");
                sentinels
                    .zip(name)
                    .map(|(sentinels, name)| RedisServer::Sentinel(sentinels, name))
            }
            _ => {
                block.accept(&["url", "nodes", "sentinels", "master_name"]);
                block.error("mode", "must be `single`, `cluster` or `sentinel`");
                None
            }
        };
        let (username, password) = (block.find("username"), block.find::<String>("password"));
        let tls = UpstreamTls::read(block.block("tls"));
        block.later("timeout_secs");
        block.finish();
        server.map(|server| Self {
            server,
            username,
            password: password.map(Secret::new),
            database,
            tls,
        })
    }
}

/// Reads a list of servers, which must not be empty.
fn addresses(block: &mut Block<'_>, name: &'static str) -> Option<Vec<Secret>> {
    let addresses = block.list::<String>(name).unwrap_or_default();
    if addresses.is_empty() {
        block.error(name, "must name at least one server");
        return None;
    }
    Some(addresses.into_iter().map(Secret::new).collect())
}
