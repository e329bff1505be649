//! Where resources come from: a file, etcd, a store of our own, or memory.

use std::{path::PathBuf, sync::Arc};

use aisix_core::config::{Change, Config, ConfigStore, Entry, status, store::Mirror};
use aisix_hooks::observe::metrics::ConfigMetrics;
use aisix_sources::embedded::Embedded;

use crate::{
    last_known::Keeper,
    resources::Follow,
    settings::{self, Settings},
};

/// Where resources come from.
pub(crate) enum Resources {
    /// What the settings name, or the embedded store.
    Settings,
    /// These, for as long as the process lives.
    Memory(Vec<Entry>),
}

/// Where resources come from, opened.
pub(crate) struct Source {
    /// What there is to begin with, unless something is served already.
    pub(crate) first: Option<Change>,
    pub(crate) follow: Follow,
    /// What administrators read and write, if there is something.
    pub(crate) store: Option<Arc<dyn ConfigStore>>,
    /// Whether it is ours to write.
    pub(crate) is_embedded: bool,
    /// Keeps what was served last.
    pub(crate) keeper: Option<Keeper>,
}

/// Loads the resources for the first time; what comes later is to be followed.
///
/// # Errors
///
/// When they cannot be read, and, in a cluster, when none are kept from before either.
pub(crate) async fn load(
    settings: &Settings,
    resources: Resources,
    served: (&Config, &ConfigMetrics),
) -> anyhow::Result<Source> {
    if let (Resources::Settings, Some(etcd)) = (&resources, &settings.etcd) {
        let kept = settings.snapshot_cache_path.clone();
        return in_etcd(etcd, kept, served).await;
    }
    match (resources, &settings.resources_file) {
        (Resources::Memory(entries), _) => Ok(Source {
            first: Some(Change::Reset(entries)),
            follow: Follow::Nothing,
            store: None,
            is_embedded: false,
            keeper: None,
        }),
        (Resources::Settings, Some(path)) => {
            let place = path.display();
            let mirror = Mirror::new(format!("resources come from {place}: change them there"));
            let (first, follow) = Follow::file(path, mirror.clone(), served.0).await?;
            Ok(Source {
                first: Some(first),
                follow,
                store: Some(Arc::new(mirror)),
                is_embedded: false,
                keeper: None,
            })
        }
        (Resources::Settings, None) => {
            let store = Embedded::open(&settings.data_dir)?;
            let named = || status::Source {
                name: "embedded",
                ..status::Source::default()
            };
            let (first, follow) = Follow::store(store.changes(), Arc::new(named), 1).await?;
            Ok(Source {
                first: Some(first),
                follow,
                store: Some(Arc::new(store)),
                is_embedded: true,
                keeper: None,
            })
        }
    }
}

/// Loads the resources of a cluster; while it is away, those that were known last, if they are kept.
#[cfg(feature = "etcd")]
async fn in_etcd(
    etcd: &settings::Etcd,
    kept: Option<PathBuf>,
    (config, metrics): (&Config, &ConfigMetrics),
) -> anyhow::Result<Source> {
    /// How often it is tried at the start when there is nothing to serve.
    const ATTEMPTS: usize = 5;

    let store = crate::stores::etcd(etcd)?;
    let named = etcd_named(&store);
    // Served first even if etcd answers, for it may have what is not good.
    let root = store.root().to_owned();
    let keeper = kept.map(|path| Keeper::restore(path, root, config, metrics));
    let changes = store.changes();
    let (first, follow) = if keeper.as_ref().is_some_and(Keeper::serves) {
        let (attempts, silence) = (etcd.endpoints.len(), etcd.connect_timeout);
        let (first, follow) = Follow::store_or_later(changes, named, attempts, silence).await?;
        if let Err(why) = &first {
            crate::resources::failed(config, metrics, why);
            tracing::warn!("the last known configuration is served until etcd is back");
        }
        (first.ok(), follow)
    } else {
        let (first, follow) = Follow::store(changes, named, ATTEMPTS).await?;
        (Some(first), follow)
    };
    Ok(Source {
        first,
        follow,
        store: Some(Arc::new(store)),
        is_embedded: false,
        keeper,
    })
}

/// What the status says of etcd.
#[cfg(feature = "etcd")]
fn etcd_named(store: &aisix_sources::etcd::Etcd) -> crate::resources::Named {
    let store = store.clone();
    Arc::new(move || {
        let standing = store.standing();
        status::Source {
            name: "etcd",
            connected: Some(standing.is_connected),
            observed_revision: standing.revision,
            observed_at: standing.heard_at,
            ..status::Source::default()
        }
    })
}

#[cfg(not(feature = "etcd"))]
async fn in_etcd(
    etcd: &settings::Etcd,
    _kept: Option<PathBuf>,
    _served: (&Config, &ConfigMetrics),
) -> anyhow::Result<Source> {
    let endpoints = etcd.endpoints.join(", ");
    anyhow::bail!("`etcd.endpoints` ({endpoints}) needs a build with the feature `etcd`")
}
