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
    Change, ConfigSource, Entry, Key, Rejection, Report, Snapshot, States, Status,
    compile::Compiler,
    glob::Glob,
    resource::{Kind, Model, Resource, Strictness, decode},
    retired::Retired,
    status::{self, Applied, Failure, Source, Troubles},
};
use crate::upstream::{Registry, Settings};

/// The configuration of a process, shared by all its gateways. A cheap clone.
#[derive(Clone)]
pub struct Config(Arc<Shared>);

struct Shared {
    current: ArcSwap<Snapshot>,
    writer: Mutex<Writer>,
    /// The revision of the source up to which everything is served.
    revision: watch::Sender<Option<u64>>,
}

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
    retired: Retired,
    rows: HashMap<Key, Row>,
    /// The models that use a provider key.
    users: HashMap<Arc<str>, HashSet<Arc<str>>>,
    troubles: Troubles,
    source: Source,
    revision: Option<u64>,
    applied_at: Timestamp,
    last_reload: Option<(bool, Timestamp)>,
    last_failure: Option<Failure>,
    /// The hash of a sequence, made when somebody asks.
    hash: Option<(u64, String)>,
}

struct Row {
    /// The document as canonical JSON, which takes a fraction of the memory of a tree.
    json: Box<str>,
    resource: Resource,
    /// The fields that were left out.
    unknown: Vec<String>,
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
                retired: Retired::default(),
                rows: HashMap::new(),
                users: HashMap::new(),
                troubles: Troubles::default(),
                source: Source::default(),
                revision: None,
                applied_at: Timestamp::UNIX_EPOCH,
                last_reload: None,
                last_failure: None,
                hash: None,
            }),
            revision: watch::Sender::new(None),
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
        writer.next.loaded = true;
        writer.next.sequence += 1;
        writer.applied_at = now;
        writer.last_reload = Some((true, now));
        let old = self.0.current.swap(Arc::new(writer.next.clone()));
        self.0.revision.send_replace(writer.revision);
        writer.retired.push(old);
        let gone = writer.retired.free();
        drop(writer);
        // It may be much, and nobody is to wait for it.
        drop(gone);
        report
    }

    /// Waits until everything up to this revision of the source is served.
    ///
    /// The source must tell its revisions ([`Change::At`]), and somebody must apply what it tells.
    pub async fn until(&self, revision: u64) {
        let mut told = self.0.revision.subscribe();
        let reached = told.wait_for(|now| now.is_some_and(|now| now >= revision));
        // The sender is ours, so it is never gone.
        let _ = reached.await;
    }

    /// Says where the configuration comes from, for [`status`](Self::status).
    pub fn describe(&self, source: Source) {
        self.0.writer.lock().source = source;
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
    /// call.
    pub fn status(&self) -> Status {
        let mut writer = self.0.writer.lock();
        let gone = writer.retired.free();
        let status = writer.status();
        drop(writer);
        drop(gone);
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
        match change {
            Change::Reset(entries) => self.reset(entries, report),
            Change::Put(entry) => self.put(entry, report),
            Change::Delete(key) => self.delete(&key),
            Change::Together(changes) => {
                for change in changes {
                    self.change(change, report);
                }
            }
            Change::At(revision) => self.revision = Some(revision),
        }
    }

    fn reset(&mut self, entries: Vec<Entry>, report: &mut Report) {
        let kept: HashSet<Key> = entries.iter().map(|entry| entry.key.clone()).collect();
        let gone: Vec<Key> = self
            .rows
            .keys()
            .filter(|key| !kept.contains(key))
            .cloned()
            .collect();
        for key in gone {
            self.delete(&key);
        }
        self.troubles.retain(|key| kept.contains(key));
        for entry in entries {
            self.put(entry, report);
        }
    }

    fn put(&mut self, entry: Entry, report: &mut Report) {
        let Entry { key, value, .. } = entry;
        let json = status::canonical(&value);
        if let Some(row) = self.rows.get(&key)
            && row.json == json
        {
            self.troubles.applied(&key, &row.unknown);
            return;
        }
        match decode(key.kind, value, Strictness::Lenient) {
            Err(errors) => {
                let rejection = Rejection { key, errors };
                let is_stale = self.rows.contains_key(&rejection.key);
                self.troubles
                    .rejected(&rejection, is_stale, Timestamp::now());
                report.rejected.push(rejection);
            }
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
                };
                self.rows.insert(key.clone(), row);
                self.insert(&key);
            }
        }
    }

    fn delete(&mut self, key: &Key) {
        self.remove(key);
        self.rows.remove(key);
        self.troubles.gone(key);
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

    fn status(&mut self) -> Status {
        let sequence = self.next.sequence;
        let applied = self.next.loaded.then(|| {
            let hash = match self.hash.take() {
                Some((of, hash)) if of == sequence => hash,
                _ => status::hash(self.rows.iter().map(|(key, row)| (key, &*row.json))),
            };
            self.hash = Some((sequence, hash.clone()));
            let counts = Kind::ALL.into_iter().map(|kind| {
                let of_kind = self.rows.keys().filter(|key| key.kind == kind);
                (kind, of_kind.count())
            });
            Applied {
                revision: self.revision,
                sequence,
                at: self.applied_at,
                hash,
                counts: counts.filter(|(_, count)| *count > 0).collect(),
            }
        });
        Status {
            source: self.source.clone(),
            applied,
            last_reload: self.last_reload,
            last_failure: self.last_failure.clone(),
            rejected: self.troubles.all_rejected(),
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
        let provider_key = match self.rows.get_key_value(&key) {
            Some((
                key,
                Row {
                    resource: Resource::ProviderKey(row),
                    ..
                },
            )) => Some((&key.id, row)),
            _ => None,
        };
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
