//! etcd, which holds the resources of a cluster.

use std::{env, path::PathBuf, time::Duration};

use aisix_core::config::Secret;

use super::{block::Block, value::Millis};

/// `etcd`: where the resources of a cluster are.
#[derive(Clone, Debug)]
#[cfg_attr(
    not(feature = "etcd"),
    allow(
        dead_code,
        reason = "checked in every build, used where etcd is built in"
    )
)]
pub(crate) struct Etcd {
    /// `etcd.endpoints`: its members.
    pub(crate) endpoints: Vec<String>,
    /// `etcd.prefix`: what resources stand below. Default: `/aisix`.
    pub(crate) prefix: String,
    /// `etcd.env_id`: a part of the prefix of its own. Default: none.
    pub(crate) env_id: String,
    /// `etcd.user` and the password in the variable that `etcd.password_env` names. Default: none.
    pub(crate) user: Option<(String, Secret)>,
    /// `etcd.dial_timeout_ms`: the time to connect. Default: 5 s.
    pub(crate) connect_timeout: Duration,
    /// `etcd.request_timeout_ms`: the time for an answer. Default: 5 s.
    pub(crate) request_timeout: Duration,
    /// `etcd.tls`: certificates. Default: none.
    pub(crate) tls: Option<EtcdTls>,
}

/// `etcd.tls`: certificates towards etcd.
#[derive(Clone, Debug)]
#[cfg_attr(
    not(feature = "etcd"),
    allow(
        dead_code,
        reason = "checked in every build, used where etcd is built in"
    )
)]
pub(crate) struct EtcdTls {
    /// `etcd.tls.ca_cert_file`: whom to believe.
    pub(crate) ca_file: PathBuf,
    /// `etcd.tls.client_cert_file`: what is shown.
    pub(crate) cert_file: PathBuf,
    /// `etcd.tls.client_key_file`: its key.
    pub(crate) key_file: PathBuf,
    /// `etcd.tls.domain_name`: the name that etcd's certificate has. Default: the endpoint's host.
    pub(crate) domain_name: Option<String>,
}

// === impl Etcd ===

impl Etcd {
    /// `None` when no endpoints are named.
    pub(super) fn read(mut block: Block<'_>) -> Option<Self> {
        let endpoints: Vec<String> = block.list("endpoints").unwrap_or_default();
        for (index, _) in endpoints
            .iter()
            .enumerate()
            .filter(|(_, endpoint)| endpoint.trim().is_empty())
        {
            block.element_error("endpoints", index, "must not be empty");
        }
        let time = |Millis(time)| time.unwrap_or(DEFAULT_TIME);
        let etcd = Self {
            prefix: block.get("prefix", "/aisix".to_owned()),
            env_id: block.get("env_id", String::new()),
            connect_timeout: time(block.get("dial_timeout_ms", Millis(None))),
            request_timeout: time(block.get("request_timeout_ms", Millis(None))),
            user: user(&mut block, !endpoints.is_empty()),
            tls: EtcdTls::read(block.block("tls")),
            endpoints,
        };
        block.finish();
        (!etcd.endpoints.is_empty()).then_some(etcd)
    }
}

const DEFAULT_TIME: Duration = Duration::from_secs(5);

fn user(block: &mut Block<'_>, is_used: bool) -> Option<(String, Secret)> {
    let user: Option<String> = block.find("user");
    let variable: Option<String> = block.find("password_env");
    match (user, variable) {
        (None, None) => None,
        (Some(_), None) => {
            block.error("password_env", "is required beside `etcd.user`");
            None
        }
        (None, Some(_)) => {
            block.error("user", "is required beside `etcd.password_env`");
            None
        }
        (Some(user), Some(variable)) => match env::var(&variable) {
            Ok(password) => Some((user, Secret::new(password))),
            Err(_) if !is_used => None,
            Err(_) => {
                let message = "names an environment variable that is not set";
                block.error("password_env", message);
                None
            }
        },
    }
}

// === impl EtcdTls ===

impl EtcdTls {
    fn read(mut block: Block<'_>) -> Option<Self> {
        let is_there = !block.is_empty();
        let tls = is_there.then(|| {
            let (ca, cert) = (
                block.require("ca_cert_file"),
                block.require("client_cert_file"),
            );
            let key = block.require("client_key_file");
            let domain_name = block.find("domain_name");
            Some(Self {
                ca_file: ca?,
                cert_file: cert?,
                key_file: key?,
                domain_name,
            })
        });
        block.finish();
        tls.flatten()
    }
}
