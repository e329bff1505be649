//! The file.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use aisix_core::config::store::{HISTORY, Record, Revision, StoreError, StoreErrorKind};
use redb::{
    Database, DatabaseError, ReadableDatabase, ReadableTable, ReadableTableMetadata,
    TableDefinition, backends::FileBackend,
};

use super::rows::{Draft, Row, Rows};
use crate::record;

const FILE: &str = "store.redb";

/// Each document by `<kind>/<id>`, with the revisions that created and last changed it.
const RESOURCES: TableDefinition<'_, &str, (u64, u64, &str)> = TableDefinition::new("resources");
/// Each record by its revision.
const HISTORY_TABLE: TableDefinition<'_, u64, &str> = TableDefinition::new("history");
/// Numbers by their name.
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

const REVISION: &str = "revision";
const FORMAT: &str = "format";
/// The only format that this version reads and writes.
const THIS_FORMAT: u64 = 1;

/// What redb may keep in memory; the rows are in memory anyway.
const CACHE_BYTES: usize = 16 * 1024 * 1024;

/// The open file.
pub(super) struct Disk {
    path: PathBuf,
    /// `None` after a failure, until it is opened again.
    database: Option<Database>,
}

// === impl Disk ===

impl Disk {
    /// Opens the file in a directory; makes both if need be.
    pub(super) fn open(directory: &Path) -> Result<Self, StoreError> {
        make_directory(directory)
            .map_err(|error| cannot("make the directory", directory, error))?;
        let path = directory.join(FILE);
        if !path.exists() {
            create(directory, &path)?;
        }
        let mut disk = Self {
            path,
            database: None,
        };
        disk.reopen()?;
        Ok(disk)
    }

    /// Whether the file is there.
    pub(super) fn is_at(directory: &Path) -> bool {
        directory.join(FILE).is_file()
    }

    /// Opens the file anew.
    pub(super) fn reopen(&mut self) -> Result<(), StoreError> {
        // The lock of the old one must go first.
        self.database = None;
        let database = open(&self.path, false)?;
        let format = format(&database).map_err(|error| cannot("read", &self.path, error))?;
        if format != Some(THIS_FORMAT) {
            let path = self.path.display();
            let message = format!(
                "{path} was written by another version of AISIX: its format is not {THIS_FORMAT}"
            );
            return Err(StoreError::new(StoreErrorKind::Unavailable, message));
        }
        self.database = Some(database);
        Ok(())
    }

    /// Whether it failed, and could not be opened again.
    pub(super) fn is_closed(&self) -> bool {
        self.database.is_none()
    }

    /// Reads all rows.
    pub(super) fn load(&self) -> Result<Rows, StoreError> {
        let database = self.database()?;
        let load = || -> Result<Rows, redb::Error> {
            let transaction = database.begin_read()?;
            let mut rows = Rows {
                revision: revision(&transaction.open_table(META)?)?,
                ..Rows::default()
            };
            for row in transaction.open_table(RESOURCES)?.iter()? {
                let (name, value) = row?;
                let (created, changed, json) = value.value();
                match record::read_key(name.value()) {
                    Some(key) => {
                        let json = json.into();
                        let row = Row {
                            json,
                            created,
                            changed,
                        };
                        rows.rows.insert(key, row);
                    }
                    // A newer version has been here; the row is for when it comes back.
                    None => tracing::warn!(key = name.value(), "a resource of an unknown kind"),
                }
            }
            Ok(rows)
        };
        load().map_err(|error| cannot("read", &self.path, error))
    }

    /// Writes a draft as one transaction, and waits until it is on the disk.
    pub(super) fn write(&self, draft: &Draft) -> Result<(), StoreError> {
        let database = self.database()?;
        let write = || -> Result<(), redb::Error> {
            let transaction = database.begin_write()?;
            {
                let mut resources = transaction.open_table(RESOURCES)?;
                for (key, row) in &draft.writes {
                    let name = key.to_string();
                    match row {
                        Some(row) => {
                            let value = (row.created, row.changed, row.json.as_ref());
                            resources.insert(name.as_str(), value)?;
                        }
                        None => drop(resources.remove(name.as_str())?),
                    }
                }
                let mut history = transaction.open_table(HISTORY_TABLE)?;
                for record in &draft.records {
                    history.insert(record.revision, record::write(record).to_string().as_str())?;
                }
                while history.len()? > HISTORY as u64 {
                    history.pop_first()?;
                }
                let mut meta = transaction.open_table(META)?;
                meta.insert(REVISION, draft.rows.revision)?;
            }
            transaction.commit()?;
            Ok(())
        };
        write().map_err(|error| cannot("write", &self.path, error))
    }

    /// The records after a revision, oldest first.
    pub(super) fn history(&self, after: Revision) -> Result<Vec<Record>, StoreError> {
        let database = self.database()?;
        let read = || -> Result<Vec<Record>, redb::Error> {
            let history = database.begin_read()?.open_table(HISTORY_TABLE)?;
            let mut records = Vec::new();
            for row in history.range(after.saturating_add(1)..)? {
                let (revision, text) = row?;
                let text = serde_json::from_str(text.value()).ok();
                records.extend(text.and_then(|text| record::read(revision.value(), text)));
            }
            Ok(records)
        };
        read().map_err(|error| cannot("read", &self.path, error))
    }

    fn database(&self) -> Result<&Database, StoreError> {
        self.database.as_ref().ok_or_else(|| {
            let message = "the embedded store failed and could not be opened again";
            StoreError::new(StoreErrorKind::Unavailable, message)
        })
    }
}

fn cannot(what: &str, path: &Path, error: impl Into<redb::Error>) -> StoreError {
    let error = error.into();
    let message = match &error {
        redb::Error::DatabaseAlreadyOpen => {
            let path = path.display();
            format!("{path} is in use by another process: stop that, or use its Admin API")
        }
        _ => format!("cannot {what} {}: {error}", path.display()),
    };
    StoreError::new(StoreErrorKind::Unavailable, message).with_source(error)
}

/// Makes the file under another name, so that there never is a half-made one.
fn create(directory: &Path, path: &Path) -> Result<(), StoreError> {
    let new = path.with_extension("new");
    let cannot_make = |error: redb::Error| cannot("make", &new, error);
    if new.exists() {
        // Left by a process that was killed here, or made by one that is here now and holds it.
        match open(&new, false) {
            Err(error) if is_in_use(&error) => return Err(error),
            _ => fs::remove_file(&new).map_err(|error| cannot_make(error.into()))?,
        }
    }
    let database = open(&new, true)?;
    let fill = || -> Result<(), redb::Error> {
        let transaction = database.begin_write()?;
        transaction.open_table(RESOURCES)?;
        transaction.open_table(HISTORY_TABLE)?;
        {
            let mut meta = transaction.open_table(META)?;
            meta.insert(REVISION, 0)?;
            meta.insert(FORMAT, THIS_FORMAT)?;
        }
        transaction.commit()?;
        Ok(())
    };
    fill().map_err(cannot_make)?;
    drop(database);
    // Unlike renaming, linking never replaces a store that somebody else has made meanwhile.
    let put = || -> io::Result<()> {
        match fs::hard_link(&new, path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => fs::remove_file(&new)?,
        }
        sync_directory(directory)
    };
    put().map_err(|error| cannot_make(error.into()))
}

fn is_in_use(error: &StoreError) -> bool {
    std::error::Error::source(error)
        .and_then(|source| source.downcast_ref())
        .is_some_and(|error| matches!(error, redb::Error::DatabaseAlreadyOpen))
}

fn open(path: &Path, is_new: bool) -> Result<Database, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(is_new);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let open = || -> Result<Database, DatabaseError> {
        let file = options.open(path)?;
        Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create_with_backend(FileBackend::new(file)?)
    };
    open().map_err(|error| cannot("open", path, error))
}

fn make_directory(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// Makes sure that a new name in a directory survives a crash of the machine.
fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

fn format(database: &Database) -> Result<Option<u64>, redb::Error> {
    let transaction = database.begin_read()?;
    match transaction.open_table(META) {
        Ok(meta) => Ok(meta.get(FORMAT)?.map(|format| format.value())),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn revision(meta: &impl ReadableTable<&'static str, u64>) -> Result<Revision, redb::Error> {
    Ok(meta.get(REVISION)?.map_or(0, |revision| revision.value()))
}
