//! The bootstrap settings: what a process needs before it has any resources.
//!
//! They come from one file, and `AISIX_A__B` variables override its key `a.b`. Everything that is
//! wrong is reported at once. What a later version serves is refused with a word; variables without
//! effect, and keys that only later revisions know, are warnings.

mod admin;
mod block;
mod cache;
mod downstream;
mod env;
mod etcd;
mod file;
mod first;
mod later;
mod load;
mod managed;
mod metrics;
mod observability;
mod problem;
mod proxy;
mod ratelimit;
mod redis;
mod rewrite;
mod shutdown;
mod upstream;
mod value;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub(crate) use self::{
    admin::Admin,
    etcd::Etcd,
    problem::Warning,
    proxy::ServerTls,
    redis::{Redis, RedisServer},
    rewrite::UrlRewrite,
};
use self::{
    cache::Cache, downstream::Downstream, observability::Observability, proxy::Proxy,
    ratelimit::Ratelimit, shutdown::Shutdown, upstream::Upstream,
};

/// The bootstrap settings of a process.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// `resources_file`: the file of resources. Default: none, they are kept in `data_dir`.
    pub(crate) resources_file: Option<PathBuf>,
    /// `etcd`: where the resources of a cluster are. Default: none.
    pub(crate) etcd: Option<Etcd>,
    /// `managed.snapshot_cache_path`: the file in which the last known resources of a cluster are kept.
    /// Default: none.
    #[cfg_attr(
        not(feature = "etcd"),
        allow(
            dead_code,
            reason = "checked in every build, used where etcd is built in"
        )
    )]
    pub(crate) snapshot_cache_path: Option<PathBuf>,
    /// `data_dir`: the directory of the embedded store. Default: `aisix-data`.
    pub(crate) data_dir: PathBuf,
    /// `admin`: the listener for administrators, if there is one.
    pub(crate) admin: Option<Admin>,
    /// `proxy`: the listener for callers.
    pub(crate) proxy: Proxy,
    /// `observability`: logs and metrics.
    pub(crate) observability: Observability,
    /// `upstream`: what holds for every upstream.
    pub(crate) upstream: Upstream,
    /// `downstream`: what holds for every caller.
    pub(crate) downstream: Downstream,
    /// `cache`: where caches can keep answers besides memory.
    pub(crate) cache: Cache,
    /// `ratelimit`: where limits are counted.
    pub(crate) ratelimit: Ratelimit,
    /// `shutdown`: how the process ends.
    pub(crate) shutdown: Shutdown,
}
