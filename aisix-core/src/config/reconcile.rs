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
    claims::{Claim, Claims},
    compile::Compiler,
    resource::{ApiKey, KeyHash, Kind, Resource, Strictness, decode},
    status::{self, Applied, Failure, Rejected, Source, Troubles},
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
    rows: HashMap<Key, Row>,
    /// The models that use a provider key.
    users: HashMap<Arc<str>, HashSet<Arc<str>>>,
    /// The names of models that several have.
    names: Claims<Arc<str>>,
    /// The hashes of credentials that several API keys have.
    hashes: Claims<KeyHash>,
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
                rows: HashMap::new(),
                users: HashMap::new(),
                names: Claims::default(),
                hashes: Claims::default(),
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
        writer.next.revision = writer.revision;
        writer.applied_at = now;
        writer.last_reload = Some((true, now));
        self.0.current.store(Arc::new(writer.next.clone()));
        self.0.revision.send_replace(writer.revision);
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

    /// Says where the configuration comes from, for [`status`](Self::status), and whether that can be
    /// reached.
    pub fn describe(&self, source: Source) {
        let mut writer = self.0.writer.lock();
        let lost = writer.source.lost_since.take();
        let is_lost = source.connected == Some(false);
        writer.source = source;
        writer.source.lost_since = is_lost.then(|| lost.unwrap_or_else(Timestamp::now));
    }

    /// Where the configuration comes from, as it was described last.
    pub fn source(&self) -> Source {
        self.0.writer.lock().source.clone()
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
        self.0.writer.lock().status()
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

    /// Takes a row's compiled form out of the next snapshot; whoever is hidden behind it takes over.
    fn remove(&mut self, key: &Key) {
        match self.rows.get(key).map(|row| &row.resource) {
            Some(Resource::Model(model)) => {
                let provider_key = model.provider_key_id.clone();
                let name = model.display_name.clone();
                self.remove_model(&key.id, &name);
                if let Some(users) = self.users.get_mut(provider_key.as_str()) {
                    users.remove(&key.id);
                    if users.is_empty() {
                        self.users.remove(provider_key.as_str());
                    }
                }
            }
            Some(Resource::ApiKey(api_key)) => {
                for (hash, _) in credentials(api_key) {
                    self.remove_caller(&key.id, hash);
                }
            }
            _ => {}
        }
    }

    fn remove_model(&mut self, id: &Arc<str>, name: &str) {
        let heir = self.names.remove(&name.into(), id);
        if self.next.named(name).is_none_or(|found| found.id != *id) {
            return;
        }
        match heir.and_then(|heir| self.compiled(&heir)) {
            Some(model) => self.next.put_model(model),
            None => self.next.remove_model(name),
        }
    }

    fn remove_caller(&mut self, id: &Arc<str>, hash: KeyHash) {
        let heir = self.hashes.remove(&hash, id);
        let served = self.next.callers.get(&hash);
        if served.is_none_or(|caller| *caller.id() != *id) {
            return;
        }
        let heir = heir.and_then(|id| {
            let api_key = self.api_key(&id)?;
            let mut callers = self.compiler.callers(&id, api_key);
            callers.find(|(of, _)| *of == hash)
        });
        match heir {
            Some((_, caller)) => drop(self.next.callers.insert(hash, caller)),
            None => drop(self.next.callers.remove(&hash)),
        }
    }

    /// Compiles a row into the next snapshot, unless another one has its name.
    fn insert(&mut self, key: &Key) {
        match self.rows.get(key).map(|row| &row.resource) {
            Some(Resource::Model(model)) => {
                let users = self.users.entry(model.provider_key_id.as_str().into());
                users.or_default().insert(key.id.clone());
                let name = model.display_name.as_str();
                let served = self.next.named(name).map(|model| Claim::of(&model.id));
                let is_first = served
                    .is_none_or(|served| self.names.add(name.into(), served, Claim::of(&key.id)));
                if let Some(model) = self.compiled(&key.id).filter(|_| is_first) {
                    self.next.put_model(model);
                }
            }
            Some(Resource::ApiKey(api_key)) => {
                let callers: Vec<_> = self.compiler.callers(&key.id, api_key).collect();
                let claims: Vec<_> = credentials(api_key).collect();
                for (hash, caller) in callers {
                    let is_past = claims.contains(&(hash, true));
                    let id = key.id.clone();
                    let claim = Claim { is_past, id };
                    let served = self.served_by(&hash);
                    if served.is_none_or(|served| self.hashes.add(hash, served, claim)) {
                        self.next.callers.insert(hash, caller);
                    }
                }
            }
            Some(Resource::ProviderKey(_)) => self.recompile_users(&key.id),
            None => {}
        }
    }

    /// By what the API key that serves a credential claims it.
    fn served_by(&self, hash: &KeyHash) -> Option<Claim> {
        let id = self.next.callers.get(hash)?.id().clone();
        let is_past = self.api_key(&id)?.key_hash != *hash;
        Some(Claim { is_past, id })
    }

    fn api_key(&self, id: &Arc<str>) -> Option<&ApiKey> {
        let (kind, id) = (Kind::ApiKey, id.clone());
        match &self.rows.get(&Key { kind, id })?.resource {
            Resource::ApiKey(api_key) => Some(api_key),
            _ => None,
        }
    }

    /// What is not served because another one has its name or credential, besides what was rejected.
    fn rejected(&self) -> Vec<Rejected> {
        let mut rejected = self.troubles.all_rejected();
        let models = self
            .names
            .hidden()
            .map(|it| (Kind::Model, "display_name", it));
        let api_keys = self.hashes.hidden().map(|it| {
            let field = match it.claim.is_past {
                true => "previous_key_hash",
                false => "key_hash",
            };
            (Kind::ApiKey, field, it)
        });
        let known: HashSet<Key> = rejected.iter().map(|it| it.key.clone()).collect();
        for (kind, field, hidden) in models.chain(api_keys) {
            let (id, by) = (hidden.claim.id.clone(), hidden.by);
            let key = Key { kind, id };
            if !known.contains(&key) {
                let message = format!("`{field}` is also that of {kind}/{by}, which is served");
                rejected.push(Rejected {
                    key,
                    message,
                    first_seen: hidden.since,
                    last_seen: hidden.since,
                    stale_since: None,
                });
            }
        }
        // Both credentials of an API key may be hidden.
        rejected.sort_by(|a, b| (&a.key, &a.message).cmp(&(&b.key, &b.message)));
        rejected.dedup_by(|next, first| {
            let is_same = next.key == first.key;
            if is_same {
                first.message = format!("{}; {}", first.message, next.message);
            }
            is_same
        });
        rejected.truncate(status::MAX_REJECTED);
        rejected
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
            rejected: self.rejected(),
            partial: self.troubles.fields(),
        }
    }

    fn recompile_users(&mut self, provider_key: &str) {
        let users = self.users.get(provider_key).cloned().unwrap_or_default();
        for id in users {
            let compiled = self.compiled(&id).filter(|model| {
                let served = self.next.named(&model.name);
                served.is_some_and(|served| served.id == id)
            });
            if let Some(model) = compiled {
                self.next.put_model(model);
            }
        }
    }

    /// A model that is known, compiled with its provider key as they are now.
    fn compiled(&self, id: &Arc<str>) -> Option<Arc<crate::models::Model>> {
        let key = |kind, id: &str| Key {
            kind,
            id: id.into(),
        };
        let row = self.rows.get(&key(Kind::Model, id))?;
        let Resource::Model(model) = &row.resource else {
            return None;
        };
        let provider_key = key(Kind::ProviderKey, &model.provider_key_id);
        let provider_key = match self.rows.get_key_value(&provider_key) {
            Some((key, row)) => match &row.resource {
                Resource::ProviderKey(document) => Some((&key.id, document)),
                _ => None,
            },
            None => None,
        };
        Some(self.compiler.model(id, model, provider_key))
    }
}

/// The credentials of an API key, and whether each is one of the past.
fn credentials(api_key: &ApiKey) -> impl Iterator<Item = (KeyHash, bool)> + use<> {
    let (present, past) = (api_key.key_hash, api_key.previous_key_hash);
    let past = past.filter(|past| *past != present);
    let past = past.map(|hash| (hash, true));
    past.into_iter().chain([(present, false)])
}
