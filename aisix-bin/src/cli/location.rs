//! Where resources are, as it is said on the command line.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::settings::{self, Settings};

/// The password of etcd's user is in this variable unless another is named.
const PASSWORD: &str = "ETCD_PASSWORD";

/// Where resources are.
#[derive(Clone, Debug)]
pub(super) enum Location {
    /// A resources file.
    File(PathBuf),
    /// The data directory of an embedded store.
    Directory(PathBuf),
    /// etcd.
    Etcd(Address),
    /// The etcd of a configuration.
    Configured(Box<settings::Etcd>),
}

/// Where etcd is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// Its members, as URLs.
    pub(super) endpoints: Vec<String>,
    pub(super) prefix: String,
    pub(super) user: Option<String>,
}

/// How etcd is met where the location does not say it.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "etcd")]
pub(super) struct EtcdFlags {
    /// The user; also `etcd://USER@…`.
    #[arg(long, value_name = "USER")]
    pub(super) etcd_user: Option<String>,
    /// The environment variable that holds the user's password.
    #[arg(long, value_name = "VARIABLE", default_value = PASSWORD)]
    pub(super) etcd_password_env: String,
    /// Certificates to believe, as PEM. Default: those of `etcd.tls` in the configuration, else the
    /// system's.
    #[arg(long, value_name = "FILE")]
    pub(super) etcd_ca: Option<PathBuf>,
    /// The certificate to show, as PEM.
    #[arg(long, value_name = "FILE", requires = "etcd_key")]
    pub(super) etcd_cert: Option<PathBuf>,
    /// Its key, as PEM.
    #[arg(long, value_name = "FILE", requires = "etcd_cert")]
    pub(super) etcd_key: Option<PathBuf>,
    /// The name that etcd's certificate has. Default: the endpoint's host.
    #[arg(long, value_name = "NAME")]
    pub(super) etcd_domain: Option<String>,
}

// === impl Location ===

impl Location {
    /// Reads a location.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        for (scheme, http) in [("etcd://", "http"), ("etcds://", "https")] {
            if let Some(rest) = text.strip_prefix(scheme) {
                return Address::parse(rest, http)
                    .map(Self::Etcd)
                    .map_err(|why| format!("{} {why}", without_credentials(text)));
            }
        }
        let path = Path::new(text);
        let extension = path.extension().and_then(|it| it.to_str());
        let is_named_as_file = matches!(extension, Some("yaml" | "yml" | "json"));
        if path.is_dir() || text.ends_with('/') {
            Ok(Self::Directory(path.to_owned()))
        } else if is_named_as_file || path.is_file() {
            Ok(Self::File(path.to_owned()))
        } else {
            Err(format!(
                "{text} does not exist: a location is a file (.yaml, .yml, .json), a data directory (with a \
                 slash at its end if it is to be made), or etcd://HOST:PORT/PREFIX"
            ))
        }
    }

    /// The location that the configuration says, or that there is without one.
    pub(super) fn configured(config: Option<&Path>) -> Result<Self, String> {
        let settings = settings_of(config)?;
        Ok(match (settings.etcd, settings.resources_file) {
            (Some(etcd), _) => Self::Configured(Box::new(etcd)),
            (None, Some(file)) => Self::File(file),
            (None, None) => Self::Directory(settings.data_dir),
        })
    }
}

/// The settings of a process with this configuration.
pub(super) fn settings_of(config: Option<&Path>) -> Result<Settings, String> {
    let settings = match config {
        Some(path) => Settings::load(path, std::env::vars()),
        None => Settings::local(std::env::vars()),
    };
    let (settings, _) = settings.map_err(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        errors.join("\n")
    })?;
    Ok(settings)
}

// === impl Address ===

impl Address {
    /// The contract's form: endpoints and a prefix.
    pub(super) fn of(endpoints: Vec<String>, prefix: &str) -> Self {
        Self {
            endpoints,
            prefix: prefix.to_owned(),
            user: None,
        }
    }

    /// Reads `[user@]host:port[,host:port…][/prefix]`.
    fn parse(text: &str, scheme: &str) -> Result<Self, String> {
        let (authority, path) = text.split_once('/').unwrap_or((text, ""));
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (Some(user.to_owned()), hosts),
            None => (None, authority),
        };
        if user.as_deref().is_some_and(|user| user.contains(':')) {
            return Err(format!(
                "holds a password, which others on this machine can see: put it into the environment variable \
                 {PASSWORD}"
            ));
        }
        let endpoints: Vec<String> = hosts
            .split(',')
            .filter(|host| !host.is_empty())
            .map(|host| match has_port(host) {
                true => format!("{scheme}://{host}"),
                false => format!("{scheme}://{host}:2379"),
            })
            .collect();
        if endpoints.is_empty() {
            return Err("names no host".to_owned());
        }
        let prefix = match path.trim_matches('/') {
            "" => "/aisix".to_owned(),
            path => format!("/{path}"),
        };
        Ok(Self {
            endpoints,
            prefix,
            user,
        })
    }
}

fn has_port(host: &str) -> bool {
    let port = host.rsplit_once(':').map(|(_, port)| port);
    port.is_some_and(|port| port.parse::<u16>().is_ok())
}

/// A location as it may be shown.
fn without_credentials(text: &str) -> String {
    match (text.find("://"), text.find('@')) {
        (Some(scheme), Some(at)) => format!("{}…{}", &text[..scheme + 3], &text[at..]),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Result<Address, String> {
        match Location::parse(text)? {
            Location::Etcd(address) => Ok(address),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn etcd_is_read_with_user_members_and_prefix() {
        for (text, endpoints, prefix, user) in [
            ("etcd://a", "http://a:2379", "/aisix", None),
            ("etcd://a:1,b:2/", "http://a:1 http://b:2", "/aisix", None),
            ("etcds://me@a:1/x/y/", "https://a:1", "/x/y", Some("me")),
            ("etcd://[::1]:1/p", "http://[::1]:1", "/p", None),
        ] {
            let address = address(text).unwrap();
            assert_eq!(address.endpoints.join(" "), endpoints);
            assert_eq!(address.prefix, prefix);
            assert_eq!(address.user.as_deref(), user);
        }
    }

    #[test]
    fn what_is_no_location_is_said_without_a_password() {
        let said = address("etcd://me:hidden@a:1/p").unwrap_err();
        assert!(
            said.contains("ETCD_PASSWORD") && !said.contains("hidden"),
            "{said}"
        );
        assert!(address("etcd:///p").unwrap_err().contains("names no host"));
        assert!(
            Location::parse("/nowhere/at-all")
                .unwrap_err()
                .contains("does not exist")
        );
    }

    #[test]
    fn files_and_directories_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let plain = directory.path().join("plain");
        std::fs::write(&plain, "").unwrap();
        let parse = |text: &str| Location::parse(text).unwrap();
        let is_file = |text: &str| matches!(parse(text), Location::File(_));
        let is_directory = |text: &str| matches!(parse(text), Location::Directory(_));
        assert!(is_file("nowhere.yaml") && is_file("nowhere.yml") && is_file("x/nowhere.json"));
        assert!(is_file(&plain.display().to_string()));
        assert!(is_directory("nowhere/") && is_directory(&directory.path().display().to_string()));
    }
}
