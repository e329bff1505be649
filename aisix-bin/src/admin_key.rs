//! The admin key that is made up when nobody has configured one.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use aisix_core::config::{KeyHash, Secret};
use anyhow::Context;
use uuid::Uuid;

/// Holds the hash of the key, so that it can be told once only. Who has lost the key removes the file.
const FILE: &str = "admin-key.sha256";

/// A key that was made up, now or at an earlier start.
pub(crate) struct MadeUp {
    pub(crate) hash: KeyHash,
    /// The key itself, unless it was told before.
    pub(crate) key: Option<Secret>,
    path: PathBuf,
}

// === impl MadeUp ===

impl MadeUp {
    /// Finds the key of a data directory, or makes one up.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or holds something else.
    pub(crate) fn of(data_dir: &Path) -> anyhow::Result<Self> {
        let path = data_dir.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => {
                let hash = KeyHash::from_hex(text.trim());
                let hash = hash.with_context(|| format!("{} holds no hash", path.display()))?;
                Ok(Self {
                    hash,
                    key: None,
                    path,
                })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = format!("ak-{}", Uuid::new_v4().simple());
                Ok(Self {
                    hash: KeyHash::of(&key),
                    key: Some(Secret::new(key)),
                    path,
                })
            }
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Remembers a key that was told. Before that, the next start makes up another one.
    pub(crate) fn told(&self) -> io::Result<()> {
        if self.key.is_none() {
            return Ok(());
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let new = self.path.with_extension("new");
        let mut file = options.open(&new)?;
        writeln!(file, "{}", self.hash.to_hex())?;
        file.sync_all()?;
        fs::rename(new, &self.path)
    }
}
