//! How Redis is asked, for all that is shared there.

use aisix_hooks::redis_access::{Access, Server, Tls};

use crate::settings::{Redis, RedisServer, Settings};

/// What the settings say about a Redis.
pub(crate) fn access(redis: &Redis) -> Access {
    let server = match redis.server.clone() {
        RedisServer::Single(url) => Server::Single { url },
        RedisServer::Cluster(nodes) => Server::Cluster { nodes },
        RedisServer::Sentinel(sentinels, master_name) => Server::Sentinel {
            sentinels,
            master_name,
        },
    };
    let client = redis.tls.client.clone();
    Access {
        username: redis.username.clone(),
        password: redis.password.clone(),
        database: redis.database,
        tls: Tls {
            ca_file: redis.tls.ca_file.clone(),
            client_cert: client.map(|client| (client.cert_file, client.key_file)),
            verify: redis.tls.verify,
        },
        ..Access::new(server)
    }
}

/// What keys begin with: each environment in etcd has its own.
pub(crate) fn prefix(base: &str, settings: &Settings) -> String {
    let etcd = settings.etcd.as_ref();
    match etcd.filter(|etcd| !etcd.env_id.is_empty()) {
        Some(etcd) => format!("{base}:{}", etcd.env_id),
        None => base.to_owned(),
    }
}
