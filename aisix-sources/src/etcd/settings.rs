//! Where etcd is, and how long it may take.

use std::{fmt, path::PathBuf, time::Duration};

use aisix_core::config::Secret;

/// How to reach etcd.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Addresses of members, such as `http://127.0.0.1:2379`. They are tried one after the other. Without a
    /// scheme it is `https` where there is TLS, and `http` otherwise.
    pub endpoints: Vec<String>,
    /// Where documents stand. Default: `/aisix`.
    pub prefix: String,
    /// A part of the prefix of its own, behind a slash. Default: none.
    pub env_id: String,
    /// User and password, where etcd wants them.
    pub user: Option<(String, Secret)>,
    /// What `https` endpoints are believed by, and what they are shown.
    pub tls: Option<Tls>,
    /// The time to connect, TLS included. Default: 5 s.
    pub connect_timeout: Duration,
    /// The time for an answer. Default: 5 s.
    pub request_timeout: Duration,
    /// How a dead connection is noticed.
    pub keepalive: Keepalive,
    /// Pauses between attempts.
    pub backoff: Backoff,
    /// How many operations etcd takes in one transaction (`--max-txn-ops`). Default: 128. A commit needs
    /// three, and two for each document.
    pub transaction_operations: usize,
}

/// TLS towards etcd.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// Certificates to believe. Default: those of the system.
    pub ca: Option<Pem>,
    /// The certificate that is shown, and its key.
    pub client: Option<(Pem, Pem)>,
    /// The name that the server's certificate must have. Default: the endpoint's host.
    pub domain_name: Option<String>,
}

/// Certificates or a key, as PEM.
#[derive(Clone)]
pub enum Pem {
    /// In a file, which is read again whenever a connection is made.
    File(PathBuf),
    /// Here.
    Bytes(Vec<u8>),
}

/// How a dead connection is noticed: after `interval` of silence etcd is asked for a sign of life, by
/// HTTP/2 and by the watch itself, and given up after `timeout`.
#[derive(Clone, Copy, Debug)]
pub struct Keepalive {
    /// Default: 10 s. By default etcd wants at least 5 s.
    pub interval: Duration,
    /// Default: 5 s.
    pub timeout: Duration,
}

/// Pauses between attempts to connect: they double from `least` to `most`, with jitter, each after all
/// endpoints were tried. They start over when a connection has lasted longer than the last pause.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// Default: 1 s.
    pub least: Duration,
    /// Default: 60 s.
    pub most: Duration,
}

// === impl Settings ===

impl Settings {
    /// Completes what may be left out, or says what cannot work.
    pub(super) fn checked(mut self) -> Result<Self, String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        for endpoint in &mut self.endpoints {
            if !endpoint.contains("://") {
                *endpoint = format!("{scheme}://{endpoint}");
            }
        }
        self.check()?;
        Ok(self)
    }

    fn check(&self) -> Result<(), String> {
        if self.endpoints.is_empty() {
            return Err("no endpoint of etcd is given".to_owned());
        }
        for endpoint in &self.endpoints {
            let is_http = endpoint.starts_with("http://");
            if !is_http && !endpoint.starts_with("https://") {
                return Err(format!(
                    "the etcd endpoint {endpoint:?} must begin with http:// or https://"
                ));
            }
            if is_http && self.tls.is_some() {
                return Err(format!(
                    "TLS is configured, but the etcd endpoint {endpoint:?} is not https"
                ));
            }
            if endpoint.contains('@') {
                return Err("credentials do not belong into an etcd endpoint".to_owned());
            }
        }
        Ok(())
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            endpoints: Vec::new(),
            prefix: "/aisix".to_owned(),
            env_id: String::new(),
            user: None,
            tls: None,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(5),
            keepalive: Keepalive::default(),
            backoff: Backoff::default(),
            transaction_operations: 128,
        }
    }
}

impl Default for Keepalive {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(5),
        }
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            least: Duration::from_secs(1),
            most: Duration::from_secs(60),
        }
    }
}

// === impl Pem ===

impl Pem {
    /// The PEM, read anew from a file.
    pub(super) async fn read(&self) -> Result<Vec<u8>, String> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.clone()),
            Self::File(path) => {
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || {
                    std::fs::read(&path)
                        .map_err(|error| format!("cannot read {}: {error}", path.display()))
                });
                read.await.map_err(|error| error.to_string())?
            }
        }
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Bytes(_) => f.write_str("Bytes(…)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(endpoints: &[&str], tls: Option<Tls>) -> Result<Vec<String>, String> {
        let settings = Settings {
            endpoints: endpoints.iter().map(|it| (*it).to_owned()).collect(),
            tls,
            ..Settings::default()
        };
        Ok(settings.checked()?.endpoints)
    }

    #[test]
    fn a_scheme_may_be_left_out() {
        let some = ["a:1", "http://b:1"];
        assert_eq!(checked(&some, None).unwrap(), ["http://a:1", "http://b:1"]);
        let tls = Some(Tls::default());
        assert_eq!(checked(&["a:1"], tls.clone()).unwrap(), ["https://a:1"]);
        assert!(checked(&some, tls).unwrap_err().contains("is not https"));
    }

    #[test]
    fn what_cannot_work_is_said() {
        assert!(checked(&[], None).is_err());
        assert!(checked(&["ftp://a"], None).is_err());
        let said = checked(&["http://me:secret@a:1"], None).unwrap_err();
        assert!(!said.contains("secret"), "{said}");
    }
}
