//! Configuration that a cluster shares through [etcd](https://etcd.io).
//!
//! ```text
//! <prefix>/<kind>/<id>              one JSON document each: what is followed
//! <prefix>-meta/revision            the number of edits so far
//! <prefix>-meta/history/<revision>  the last edits, each commit's in one value
//! <prefix>-meta/rows/<kind>/<id>    the revisions that created and last changed a document
//! ```
//!
//! [`Etcd::changes`] reads all documents, then watches from the next revision on. The changes of one
//! etcd revision are handed over together. A connection that is lost, or does not answer any more, is
//! made anew, to the next endpoint, and the watch goes on where it was; when that is no longer possible,
//! because etcd has compacted its past or is another one, everything is read again.
//!
//! As a [`ConfigStore`](aisix_core::config::ConfigStore), a commit is one transaction that compares `<prefix>-meta/revision`. Nodes that
//! only follow never look there.
//!
//! Documents of the first generation are read as what they are today: a model that holds its
//! `provider_config` is a model with a provider key `model-<id>`, and `apikeys/<id>` with a plaintext
//! `key` is an API key with its hash. Writing to them brings them up to date.
//!
//! A value that cannot be read stops nobody. It is told as an error that says why, and as a document
//! that no validation accepts, so that whoever follows keeps the last good version.
//!
//! ```no_run
//! use aisix_core::config::{Config, ConfigStore};
//! use aisix_sources::etcd::{Etcd, Pem, Settings, Tls};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let etcd = Etcd::new(Settings {
//!     endpoints: vec!["https://10.0.0.1:2379".to_owned(), "https://10.0.0.2:2379".to_owned()],
//!     tls: Some(Tls {
//!         ca: Some(Pem::File("/etc/aisix/etcd-ca.pem".into())),
//!         ..Tls::default()
//!     }),
//!     ..Settings::default()
//! })?;
//! let models = etcd.list(Some(aisix_core::config::Kind::Model)).await?;
//! # let config = Config::builder().build();
//! config.follow(etcd.changes()).await; // to be spawned
//! # Ok(())
//! # }
//! ```
//!
//! `https` takes the TLS provider that the process has installed, such as
//! `rustls::crypto::aws_lc_rs::default_provider().install_default()`. Everything runs on Tokio.
//! Building this feature needs `protoc` with its standard types (Debian: `protobuf-compiler` and
//! `libprotobuf-dev`).

mod draft;
mod fault;
mod follow;
mod image;
mod layout;
mod link;
mod pace;
mod rows;
mod settings;
mod store;
mod watch;

use std::sync::Arc;

use aisix_core::config::{
    ConfigSource,
    store::{Revision, StoreError, StoreErrorKind},
};
use jiff::Timestamp;
use tokio::sync::watch::Sender;

pub use self::settings::{Backoff, Keepalive, Pem, Settings, Tls};
use self::{layout::Layout, link::Link};

/// The largest document that is read; a larger one is reported and its last good version is kept.
pub const DOCUMENT_BYTES: usize = 4 * 1024 * 1024;

/// Configuration in etcd: a source and a store. A cheap clone.
///
/// Revisions of the store count edits that were made through such stores; the source tells etcd's own,
/// with [`ConfigStore::told_as`](aisix_core::config::ConfigStore::told_as) between them. Whoever writes to etcd in
/// another way does not move those of the store, although its moment moves, what is written is followed, and is not overwritten by
/// a commit that was made without having seen it.
#[derive(Clone, Debug)]
pub struct Etcd {
    settings: Arc<Settings>,
    layout: Arc<Layout>,
    link: Arc<Link>,
    /// The last revision that was committed here, and etcd's own then.
    written: Sender<(Revision, u64)>,
    standing: Sender<Standing>,
}

/// How sources of an [`Etcd`] stand to etcd.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether etcd is watched at the moment.
    pub is_connected: bool,
    /// Up to which of etcd's revisions everything was seen.
    pub revision: Option<u64>,
    /// When etcd was heard last, be it a mere sign of life.
    pub heard_at: Option<Timestamp>,
}

// === impl Etcd ===

impl Etcd {
    /// Takes settings. Connects when it is used.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::Unavailable`] when the settings cannot work.
    pub fn new(settings: Settings) -> Result<Self, StoreError> {
        let wrong = |message| StoreError::new(StoreErrorKind::Unavailable, message);
        let settings = settings.checked().map_err(wrong)?;
        let layout = Layout::new(&settings.prefix, &settings.env_id).map_err(wrong)?;
        let settings = Arc::new(settings);
        Ok(Self {
            link: Arc::new(Link::new(settings.clone())),
            layout: Arc::new(layout),
            written: Sender::default(),
            standing: Sender::default(),
            settings,
        })
    }

    /// A source of what etcd holds: a `Reset` first, then each change. Never ends.
    ///
    /// After each connection the revision is told once more. An error says that etcd cannot be reached, or what is wrong with a document. While it is polled
    /// after that, it tries again, with pauses that grow.
    pub fn changes(&self) -> impl ConfigSource + Send + use<> {
        let (settings, layout) = (self.settings.clone(), self.layout.clone());
        follow::follow(settings, layout, self.standing.clone())
    }

    /// What the keys of all documents begin with; ends with a slash.
    pub fn root(&self) -> &str {
        self.layout.root()
    }

    /// How the latest source stands to etcd.
    pub fn standing(&self) -> Standing {
        *self.standing.borrow()
    }
}
