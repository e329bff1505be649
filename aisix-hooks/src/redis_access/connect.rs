//! Connections to one server, to a cluster, or to the master that sentinels name.

use std::{fs, path::Path, time::Duration};

use aisix_core::config::Secret;
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, Cmd, ConnectionAddr, ConnectionInfo,
    FromRedisValue, IntoConnectionInfo, RedisError, RedisResult, ScriptInvocation, TlsCertificates,
    TlsMode,
    aio::MultiplexedConnection,
    cluster::{ClusterClient, ClusterClientBuilder},
    cluster_async::ClusterConnection,
    cluster_routing::{MultipleNodeRoutingInfo, ResponsePolicy, RoutingInfo},
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};

use super::settings::{Access, Invalid, Server, Tls};

/// Keys that are tried in a cluster before it is taken to be there: of ten servers, one is missed once in a thousand
/// times.
const PLACES: usize = 64;

/// How connections are made.
pub(crate) struct Connector {
    target: Target,
    config: AsyncConnectionConfig,
    timeout: Duration,
}

enum Target {
    Single(Box<Client>),
    Cluster(Box<ClusterClient>),
    Sentinel(Box<SentinelClient>),
}

/// A connection. Clones share it, and what they ask is sent in the order in which it was asked.
#[derive(Clone)]
pub(crate) enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

// === impl Connector ===

impl Connector {
    pub(crate) fn new(access: &Access) -> Result<Self, Invalid> {
        let target = match &access.server {
            Server::Single { url } => Target::Single(Box::new(single(url, access)?)),
            Server::Cluster { nodes } => Target::Cluster(Box::new(cluster(nodes, access)?)),
            Server::Sentinel {
                sentinels,
                master_name,
            } => Target::Sentinel(Box::new(sentinel(sentinels, master_name, access)?)),
        };
        // Times are kept by whoever asks.
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_connection_timeout(Some(access.connect_timeout));
        Ok(Self {
            target,
            config,
            timeout: access.connect_timeout,
        })
    }

    /// Connects within the time for it; sentinels have as much time again to name the master.
    pub(crate) async fn connect(&mut self) -> RedisResult<Connection> {
        let (target, config) = (&mut self.target, &self.config);
        let connecting = async {
            match target {
                Target::Single(client) => client
                    .get_multiplexed_async_connection_with_config(config)
                    .await
                    .map(Connection::One),
                Target::Cluster(client) => {
                    client.get_async_connection().await.map(Connection::Cluster)
                }
                Target::Sentinel(client) => client
                    .get_async_connection_with_config(config)
                    .await
                    .map(Connection::One),
            }
        };
        tokio::time::timeout(self.timeout * 2, connecting)
            .await
            .unwrap_or_else(|_| Err(silent()))
    }
}

fn single(url: &Secret, access: &Access) -> Result<Client, Invalid> {
    let info = info(url, access)?;
    let made = match certificates(&info, &access.tls)? {
        Some(certificates) => Client::build_with_tls(info, certificates),
        None => Client::open(info),
    };
    made.map_err(unusable)
}

fn cluster(nodes: &[Secret], access: &Access) -> Result<ClusterClient, Invalid> {
    let nodes = nodes.iter().map(|node| info(node, access));
    let nodes: Vec<_> = nodes.collect::<Result<_, _>>()?;
    let certificates = nodes.first().map(|node| certificates(node, &access.tls));
    let mut builder = ClusterClientBuilder::new(nodes)
        .retries(2)
        .connection_timeout(access.connect_timeout)
        .response_timeout(access.answer_timeout);
    if let Some(certificates) = certificates.transpose()?.flatten() {
        builder = builder.certs(certificates).tls(tls_mode(&access.tls));
    }
    builder.build().map_err(unusable)
}

fn sentinel(
    sentinels: &[Secret],
    master_name: &str,
    access: &Access,
) -> Result<SentinelClient, Invalid> {
    let infos = sentinels.iter().map(parse);
    let infos: Vec<_> = infos.collect::<Result<_, _>>()?;
    let first = infos
        .first()
        .ok_or_else(|| Invalid("no sentinel is named".to_owned()))?;
    let (certificates, theirs) = (
        certificates(first, &access.tls)?,
        first.redis_settings().clone(),
    );
    let addresses = infos.iter().map(|info| info.addr().clone());
    let mut builder =
        SentinelClientBuilder::new(addresses, master_name, SentinelServerType::Master)
            .map_err(unusable)?;
    if let Some(certificates) = certificates {
        let mode = tls_mode(&access.tls);
        builder = builder
            .set_client_to_sentinel_tls_mode(mode)
            .set_client_to_sentinel_certificates(certificates.clone())
            .set_client_to_redis_tls_mode(mode)
            .set_client_to_redis_certificates(certificates);
    }
    if let Some(username) = theirs.username() {
        builder = builder.set_client_to_sentinel_username(username);
    }
    if let Some(password) = theirs.password() {
        builder = builder.set_client_to_sentinel_password(password);
    }
    if let Some(username) = &access.username {
        builder = builder.set_client_to_redis_username(username);
    }
    if let Some(password) = &access.password {
        builder = builder.set_client_to_redis_password(password.expose());
    }
    if let Some(database) = access.database {
        builder = builder.set_client_to_redis_db(database.into());
    }
    builder.build().map_err(unusable)
}

/// Reads an address.
fn parse(url: &Secret) -> Result<ConnectionInfo, Invalid> {
    let text = match url.expose() {
        text if text.contains("://") => text.to_owned(),
        text => format!("redis://{text}"),
    };
    let info = text.as_str().into_connection_info().map_err(unusable)?;
    match info.addr() {
        ConnectionAddr::Unix(_) => Err(Invalid("an address is not one of TCP".to_owned())),
        _ => Ok(info),
    }
}

/// Reads the address of a server, with what the settings say besides.
fn info(url: &Secret, access: &Access) -> Result<ConnectionInfo, Invalid> {
    let mut info = parse(url)?;
    let mut login = info.redis_settings().clone();
    if let Some(username) = &access.username {
        login = login.set_username(username);
    }
    if let Some(password) = &access.password {
        login = login.set_password(password.expose());
    }
    if let Some(database) = access.database {
        login = login.set_db(database.into());
    }
    if let ConnectionAddr::TcpTls { host, port, .. } = info.addr() {
        let address = ConnectionAddr::TcpTls {
            host: host.clone(),
            port: *port,
            insecure: !access.tls.verify,
            tls_params: None,
        };
        info = info.set_addr(address);
    }
    Ok(info.set_redis_settings(login))
}

/// The certificates for a server that speaks TLS.
fn certificates(info: &ConnectionInfo, tls: &Tls) -> Result<Option<TlsCertificates>, Invalid> {
    if !matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
        return Ok(None);
    }
    let client = tls.client_cert.as_ref().map(|(cert, key)| {
        Ok(ClientTlsConfig {
            client_cert: read(cert)?,
            client_key: read(key)?,
        })
    });
    Ok(Some(TlsCertificates {
        client_tls: client.transpose()?,
        root_cert: tls.ca_file.as_deref().map(read).transpose()?,
    }))
}

fn tls_mode(tls: &Tls) -> TlsMode {
    match tls.verify {
        true => TlsMode::Secure,
        false => TlsMode::Insecure,
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Invalid> {
    fs::read(path).map_err(|error| Invalid(format!("cannot read {}: {error}", path.display())))
}

fn unusable(error: RedisError) -> Invalid {
    Invalid(format!("the settings of Redis cannot be used: {error}"))
}

/// Nothing came in time.
pub(crate) fn silent() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}

// === impl Connection ===

impl Connection {
    /// Runs a script.
    pub(crate) async fn run<T: FromRedisValue>(
        mut self,
        script: ScriptInvocation<'_>,
    ) -> RedisResult<T> {
        match &mut self {
            Self::One(connection) => script.invoke_async(connection).await,
            Self::Cluster(connection) => script.invoke_async(connection).await,
        }
    }

    /// How many keys are to be tried before all servers count as reached. Right after one of a cluster has died, the
    /// others still say that all is well.
    pub(crate) fn places(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Cluster(_) => PLACES,
        }
    }

    /// Asks for one thing.
    pub(crate) async fn query<T: FromRedisValue>(mut self, asked: &Cmd) -> RedisResult<T> {
        match &mut self {
            Self::One(connection) => asked.query_async(connection).await,
            Self::Cluster(connection) => asked.query_async(connection).await,
        }
    }

    /// Asks all servers that may be asked for a sign of life.
    pub(crate) async fn ping(mut self) -> RedisResult<()> {
        let mut ping = Cmd::new();
        ping.arg("PING");
        match &mut self {
            Self::One(connection) => ping.query_async(connection).await,
            Self::Cluster(connection) => {
                let everywhere = RoutingInfo::MultiNode((
                    MultipleNodeRoutingInfo::AllMasters,
                    Some(ResponsePolicy::AllSucceeded),
                ));
                connection.route_command(ping, everywhere).await.map(drop)
            }
        }
    }
}
