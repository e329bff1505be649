//! The configuration of a process: changes in, snapshots out.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    pin::pin,
    sync::Arc,
};

use arc_swap::ArcSwap;
use futures_util::StreamExt;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{
    Change, ConfigSource, Entry, Key, Known, LastKnown, Reason, Rejection, Report, RowName,
    Snapshot, States, Status,
    compile::Compiler,
    glob::Glob,
    resource::{Kind, Model, Resource, Strictness, decode},
    status::{self, Applied, Failure, Source, Troubles},
    summary::Latest,
};
use crate::upstream::{Registry, Settings};

/// The configuration of a process, shared by all its gateways. A cheap clone.
#[derive(Clone)]
pub struct Config(Arc<Shared>);

struct Shared {
    current: ArcSwap<Snapshot>,
    writer: Mutex<Writer>,
    served: watch::Sender<Served>,
    summary: Latest,
}

/// What is served, in numbers.
#[derive(Clone, Copy, Debug, Default)]
struct Served {
    /// The snapshot.
    sequence: u64,
    /// The revision of the source up to which everything is served.
    revision: Option<u64>,
}

/// Tells where the configuration comes from.
type Describe = Arc<dyn Fn() -> Source + Send + Sync>;

/// Builds a [`Config`].
#[derive(Debug, Default)]
pub struct ConfigBuilder {
    providers: Registry,
    upstream: Settings,
}

/// The resources as they stand, and the next snapshot.
struct Writer {
    compiler: Compiler,
    next: Snapshot,
    /// Persistent, so that a copy is made in no time.
    rows: imbl::HashMap<Key, Arc<Row>>,
    /// The models that use a provider key.
    users: HashMap<Arc<str>, HashSet<Arc<str>>>,
    troubles: Troubles,
    source: Describe,
    revision: Option<u64>,
    applied_at: Timestamp,
    last_reload: Option<(bool, Timestamp)>,
    last_failure: Option<Failure>,
    /// The hash of what is served, as the source tells it.
    hash: Option<String>,
}

/// A resource that is served.
#[derive(Clone)]
pub(super) struct Row {
    /// The document as canonical JSON, which takes a fraction of the memory of a tree.
    pub(super) json: Arc<str>,
    resource: Resource,
    /// The fields that were left out.
    unknown: Vec<String>,
    /// The revision of the source that has brought it.
    revision: u64,
    /// Since when the source has another version, which is not good.
    pub(super) stale_since: Option<Timestamp>,
}

// === impl ConfigBuilder ===

impl ConfigBuilder {
    /// The providers that configuration can name. Default: none.
    #[must_use]
    pub fn providers(mut self, providers: Registry) -> Self {
        self.providers = providers;
        self
    }

    /// What holds for every upstream.
    #[must_use]
    pub fn upstream(mut self, settings: Settings) -> Self {
        self.upstream = settings;
        self
    }

    /// An empty configuration, to be filled by [`Config::apply`] or [`Config::follow`].
    pub fn build(self) -> Config {
        let compiler = Compiler {
            providers: self.providers,
            settings: self.upstream,
            states: States::default(),
        };
        Config(Arc::new(Shared {
            current: ArcSwap::default(),
            writer: Mutex::new(Writer {
                compiler,
                next: Snapshot::default(),
                rows: imbl::HashMap::new(),
                users: HashMap::new(),
                troubles: Troubles::default(),
                source: Arc::new(Source::default),
                revision: None,
                applied_at: Timestamp::UNIX_EPOCH,
                last_reload: None,
                last_failure: None,
                hash: None,
            }),
            served: watch::Sender::default(),
            summary: Latest::default(),
        }))
    }

    /// A configuration that holds these resources.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with any of them, unknown fields included.
    pub fn fixed(self, entries: impl IntoIterator<Item = Entry>) -> Result<Config, Report> {
        let config = self.build();
        let entries = entries.into_iter().collect();
        config.apply([Change::Reset(entries)]).into_result()?;
        Ok(config)
    }
}

// === impl Config ===

impl Config {
    /// Starts a configuration.
    pub fn builder() -> ConfigBuilder {
        ConfigBuilder::default()
    }

    /// The snapshot of this moment. Never waits.
    pub fn current(&self) -> Arc<Snapshot> {
        self.0.current.load_full()
    }

    /// The upstream settings that hold for all models.
    pub fn upstream(&self) -> Settings {
        self.0.writer.lock().compiler.settings
    }

    /// Applies changes that came together, in one swap.
    ///
    /// Each entry is validated by itself: one that is wrong is left out and reported, and its last
    /// good version stays. Requests under way keep the snapshot they have.
    pub fn apply(&self, changes: impl IntoIterator<Item = Change>) -> Report {
        let mut writer = self.0.writer.lock();
        let mut report = Report::default();
        for change in changes {
            writer.change(change, &mut report);
        }
        let now = Timestamp::now();
        writer.last_reload = Some((true, now));
        self.swap(&mut writer, now);
        report
    }

    /// Serves what was known when somebody called [`last_known`](Self::last_known), perhaps in another
    /// process. To be called before a source is followed: what it tells then takes its place.
    ///
    /// A resource that cannot be served any more is left out and reported. One that was served in an older
    /// version goes on being reported as such, since then.
    pub fn restore(&self, known: LastKnown) -> Report {
        let mut writer = self.0.writer.lock();
        let mut report = Report::default();
        for row in known.rows {
            writer.restore(row, &mut report);
        }
        writer.revision = known.revision;
        self.swap(&mut writer, Timestamp::now());
        report
    }

    /// All that is served, to be kept somewhere. Changes wait for hardly longer than a moment.
    pub fn last_known(&self) -> LastKnown {
        let (revision, rows) = {
            let writer = self.0.writer.lock();
            (writer.revision, writer.rows.clone())
        };
        let rows = rows.into_iter().map(|(key, row)| Known {
            key,
            json: row.json.clone(),
            revision: row.revision,
            stale_since: row.stale_since,
        });
        LastKnown {
            revision,
            rows: rows.collect(),
        }
    }

    /// Waits until a snapshot later than this one is served, see [`Snapshot::sequence`]; says which.
    pub async fn changed_since(&self, sequence: u64) -> u64 {
        let mut served = self.0.served.subscribe();
        let later = served.wait_for(|now| now.sequence > sequence).await;
        // The sender is ours, so it is never gone.
        later.map_or(sequence, |now| now.sequence)
    }

    /// Serves what the writer has made.
    fn swap(&self, writer: &mut Writer, now: Timestamp) {
        writer.next.loaded = true;
        writer.next.sequence += 1;
        writer.applied_at = now;
        self.0.current.store(Arc::new(writer.next.clone()));
        self.0.served.send_replace(Served {
            sequence: writer.next.sequence,
            revision: writer.revision,
        });
    }

    /// Waits until everything up to this revision of the source is served.
    ///
    /// The source must tell its revisions ([`Change::At`]), and somebody must apply what it tells.
    pub async fn until(&self, revision: u64) {
        let mut served = self.0.served.subscribe();
        let reached = served.wait_for(|now| now.revision.is_some_and(|now| now >= revision));
        // The sender is ours, so it is never gone.
        let _ = reached.await;
    }

    /// Says where the configuration comes from. It is asked whenever somebody asks for the
    /// [`status`](Self::status), and must not ask for it in turn.
    pub fn describe(&self, source: impl Fn() -> Source + Send + Sync + 'static) {
        self.0.writer.lock().source = Arc::new(source);
    }

    /// Says that a reload was not taken; `reason` is `fetch`, `parse` or `validate`. The message must not
    /// hold secrets.
    pub fn failed(&self, reason: &'static str, message: impl Into<String>) {
        let (at, message) = (Timestamp::now(), message.into());
        let mut writer = self.0.writer.lock();
        writer.last_reload = Some((false, at));
        writer.last_failure = Some(Failure {
            reason,
            message,
            at,
        });
    }

    /// How the configuration stands. Costs time that grows with it, if it has changed since the last
    /// call; changes do not wait for it.
    pub fn status(&self) -> Status {
        let (mut status, rows, source) = {
            let writer = self.0.writer.lock();
            (writer.status(), writer.rows.clone(), writer.source.clone())
        };
        if let Some(applied) = &mut status.applied {
            let summary = self.0.summary.of(applied.sequence, &rows);
            if applied.hash.is_empty() {
                applied.hash.clone_from(&summary.hash);
            }
            applied.counts.clone_from(&summary.counts);
            status.stale.clone_from(&summary.stale);
        }
        status.source = source();
        status
    }

    /// Applies what `source` yields for as long as it is polled; changes that are ready together are
    /// one swap. Dropping the future keeps the last good state.
    ///
    /// Errors of the source are logged, and the source is polled on.
    pub async fn follow(&self, source: impl ConfigSource) {
        const MOST_AT_ONCE: usize = 1_024;
        let mut batches = pin!(source.ready_chunks(MOST_AT_ONCE));
        while let Some(batch) = batches.next().await {
            let mut changes = Vec::with_capacity(batch.len());
            for item in batch {
                match item {
                    Ok(change) => changes.push(change),
                    Err(error) => {
                        tracing::warn!(%error, "configuration source failed; keeping the previous state");
                        self.failed("fetch", error.to_string());
                    }
                }
            }
            if !changes.is_empty() {
                self.apply(changes).log();
            }
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Config").field(&self.current()).finish()
    }
}

// === impl Writer ===

impl Writer {
    fn change(&mut self, change: Change, report: &mut Report) {
        if !matches!(change, Change::At(_) | Change::Together(_)) {
            self.hash = None;
        }
        match change {
            Change::Reset(entries) => self.reset(entries, Vec::new(), report),
            Change::All { entries, rejected } => self.reset(entries, rejected, report),
            Change::Put(entry) => self.put(entry, report),
            Change::Delete(key) => self.delete(&key),
            Change::Reject(rejection) => self.reject(rejection, report),
            Change::Forget(name) => self.troubles.gone(&name),
            Change::Together(changes) => {
                for change in changes {
                    self.change(change, report);
                }
            }
            Change::At(revision) => self.revision = Some(revision),
            Change::Hash(hash) => self.hash = Some(hash),
        }
    }

    fn reset(&mut self, entries: Vec<Entry>, rejected: Vec<Rejection>, report: &mut Report) {
        let names = entries.iter().map(|entry| RowName::from(&entry.key));
        let names = names.chain(rejected.iter().map(|rejection| rejection.name.clone()));
        let names: HashSet<RowName> = names.collect();
        let kept: HashSet<Key> = names.iter().filter_map(RowName::key).collect();
        let gone: Vec<Key> = self
            .rows
            .keys()
            .filter(|key| !kept.contains(key))
            .cloned()
            .collect();
        for key in gone {
            self.delete(&key);
        }
        self.troubles.retain(|name| names.contains(name));
        for entry in entries {
            self.put(entry, report);
        }
        for rejection in rejected {
            self.reject(rejection, report);
        }
    }

    fn put(&mut self, entry: Entry, report: &mut Report) {
        let Entry {
            key,
            value,
            revision,
        } = entry;
        let json = status::canonical(&value);
        if self.is_served(&key, &json, revision) {
            return;
        }
        match decode(key.kind, value, Strictness::Lenient) {
            Err(errors) => self.reject(Rejection::undecoded(&key, errors), report),
            Ok(decoded) => {
                self.troubles.applied(&key, &decoded.unknown);
                let unknown = decoded.unknown.clone();
                if !decoded.unknown.is_empty() {
                    report.unknown.push((key.clone(), decoded.unknown));
                }
                self.remove(&key);
                let resource = decoded.resource;
                let row = Row {
                    json,
                    resource,
                    unknown,
                    revision,
                    stale_since: None,
                };
                self.rows.insert(key.clone(), Arc::new(row));
                self.insert(&key);
            }
        }
    }

    /// Whether just this document is served. If so, nothing is wrong with it any more.
    fn is_served(&mut self, key: &Key, json: &str, revision: u64) -> bool {
        let Some(row) = self.rows.get(key).filter(|row| *row.json == *json) else {
            return false;
        };
        self.troubles.applied(key, &row.unknown);
        let is_as_before = row.revision == revision && row.stale_since.is_none();
        if !is_as_before && let Some(row) = self.rows.get_mut(key) {
            let row = Arc::make_mut(row);
            (row.revision, row.stale_since) = (revision, None);
        }
        true
    }

    fn reject(&mut self, rejection: Rejection, report: &mut Report) {
        let now = Timestamp::now();
        let key = rejection.name.key();
        let stale_since = key.and_then(|key| self.stale(&key, now));
        self.troubles.rejected(&rejection, stale_since, now);
        report.rejected.push(rejection);
    }

    /// Notes that what is served is not what is at the source; says since when, if something is served.
    fn stale(&mut self, key: &Key, since: Timestamp) -> Option<Timestamp> {
        let row = self.rows.get_mut(key)?;
        if row.stale_since.is_none() {
            Arc::make_mut(row).stale_since = Some(since);
        }
        row.stale_since
    }

    fn restore(&mut self, known: Known, report: &mut Report) {
        let (key, revision) = (known.key, known.revision);
        let Ok(value) = serde_json::from_str(&known.json) else {
            let rejection = Rejection::new((&key).into(), Reason::NonJson, "is not JSON");
            return report.rejected.push(rejection);
        };
        let entry = Entry {
            key: key.clone(),
            value,
            revision,
        };
        self.put(entry, report);
        if let Some(since) = known.stale_since.and_then(|since| self.stale(&key, since)) {
            self.troubles.restored(&key, since);
        }
    }

    fn delete(&mut self, key: &Key) {
        self.remove(key);
        self.rows.remove(key);
        self.troubles.gone(&key.into());
        if key.kind == Kind::ProviderKey {
            self.recompile_users(&key.id);
        }
    }

    /// Takes a row's compiled form out of the next snapshot.
    fn remove(&mut self, key: &Key) {
        let Some(row) = self.rows.get(key) else {
            return;
        };
        match &row.resource {
            Resource::Model(model) => {
                remove_model(&mut self.next, &key.id, model);
                let provider_key = model.provider_key_id.as_str();
                if let Some(users) = self.users.get_mut(provider_key) {
                    users.remove(&key.id);
                    if users.is_empty() {
                        self.users.remove(provider_key);
                    }
                }
            }
            Resource::ApiKey(api_key) => {
                for hash in [Some(api_key.key_hash), api_key.previous_key_hash] {
                    let caller = hash.and_then(|hash| Some((hash, self.next.callers.get(&hash)?)));
                    if let Some((hash, _)) = caller.filter(|(_, caller)| *caller.id() == key.id) {
                        self.next.callers.remove(&hash);
                    }
                }
            }
            _ => {}
        }
    }

    /// Compiles a row into the next snapshot.
    fn insert(&mut self, key: &Key) {
        let Some(row) = self.rows.get(key) else {
            return;
        };
        match &row.resource {
            Resource::Model(model) => {
                let users = self.users.entry(model.provider_key_id.as_str().into());
                users.or_default().insert(key.id.clone());
                let compiled = self.compile_model(&key.id, model);
                insert_model(&mut self.next, compiled);
            }
            Resource::ApiKey(api_key) => {
                let callers = self.compiler.callers(&key.id, api_key);
                self.next.callers.extend(callers);
            }
            Resource::ProviderKey(_) => self.recompile_users(&key.id),
        }
    }

    /// All that costs little.
    fn status(&self) -> Status {
        let applied = self.next.loaded.then(|| Applied {
            revision: self.revision,
            sequence: self.next.sequence,
            at: self.applied_at,
            hash: self.hash.clone().unwrap_or_default(),
            counts: Vec::new(),
        });
        Status {
            source: Source::default(),
            applied,
            last_reload: self.last_reload,
            last_failure: self.last_failure.clone(),
            rejected: self.troubles.all_rejected(),
            stale: Vec::new(),
            partial: self.troubles.fields(),
        }
    }

    fn recompile_users(&mut self, provider_key: &str) {
        let users = self.users.get(provider_key).cloned().unwrap_or_default();
        for id in users {
            let key = Key {
                kind: Kind::Model,
                id: id.clone(),
            };
            if let Some(Resource::Model(model)) = self.rows.get(&key).map(|row| &row.resource) {
                let compiled = self.compile_model(&id, model);
                insert_model(&mut self.next, compiled);
            }
        }
    }

    fn compile_model(&self, id: &Arc<str>, model: &Model) -> Arc<crate::models::Model> {
        let key = Key {
            kind: Kind::ProviderKey,
            id: model.provider_key_id.as_str().into(),
        };
        let provider_key = self.rows.get_key_value(&key);
        let provider_key = provider_key.and_then(|(key, row)| match &row.resource {
            Resource::ProviderKey(row) => Some((&key.id, row)),
            _ => None,
        });
        self.compiler.model(id, model, provider_key)
    }
}

fn wildcard_key(model: &crate::models::Model) -> Option<(std::cmp::Reverse<usize>, Arc<str>)> {
    let glob = model.glob.as_ref()?;
    Some((std::cmp::Reverse(glob.literal_len()), model.name.clone()))
}

fn insert_model(next: &mut Snapshot, model: Arc<crate::models::Model>) {
    match wildcard_key(&model) {
        Some(key) => next.wildcards.insert(key, model),
        None => next.models.insert(model.name.clone(), model),
    };
}

fn remove_model(next: &mut Snapshot, id: &Arc<str>, model: &Model) {
    let name = model.display_name.as_str();
    if next.models.get(name).is_some_and(|found| found.id == *id) {
        next.models.remove(name);
    }
    if name.contains('*') {
        let length = Glob::new(name).literal_len();
        let key = (std::cmp::Reverse(length), Arc::from(name));
        if next
            .wildcards
            .get(&key)
            .is_some_and(|found| found.id == *id)
        {
            next.wildcards.remove(&key);
        }
    }
}
