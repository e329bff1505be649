//! The last known configuration in a file, so that a process can start while its source is away.
//!
//! ```json
//! {"version": 1, "revision": 123,
//!  "entries": [{"key": "/aisix/models/<id>", "value_b64": "…", "revision": 120}],
//!  "stale": [{"key": "…", "value_b64": "…", "revision": 90, "since_unix_secs": 1700000000}]}
//! ```
//!
//! `entries` are resources as they are served; `stale` are those that are served in the place of a newer
//! version which is not good. Keys are those of etcd, so a file belongs to one prefix. The file holds
//! credentials: only its owner can read it.
//!
//! [`save`] and [`load`] block: call them where that is allowed.
//!
//! ```
//! use aisix_core::config::{Change, Config, Entry, Kind};
//! use aisix_sources::last_known;
//!
//! # fn main() -> std::io::Result<()> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("last-known.json");
//! # let config = Config::builder().build();
//! # config.apply([Change::Reset(Vec::new())]);
//! last_known::save(&path, "/aisix/", &config.last_known())?;
//! // The next start:
//! let config = Config::builder().build();
//! config.restore(last_known::load(&path, "/aisix/")?).log();
//! # assert!(config.current().is_loaded());
//! # Ok(())
//! # }
//! ```

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use aisix_core::config::{Key, Known, LastKnown};
use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};

/// The largest file that is written or read, in bytes: 256 MiB.
pub const MAX_BYTES: u64 = 256 * 1024 * 1024;

const VERSION: u64 = 1;

/// What is read.
#[derive(Deserialize)]
struct Document {
    version: u64,
    revision: u64,
    entries: Vec<Line>,
    #[serde(default)]
    stale: Vec<Line>,
}

/// What is written, row by row.
struct Written<'k> {
    root: &'k str,
    revision: Option<u64>,
    /// Ordered by key.
    rows: Vec<&'k Known>,
}

/// The rows that are stale, or those that are not.
struct Lines<'k> {
    root: &'k str,
    rows: &'k [&'k Known],
    are_stale: bool,
}

#[derive(Deserialize, Serialize)]
struct Line {
    key: String,
    value_b64: String,
    revision: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since_unix_secs: Option<i64>,
}

/// A writer that ends at a size.
struct Bounded<W> {
    inner: W,
    left: u64,
}

/// Writes what is known to a file, whose keys begin with `root`, which ends with a slash.
///
/// The file is replaced in one step, so there is never half of one. It is written beside its place first, with
/// the ending `.tmp`, and is safe on the disk when this returns. Directories that are missing are made.
///
/// # Errors
///
/// When it cannot be written, or would be larger than [`MAX_BYTES`]. A file that was there before stays.
pub fn save(path: &Path, root: &str, known: &LastKnown) -> io::Result<()> {
    let directory = directory(path);
    fs::create_dir_all(directory)?;
    let temporary = temporary(path);
    // Somebody may have been killed while writing it.
    remove(&temporary)?;
    let written = Written::new(root, known);
    if let Err(error) = write(&temporary, &written).and_then(|()| fs::rename(&temporary, path)) {
        // What went wrong first is what matters.
        let _ = remove(&temporary);
        return Err(error);
    }
    File::open(directory)?.sync_all()
}

/// Reads what [`save`] has written for the same `root`. Resources of kinds that are unknown here are left out, which
/// is logged.
///
/// # Errors
///
/// When there is no such file ([`io::ErrorKind::NotFound`]), or it cannot be read. When it is no file, is
/// larger than [`MAX_BYTES`], of another version, damaged, or of another root
/// ([`io::ErrorKind::InvalidData`]).
pub fn load(path: &Path, root: &str) -> io::Result<LastKnown> {
    // Opening something else may take for ever.
    if !fs::metadata(path)?.is_file() {
        return Err(invalid("is no file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(too_large());
    }
    read(&bytes, root)
}

fn read(bytes: &[u8], root: &str) -> io::Result<LastKnown> {
    let document: Document = serde_json::from_slice(bytes).map_err(|_| damaged(bytes))?;
    if document.version != VERSION {
        return Err(other_version(document.version));
    }
    let mut foreign = 0;
    let mut rows = Vec::with_capacity(document.entries.len() + document.stale.len());
    let entries = document.entries.into_iter().map(|line| (line, false));
    let stale = document.stale.into_iter().map(|line| (line, true));
    for (line, is_stale) in entries.chain(stale) {
        match line.read(root, is_stale)? {
            Some(known) => rows.push(known),
            None => foreign += 1,
        }
    }
    if foreign > 0 {
        tracing::warn!(
            resources = foreign,
            "the last known configuration holds resources of unknown kinds"
        );
    }
    let revision = Some(document.revision).filter(|revision| *revision > 0);
    Ok(LastKnown { revision, rows })
}

fn write(path: &Path, written: &Written<'_>) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = BufWriter::with_capacity(1 << 16, options.open(path)?);
    let mut file = Bounded {
        inner: file,
        left: MAX_BYTES,
    };
    serde_json::to_writer(&mut file, written)?;
    let file = file
        .inner
        .into_inner()
        .map_err(io::IntoInnerError::into_error)?;
    file.sync_all()
}

/// The directory of a file.
fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Where a file is written first.
fn temporary(path: &Path) -> PathBuf {
    match path.extension() {
        Some(extension) if extension == "tmp" => path.with_extension("tmp.tmp"),
        _ => path.with_extension("tmp"),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn invalid(message: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message.into())
}

fn too_large() -> io::Error {
    invalid(format!("is larger than {} MiB", MAX_BYTES >> 20))
}

fn other_version(version: u64) -> io::Error {
    invalid(format!("is of version {version}, not {VERSION}"))
}

/// Says what is wrong with a document that cannot be read; never repeats what it holds.
fn damaged(bytes: &[u8]) -> io::Error {
    #[derive(Deserialize)]
    struct Version {
        version: u64,
    }
    match serde_json::from_slice(bytes) {
        Ok(Version { version }) if version != VERSION => other_version(version),
        _ => invalid("is damaged"),
    }
}

// === impl Line ===

impl Line {
    fn of(root: &str, known: &Known) -> Self {
        Self {
            key: format!("{root}{}", known.key),
            value_b64: STANDARD.encode(&*known.json),
            revision: known.revision,
            since_unix_secs: known.stale_since.map(Timestamp::as_second),
        }
    }

    /// `None` for a kind that is unknown.
    fn read(self, root: &str, is_stale: bool) -> io::Result<Option<Known>> {
        let key = self.key.strip_prefix(root);
        let key = key.ok_or_else(|| invalid("belongs to another prefix"))?;
        let (kind, id) = key.split_once('/').ok_or_else(|| invalid("is damaged"))?;
        let value = STANDARD.decode(self.value_b64).ok();
        let json = value.and_then(|value| String::from_utf8(value).ok());
        let json = json.ok_or_else(|| invalid("is damaged"))?;
        let since = self.since_unix_secs.map(Timestamp::from_second);
        let stale_since = since.transpose().map_err(|_| invalid("is damaged"))?;
        if is_stale != stale_since.is_some() {
            return Err(invalid("is damaged"));
        }
        let Ok(kind) = kind.parse() else {
            return Ok(None);
        };
        let id = id.into();
        Ok(Some(Known {
            key: Key { kind, id },
            json: json.into(),
            revision: self.revision,
            stale_since,
        }))
    }
}

// === impl Written ===

impl<'k> Written<'k> {
    fn new(root: &'k str, known: &'k LastKnown) -> Self {
        let mut rows: Vec<&Known> = known.rows.iter().collect();
        rows.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Self {
            root,
            revision: known.revision,
            rows,
        }
    }
}

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let lines = |are_stale| Lines {
            root: self.root,
            rows: &self.rows,
            are_stale,
        };
        let mut members = serializer.serialize_map(Some(4))?;
        members.serialize_entry("version", &VERSION)?;
        members.serialize_entry("revision", &self.revision.unwrap_or_default())?;
        members.serialize_entry("entries", &lines(false))?;
        members.serialize_entry("stale", &lines(true))?;
        members.end()
    }
}

// === impl Lines ===

impl Serialize for Lines<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rows = self.rows.iter();
        let rows = rows.filter(|known| known.stale_since.is_some() == self.are_stale);
        serializer.collect_seq(rows.map(|known| Line::of(self.root, known)))
    }
}

// === impl Bounded ===

impl<W: Write> Write for Bounded<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.left.checked_sub(bytes.len() as u64);
        self.left = left.ok_or_else(too_large)?;
        self.inner.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use aisix_core::config::Kind;
    use serde_json::{Value, json};
    use tempfile::TempDir;

    use super::*;

    const ROOT: &str = "/aisix/prod/";

    fn known(id: &str, stale_since: Option<i64>) -> Known {
        Known {
            key: Key {
                kind: Kind::Model,
                id: id.into(),
            },
            json: format!("{{\"display_name\":\"{id}\"}}").into(),
            revision: 90,
            stale_since: stale_since.map(|since| Timestamp::from_second(since).unwrap()),
        }
    }

    fn last_known() -> LastKnown {
        LastKnown {
            revision: Some(123),
            rows: vec![known("a/b", None), known("c", Some(1_700_000_000))],
        }
    }

    fn place() -> (TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("some/where/cache.json");
        (directory, path)
    }

    fn refused(bytes: &[u8]) -> String {
        let (_directory, path) = place();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        load(&path, ROOT).unwrap_err().to_string()
    }

    fn document() -> Value {
        json!({"version": 1, "revision": 123,
            "entries": [{"key": "/aisix/prod/models/a/b", "value_b64": "eyJkaXNwbGF5X25hbWUiOiJhL2IifQ==", "revision": 90}],
            "stale": [{"key": "/aisix/prod/models/c", "value_b64": "eyJkaXNwbGF5X25hbWUiOiJjIn0=", "revision": 90,
                "since_unix_secs": 1_700_000_000}]})
    }

    fn rows(known: LastKnown) -> Vec<(String, String, u64, Option<i64>)> {
        let rows = known.rows.into_iter();
        let row = |row: Known| {
            let since = row.stale_since.map(Timestamp::as_second);
            (
                row.key.to_string(),
                row.json.to_string(),
                row.revision,
                since,
            )
        };
        rows.map(row).collect()
    }

    #[test]
    fn the_file_is_that_of_the_contract() {
        let (_directory, path) = place();
        save(&path, ROOT, &last_known()).unwrap();
        let written: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(written, document());
        let found = load(&path, ROOT).unwrap();
        assert_eq!(found.revision, Some(123));
        assert_eq!(rows(found), rows(last_known()));
    }

    #[test]
    fn only_its_owner_can_read_it_and_nothing_is_left_beside_it() {
        let (_directory, path) = place();
        let beside = path.with_extension("tmp");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // What somebody who was killed has left, for everybody to read.
        fs::write(&beside, "half").unwrap();
        for _ in 0..2 {
            save(&path, ROOT, &last_known()).unwrap();
        }
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let files = fs::read_dir(path.parent().unwrap()).unwrap();
        assert_eq!(files.count(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_replaced_stays() {
        let (_directory, path) = place();
        save(&path, ROOT, &last_known()).unwrap();
        fs::create_dir(path.with_extension("tmp")).unwrap();
        save(&path, ROOT, &LastKnown::default()).unwrap_err();
        assert_eq!(load(&path, ROOT).unwrap().rows.len(), 2);
        let itself = path.with_file_name("cache.tmp.tmp");
        save(&itself, ROOT, &last_known()).unwrap();
        assert_eq!(load(&itself, ROOT).unwrap().rows.len(), 2);
    }

    #[test]
    fn nothing_is_written_without_end() {
        let mut written = Bounded {
            inner: Vec::new(),
            left: 5,
        };
        written.write_all(b"abc").unwrap();
        let error = written.write_all(b"def").unwrap_err();
        assert!(error.to_string().contains("larger than 256 MiB"), "{error}");
        assert_eq!(written.inner, b"abc");
    }

    #[test]
    fn what_is_no_such_file_is_refused() {
        let text = |change: &dyn Fn(&mut Value)| {
            let mut document = document();
            change(&mut document);
            refused(document.to_string().as_bytes())
        };
        assert_eq!(refused(b""), "is damaged");
        assert_eq!(
            refused(&document().to_string().as_bytes()[..200]),
            "is damaged"
        );
        assert_eq!(refused(b"\xff"), "is damaged");
        assert_eq!(refused(b"{\"version\": 2}"), "is of version 2, not 1");
        assert_eq!(
            text(&|it| it["version"] = 0.into()),
            "is of version 0, not 1"
        );
        for (member, value) in [
            ("value_b64", json!("no base64!")),
            ("value_b64", json!("/w==")),
            ("key", json!("/aisix/prod/models")),
            ("revision", json!(-1)),
            ("since_unix_secs", json!(7)),
            ("value_b64", Value::Null),
        ] {
            let said = text(&|it| it["entries"][0][member] = value.clone());
            assert_eq!(said, "is damaged", "{member} {value}");
        }
        for since in [json!(i64::MAX), Value::Null] {
            let said = text(&|it| it["stale"][0]["since_unix_secs"] = since.clone());
            assert_eq!(said, "is damaged");
        }
        let said = text(&|it| it["entries"][0]["key"] = "/aisix/models/a".into());
        assert_eq!(said, "belongs to another prefix");
    }

    #[test]
    fn what_is_missing_is_not_there_and_what_is_no_file_is_not_opened() {
        let (directory, path) = place();
        let missing = load(&path, ROOT).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        let said = load(directory.path(), ROOT).unwrap_err().to_string();
        assert_eq!(said, "is no file");
        let said = load(Path::new("/dev/zero"), ROOT).unwrap_err().to_string();
        assert_eq!(said, "is no file");
    }

    #[test]
    fn unknown_kinds_are_left_out_and_stale_ones_need_not_be_there() {
        let mut other = document();
        other["entries"][0]["key"] = "/aisix/prod/widgets/1".into();
        other.as_object_mut().unwrap().remove("stale");
        let found = read(other.to_string().as_bytes(), ROOT).unwrap();
        assert!(found.rows.is_empty());
    }
}
