//! Where Redis is, and how it is asked.

use std::{fmt, path::PathBuf, time::Duration};

use aisix_core::config::Secret;

/// Where Redis is, who we are to it, and how long it may take.
#[derive(Clone, Debug)]
pub struct Access {
    /// The servers.
    pub server: Server,
    /// Who we are to Redis, instead of what a URL says. Default: nobody.
    pub username: Option<String>,
    /// Our password, instead of what a URL says. Default: none.
    pub password: Option<Secret>,
    /// The number of the database, instead of what a URL says. Default: 0. A cluster has only 0.
    pub database: Option<u32>,
    /// Certificates, for servers whose URL begins with `rediss://`.
    pub tls: Tls,
    /// The time for an answer. A longer silence is taken for a loss. Default: 500 ms.
    pub answer_timeout: Duration,
    /// The time to connect, TLS included. Default: 1 s.
    pub connect_timeout: Duration,
}

/// The servers, as URLs such as `redis://host:6379`, or as `host:port`.
#[derive(Clone)]
pub enum Server {
    /// One server.
    Single {
        /// Its URL, which may hold a user, a password and a database.
        url: Secret,
    },
    /// The nodes of a Redis Cluster.
    Cluster {
        /// Some of them; the others are found through these.
        nodes: Vec<Secret>,
    },
    /// The master that sentinels agree on.
    Sentinel {
        /// The sentinels. The credentials in the first URL are for all of them.
        sentinels: Vec<Secret>,
        /// What they call the master.
        master_name: String,
    },
}

/// Certificates towards Redis. Files are read when what uses them is made.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Certificates in PEM that are trusted instead of those of the system. Default: none.
    pub ca_file: Option<PathBuf>,
    /// The certificate that Redis is shown, and its key, in PEM. Default: none.
    pub client_cert: Option<(PathBuf, PathBuf)>,
    /// Whether the certificates of servers are verified. Default: true.
    pub verify: bool,
}

/// Why Redis cannot be asked with these settings. Repeats no address and no credential.
#[derive(Debug)]
pub struct Invalid(pub(super) String);

// === impl Access ===

impl Access {
    /// The defaults for these servers.
    pub fn new(server: Server) -> Self {
        Self {
            server,
            username: None,
            password: None,
            database: None,
            tls: Tls::default(),
            answer_timeout: Duration::from_millis(500),
            connect_timeout: Duration::from_secs(1),
        }
    }
}

// === impl Server ===

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Single { .. } => "Single",
            Self::Cluster { .. } => "Cluster",
            Self::Sentinel { .. } => "Sentinel",
        })
    }
}

// === impl Tls ===

impl Default for Tls {
    fn default() -> Self {
        Self {
            ca_file: None,
            client_cert: None,
            verify: true,
        }
    }
}

// === impl Invalid ===

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Invalid {}
