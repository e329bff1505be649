//! A file that is followed as it changes.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{self as signal, SyncSender},
    },
    task::{Context, Poll},
    thread,
    time::Duration,
};

use aisix_core::config::{Change, Entry, SourceError, resource::Invalid};
use futures_core::Stream;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::{
    load::{Loaded, hash, parse, read},
    report::Report,
};

/// How long a file must be left alone before it is read.
const QUIET: Duration = Duration::from_millis(50);

/// How often a file that is written without a pause is read nevertheless, in units of [`QUIET`].
const MOST_PAUSES: u32 = 20;

type Item = Result<Change, SourceError>;

/// A source of configuration: a resources file, read again whenever it changes.
///
/// The first item is what the file holds, or why it is refused. Then comes an item each time its
/// content changes, and each time [`Reloader::reload`] is called. A refused file is an error, and
/// the stream goes on: the previous configuration holds. Entries carry the number of the reading as
/// their revision, and the hash of the file comes with them.
///
/// Replacing the file by renaming, and swapping a symbolic link as Kubernetes does, are changes too.
/// The file is read on a thread of its own, which ends when this is dropped.
pub struct Watch {
    items: mpsc::Receiver<Item>,
    reloader: Reloader,
    _watcher: Option<RecommendedWatcher>,
}

/// Has the file of a [`Watch`] read again. A cheap clone.
#[derive(Clone)]
pub struct Reloader(Arc<Bell>);

/// Wakes the thread that reads.
struct Bell {
    /// Holds one signal: more would say the same.
    signals: SyncSender<()>,
    /// Whether to yield an item even if nothing has changed.
    forced: AtomicBool,
    /// Whether to end.
    stopped: AtomicBool,
    /// The hash of the text that was last read.
    hash: Mutex<Option<String>>,
}

/// The thread that reads.
struct Reader<E, C> {
    path: PathBuf,
    env: E,
    check: C,
    bell: Arc<Bell>,
    rings: signal::Receiver<()>,
    items: mpsc::Sender<Item>,
    /// The hash of the text that was last read, or why it could not be read.
    seen: Option<Result<String, String>>,
    revision: u64,
}

// === impl Watch ===

impl Watch {
    /// Follows a file; `env` says what environment variables hold, now and at each reading.
    ///
    /// Where changes cannot be watched, this is logged, and only [`Reloader::reload`] remains.
    ///
    /// # Errors
    ///
    /// No thread could be started.
    pub fn new<E>(path: impl Into<PathBuf>, env: E) -> Result<Self, SourceError>
    where
        E: Fn(&str) -> Option<String> + Send + 'static,
    {
        Self::checked(path, env, |_| Vec::new())
    }

    /// The same with a check of each entry, see [`Loaded::check`]: a file with an entry that fails is refused
    /// as a whole.
    ///
    /// # Errors
    ///
    /// No thread could be started.
    pub fn checked<E, C>(path: impl Into<PathBuf>, env: E, check: C) -> Result<Self, SourceError>
    where
        E: Fn(&str) -> Option<String> + Send + 'static,
        C: Fn(&Entry) -> Vec<Invalid> + Send + 'static,
    {
        let path = path.into();
        let (signals, rings) = signal::sync_channel(1);
        let (items, received) = mpsc::channel(1);
        let bell = Arc::new(Bell {
            signals,
            forced: AtomicBool::new(true),
            stopped: AtomicBool::new(false),
            hash: Mutex::default(),
        });
        // Watch first and read then, so that no change falls between.
        let watcher = watcher(&path, bell.clone());
        let watcher = watcher
            .inspect_err(|error| {
                let path = path.display();
                tracing::warn!(%path, %error, "resources file cannot be watched; reload it by hand");
            })
            .ok();
        let reader = Reader {
            path,
            env,
            check,
            bell: bell.clone(),
            rings,
            items,
            seen: None,
            revision: 0,
        };
        thread::Builder::new()
            .name("resources-file".to_owned())
            .spawn(|| reader.run())
            .map_err(|error| SourceError::new("cannot start a thread").with_source(error))?;
        Ok(Self {
            items: received,
            reloader: Reloader(bell),
            _watcher: watcher,
        })
    }

    /// What has the file read again, for instance when a signal comes.
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
    }

    #[cfg(test)]
    pub(super) fn bell(&self) -> std::sync::Weak<impl Sized + use<>> {
        Arc::downgrade(&self.reloader.0)
    }
}

impl Stream for Watch {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        self.items.poll_recv(cx)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.items.close();
        self.reloader.0.stopped.store(true, Ordering::Release);
        self.reloader.0.ring();
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

fn watcher(path: &Path, bell: Arc<Bell>) -> notify::Result<RecommendedWatcher> {
    let real = path.canonicalize().ok();
    let names: Vec<OsString> = [Some(path), real.as_deref()]
        .into_iter()
        .flatten()
        .filter_map(|path| path.file_name().map(OsStr::to_owned))
        .collect();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // An error may mean that events were lost.
        if event.map_or(true, |event| concerns(&event, &names)) {
            bell.ring();
        }
    })?;
    watcher.watch(parent(path), RecursiveMode::NonRecursive)?;
    // The file that a symbolic link leads to may change in place.
    if let Some(real) = real.as_deref()
        && Some(parent(real)) != parent(path).canonicalize().ok().as_deref()
        && let Err(error) = watcher.watch(parent(real), RecursiveMode::NonRecursive)
    {
        tracing::debug!(%error, "the target of the resources file cannot be watched");
    }
    Ok(watcher)
}

/// The directory of a file. It is what is watched, for a watched file is gone when it is replaced.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Whether an event in the directory may have changed the file: it is about the file itself, or
/// about a directory that Kubernetes swaps, such as `..data`. Reading is no change.
fn concerns(event: &Event, names: &[OsString]) -> bool {
    !matches!(event.kind, EventKind::Access(_))
        && (event.need_rescan()
            || event
                .paths
                .iter()
                .filter_map(|path| path.file_name())
                .any(|name| {
                    names.iter().any(|ours| ours == name)
                        || name.as_encoded_bytes().starts_with(b"..")
                }))
}

// === impl Reloader ===

impl Reloader {
    /// Has the file read again. Returns at once; the item comes even if nothing has changed.
    pub fn reload(&self) {
        self.0.forced.store(true, Ordering::Release);
        self.0.ring();
    }

    /// The SHA-256 of the file as it was when it was last read, in hexadecimal, be it refused or not; `None`
    /// when it could not be read.
    pub fn hash(&self) -> Option<String> {
        self.0.seen().clone()
    }
}

impl fmt::Debug for Reloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloader").finish_non_exhaustive()
    }
}

// === impl Bell ===

impl Bell {
    fn ring(&self) {
        // A full channel holds a signal that was not taken yet, and this one says no more.
        let _ = self.signals.try_send(());
    }

    fn seen(&self) -> MutexGuard<'_, Option<String>> {
        // A text is whole whatever happens to whoever holds it.
        self.hash.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Reader ===

impl<E, C> Reader<E, C>
where
    E: Fn(&str) -> Option<String>,
    C: Fn(&Entry) -> Vec<Invalid>,
{
    fn run(mut self) {
        loop {
            // Taken before the file is read: a later call has it read again.
            let forced = self.bell.forced.swap(false, Ordering::AcqRel);
            if let Some(item) = self.next(forced)
                && self.items.blocking_send(item).is_err()
            {
                return;
            }
            if self.rings.recv().is_err() || self.bell.stopped.load(Ordering::Acquire) {
                return;
            }
            self.settle();
        }
    }

    /// Waits until the file is left alone, but not for ever. A reload by hand does not wait.
    fn settle(&self) {
        for _ in 0..MOST_PAUSES {
            if self.bell.forced.load(Ordering::Acquire) || self.rings.recv_timeout(QUIET) != Ok(())
            {
                return;
            }
        }
    }

    /// Reads the file, and says what came of it unless that is nothing new.
    fn next(&mut self, forced: bool) -> Option<Item> {
        let text = read(&self.path);
        let seen = match &text {
            Ok(text) => Ok(hash(text)),
            Err(message) => Err(message.clone()),
        };
        self.bell.seen().clone_from(&seen.clone().ok());
        if !forced && self.seen.as_ref() == Some(&seen) {
            return None;
        }
        self.seen = Some(seen);
        let name = self.path.display().to_string();
        let loaded = match text {
            Ok(text) => parse(&name, &text, &self.env)
                .and_then(|loaded| loaded.check(&self.check).map(|()| loaded)),
            Err(message) => Err(Report::of_file(&name, message)),
        };
        Some(match loaded {
            Ok(loaded) => Ok(self.accept(loaded)),
            Err(report) => Err(self.refuse(report)),
        })
    }

    fn accept(&mut self, loaded: Loaded) -> Change {
        self.revision += 1;
        let Loaded {
            mut entries, hash, ..
        } = loaded;
        for entry in &mut entries {
            entry.revision = self.revision;
        }
        if self.revision > 1 {
            let (path, resources) = (self.path.display(), entries.len());
            // Whoever applies it says so at a higher level.
            tracing::debug!(%path, resources, hash, revision = self.revision, "resources file read");
        }
        Change::Together(vec![Change::Reset(entries), Change::Hash(hash)])
    }

    fn refuse(&self, report: Report) -> SourceError {
        SourceError::new(if self.revision > 0 {
            format!("resources file reload failed — keeping the previous snapshot: {report}")
        } else {
            report.to_string()
        })
        .with_source(report)
    }
}
