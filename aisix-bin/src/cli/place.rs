//! A location, opened.

use std::path::{Path, PathBuf};

use aisix_core::config::{ConfigStore, Entry, store::Mirror};
use aisix_sources::{
    embedded::Embedded,
    file::{self, Held},
};
use anyhow::bail;

use super::location::{EtcdFlags, Location};

/// A location, opened.
pub(super) struct Place {
    /// What it is called in messages.
    pub(super) name: String,
    what: What,
}

enum What {
    File(PathBuf),
    Store(Box<dyn ConfigStore>),
    #[cfg(feature = "etcd")]
    Etcd(aisix_sources::etcd::Etcd),
}

/// What is at a place.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) entries: Vec<Entry>,
    /// What is there and cannot be read.
    pub(super) problems: Vec<String>,
}

/// How places are opened.
#[derive(Clone, Copy)]
pub(super) struct Opening<'o> {
    pub(super) flags: &'o EtcdFlags,
    pub(super) config: Option<&'o Path>,
}

/// What is going to be done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It must be there.
    Read,
    /// It is made if it is not there.
    Write,
    /// Nothing is made; what is not there counts as empty.
    DryRun,
}

// === impl Opening ===

impl Opening<'_> {
    /// Opens the location that is said, or that of the configuration.
    pub(super) fn open(self, said: Option<&str>, purpose: Purpose) -> anyhow::Result<Place> {
        let location = match said {
            Some(text) => Location::parse(text),
            None => Location::configured(self.config),
        };
        self.open_at(location.map_err(anyhow::Error::msg)?, purpose)
    }

    pub(super) fn open_at(self, location: Location, purpose: Purpose) -> anyhow::Result<Place> {
        match location {
            Location::File(path) => Ok(Place {
                name: path.display().to_string(),
                what: What::File(path),
            }),
            Location::Directory(path) => embedded(&path, purpose),
            Location::Etcd(address) => self.etcd(address),
            Location::Configured(etcd) => configured(&etcd),
        }
    }

    #[cfg(feature = "etcd")]
    fn etcd(self, address: super::location::Address) -> anyhow::Result<Place> {
        use aisix_sources::etcd::{Etcd, Settings};

        let is_secure = address
            .endpoints
            .iter()
            .any(|it| it.starts_with("https://"));
        let user = self.flags.etcd_user.clone().or(address.user);
        let name = format!("etcd {}{}", address.endpoints.join(","), address.prefix);
        let store = Etcd::new(Settings {
            user: user.map(|user| self.password(user)).transpose()?,
            tls: self.tls(is_secure)?,
            endpoints: address.endpoints,
            prefix: address.prefix,
            ..Settings::default()
        })?;
        let what = What::Etcd(store);
        Ok(Place { name, what })
    }

    #[cfg(not(feature = "etcd"))]
    fn etcd(self, address: super::location::Address) -> anyhow::Result<Place> {
        let super::location::Address {
            endpoints,
            prefix,
            user: _,
        } = address;
        let endpoints = endpoints.join(",");
        let _ = self.flags;
        bail!("etcd {endpoints}{prefix} needs a build with the feature `etcd`")
    }

    #[cfg(feature = "etcd")]
    fn password(self, user: String) -> anyhow::Result<(String, aisix_core::config::Secret)> {
        let variable = &self.flags.etcd_password_env;
        match std::env::var(variable) {
            Ok(password) => Ok((user, aisix_core::config::Secret::new(password))),
            Err(_) => {
                bail!("the password of {user:?} is expected in the environment variable {variable}")
            }
        }
    }

    /// What the flags say, else what the configuration says.
    #[cfg(feature = "etcd")]
    fn tls(self, is_secure: bool) -> anyhow::Result<Option<aisix_sources::etcd::Tls>> {
        use aisix_sources::etcd::{Pem, Tls};

        let flags = self.flags.clone();
        let said = Tls {
            ca: flags.etcd_ca.map(Pem::File),
            client: flags
                .etcd_cert
                .zip(flags.etcd_key)
                .map(|(cert, key)| (Pem::File(cert), Pem::File(key))),
            domain_name: flags.etcd_domain,
        };
        if said.ca.is_some() || said.client.is_some() || said.domain_name.is_some() {
            return Ok(Some(said));
        }
        if !is_secure || self.config.is_none() {
            return Ok(None);
        }
        let settings = super::location::settings_of(self.config).map_err(anyhow::Error::msg)?;
        Ok(settings.etcd.as_ref().and_then(crate::stores::tls))
    }
}

#[cfg(feature = "etcd")]
fn configured(etcd: &crate::settings::Etcd) -> anyhow::Result<Place> {
    let mut name = format!("etcd {}{}", etcd.endpoints.join(","), etcd.prefix);
    if !etcd.env_id.is_empty() {
        name = format!("{name}/{}", etcd.env_id);
    }
    let what = What::Etcd(crate::stores::etcd(etcd)?);
    Ok(Place { name, what })
}

#[cfg(not(feature = "etcd"))]
fn configured(etcd: &crate::settings::Etcd) -> anyhow::Result<Place> {
    let endpoints = etcd.endpoints.join(", ");
    bail!("`etcd.endpoints` ({endpoints}) needs a build with the feature `etcd`")
}

fn embedded(path: &Path, purpose: Purpose) -> anyhow::Result<Place> {
    let name = path.display().to_string();
    let store: Box<dyn ConfigStore> = match (Embedded::is_at(path), purpose) {
        (true, _) | (false, Purpose::Write) => Box::new(Embedded::open(path)?),
        (false, Purpose::DryRun) => Box::new(Mirror::new("a dry run writes nothing")),
        (false, Purpose::Read) => bail!("there is no store in {name}"),
    };
    let what = What::Store(store);
    Ok(Place { name, what })
}

// === impl Place ===

impl Place {
    /// What is there, for something that holds `held`; `env` fills in a file.
    pub(super) async fn contents(
        &self,
        held: Held<'_>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> anyhow::Result<Contents> {
        match &self.what {
            What::File(path) => Ok(Contents {
                entries: file::load_into(path, env, held)?.entries,
                problems: Vec::new(),
            }),
            What::Store(store) => Ok(Contents {
                entries: entries(store.as_ref()).await?,
                problems: Vec::new(),
            }),
            #[cfg(feature = "etcd")]
            What::Etcd(etcd) => all_of(etcd).await,
        }
    }

    /// The store that can be written.
    pub(super) fn store(&self) -> anyhow::Result<&dyn ConfigStore> {
        match &self.what {
            What::File(path) => bail!(
                "{} is a file and no store: write it by `aisix export --output`",
                path.display()
            ),
            What::Store(store) => Ok(store.as_ref()),
            #[cfg(feature = "etcd")]
            What::Etcd(etcd) => Ok(etcd),
        }
    }
}

async fn entries(store: &dyn ConfigStore) -> anyhow::Result<Vec<Entry>> {
    let listing = store.list(None).await?;
    Ok(listing
        .entries
        .into_iter()
        .map(|stored| stored.entry)
        .collect())
}

/// Everything in etcd, with what cannot be read, which a list leaves out.
#[cfg(feature = "etcd")]
async fn all_of(etcd: &aisix_sources::etcd::Etcd) -> anyhow::Result<Contents> {
    use aisix_core::config::{Change, Rejection};
    use futures_util::StreamExt;

    let mut changes = Box::pin(etcd.changes());
    while let Some(item) = changes.next().await {
        if let Change::All { entries, rejected } = item? {
            let problems = rejected.iter().flat_map(|Rejection { name, errors, .. }| {
                errors.iter().map(move |error| format!("{name}: {error}"))
            });
            return Ok(Contents {
                problems: problems.collect(),
                entries,
            });
        }
    }
    anyhow::bail!("etcd was not read")
}
