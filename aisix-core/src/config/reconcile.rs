//! The configuration of a process: changes in, snapshots out.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt,
    pin::pin,
    sync::Arc,
};

use arc_swap::ArcSwap;
use futures_util::StreamExt;
use jiff::Timestamp;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;

use super::{
    Change, ConfigSource, Entry, Key, Known, LastKnown, Reason, Rejection, Report, RowName,
    Snapshot, States, Status,
    claims::{Claim, Claims},
    compile::Compiler,
    resource::{ApiKey, Decoded, Invalid, KeyHash, Kind, Resource, Strictness, decode},
    retired::Retired,
    status::{self, Applied, Failure, Rejected, Source, Troubles},
    summary::Latest,
};
use crate::{
    call::Caller,
    hook::{self, Chain, Chains, Hooks},
    upstream::{Registry, Settings},
};

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
    hooks: Hooks,
    upstream: Settings,
}

/// The resources as they stand, and the next snapshot.
struct Writer {
    compiler: Compiler,
    next: Snapshot,
    retired: Retired,
    /// Persistent, so that a copy is made in no time.
    rows: imbl::HashMap<Key, Arc<Row>>,
    /// The models that use a provider key.
    users: HashMap<Arc<str>, HashSet<Arc<str>>>,
    /// The names of models that several have.
    names: Claims<Arc<str>>,
    /// The hashes of credentials that several API keys have.
    hashes: Claims<KeyHash>,
    /// The chains of gateways by their ids.
    gateways: BTreeMap<Arc<str>, Option<Arc<Chain>>>,
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
    /// The hooks that hang on it.
    chain: Option<Arc<Chain>>,
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

    /// The hooks that configuration can name. Default: none.
    #[must_use]
    pub fn hooks(mut self, hooks: Hooks) -> Self {
        self.hooks = hooks;
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
            chains: Chains {
                hooks: self.hooks,
                innermost: hook::innermost(self.upstream),
            },
        };
        Config(Arc::new(Shared {
            current: ArcSwap::default(),
            writer: Mutex::new(Writer {
                compiler,
                next: Snapshot::default(),
                retired: Retired::default(),
                rows: imbl::HashMap::new(),
                users: HashMap::new(),
                names: Claims::default(),
                hashes: Claims::default(),
                gateways: BTreeMap::new(),
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

    /// The hooks that configuration can name.
    pub fn hooks(&self) -> Hooks {
        self.0.writer.lock().compiler.chains.hooks.clone()
    }

    /// Checks what a document says about hooks, as strictly as people want it. Whether the document is
    /// one of its kind, [`decode`] has to say.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn check_plugins(&self, key: &Key, resource: &Resource) -> Result<(), Vec<Invalid>> {
        let chains = self.0.writer.lock().compiler.chains.clone();
        // With states of its own: what is only tried leaves nothing behind.
        let states = States::default();
        chains
            .compile(key, resource.plugins(), Strictness::Strict, &states)
            .map(drop)
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
        self.swap(writer, now);
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
        self.swap(writer, Timestamp::now());
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
    fn swap(&self, mut writer: MutexGuard<'_, Writer>, now: Timestamp) {
        writer.next.loaded = true;
        writer.next.sequence += 1;
        writer.next.revision = writer.revision;
        writer.applied_at = now;
        let old = self.0.current.swap(Arc::new(writer.next.clone()));
        self.0.served.send_replace(Served {
            sequence: writer.next.sequence,
            revision: writer.revision,
        });
        writer.retired.push(old);
        let gone = writer.retired.free();
        drop(writer);
        // It may be much, and nobody is to wait for it.
        drop(gone);
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

    /// Where the configuration comes from, as it is at this moment.
    pub fn source(&self) -> Source {
        let source = self.0.writer.lock().source.clone();
        source()
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
        let (mut status, rows, source, gone) = {
            let mut writer = self.0.writer.lock();
            let gone = writer.retired.free();
            (
                writer.status(),
                writer.rows.clone(),
                writer.source.clone(),
                gone,
            )
        };
        drop(gone);
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
        let compiled = decode(key.kind, value, Strictness::Lenient)
            .and_then(|decoded| self.chain(&key, decoded));
        match compiled {
            Err(errors) => self.reject(Rejection::undecoded(&key, errors), report),
            Ok((decoded, chain)) => {
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
                    chain,
                    revision,
                    stale_since: None,
                };
                self.rows.insert(key.clone(), Arc::new(row));
                self.insert(&key);
            }
        }
    }

    /// The hooks that hang on a resource: those it has, if nothing was changed about them.
    fn chain(
        &self,
        key: &Key,
        mut decoded: Decoded,
    ) -> Result<(Decoded, Option<Arc<Chain>>), Vec<Invalid>> {
        let plugins = decoded.resource.plugins();
        if plugins.is_empty() {
            return Ok((decoded, None));
        }
        let old = self.rows.get(key);
        if let Some(old) = old.filter(|old| old.resource.plugins() == plugins) {
            let in_settings = |path: &&String| path.starts_with(Chain::SETTINGS);
            let unknown = old.unknown.iter().filter(in_settings).cloned();
            decoded.unknown.extend(unknown);
            return Ok((decoded, old.chain.clone()));
        }
        let chains = &self.compiler.chains;
        let states = &self.compiler.states;
        let (chain, unknown) = chains.compile(key, plugins, Strictness::Lenient, states)?;
        decoded.unknown.extend(unknown);
        Ok((decoded, chain))
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
            Some(Resource::Gateway(_)) => {
                self.gateways.remove(&key.id);
                self.next.chain = self.first_gateway();
            }
            Some(Resource::ProviderKey(_)) | None => {}
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
            let mut callers = self.callers(&id, api_key);
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
                let callers: Vec<_> = self.callers(&key.id, api_key).collect();
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
            Some(Resource::Gateway(_)) => {
                let chain = self.chain_of(key);
                self.gateways.insert(key.id.clone(), chain);
                self.next.chain = self.first_gateway();
            }
            None => {}
        }
    }

    /// The chain of the gateway: of several of one name, the one whose id sorts first.
    fn first_gateway(&self) -> Option<Arc<Chain>> {
        self.gateways.values().next().cloned().flatten()
    }

    fn chain_of(&self, key: &Key) -> Option<Arc<Chain>> {
        self.rows.get(key).and_then(|row| row.chain.clone())
    }

    fn callers(
        &self,
        id: &Arc<str>,
        api_key: &ApiKey,
    ) -> impl Iterator<Item = (KeyHash, Arc<Caller>)> + use<> {
        let (kind, id) = (Kind::ApiKey, id.clone());
        let key = Key { kind, id };
        let chain = self.chain_of(&key);
        self.compiler.callers(&key.id, api_key, chain.as_ref())
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
        let hidden = models.chain(api_keys).map(|(kind, field, hidden)| {
            let message = format!(
                "`{field}` is also that of {kind}/{}, which is served",
                hidden.by
            );
            let id = hidden.claim.id.clone();
            (Key { kind, id }, message, hidden.since)
        });
        let known: BTreeSet<RowName> = rejected.iter().map(|it| it.name.clone()).collect();
        for (key, message, since) in hidden {
            let name = RowName::from(&key);
            if !known.contains(&name) {
                rejected.push(Rejected {
                    name,
                    reason: Some(Reason::SchemaFailed),
                    message,
                    first_seen: since,
                    last_seen: since,
                    stale_since: None,
                });
            }
        }
        // Both credentials of an API key may be hidden.
        rejected.sort_by(|a, b| (&a.name, &a.message).cmp(&(&b.name, &b.message)));
        rejected.dedup_by(|next, first| {
            let is_same = next.name == first.name;
            if is_same {
                first.message = format!("{}; {}", first.message, next.message);
            }
            is_same
        });
        rejected.truncate(status::MAX_REJECTED);
        rejected
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
            rejected: self.rejected(),
            stale: Vec::new(),
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
        let chain = row.chain.clone();
        Some(self.compiler.model(id, model, provider_key, chain))
    }
}

/// The credentials of an API key, and whether each is one of the past.
fn credentials(api_key: &ApiKey) -> impl Iterator<Item = (KeyHash, bool)> + use<> {
    let (present, past) = (api_key.key_hash, api_key.previous_key_hash);
    let past = past.filter(|past| *past != present);
    let past = past.map(|hash| (hash, true));
    past.into_iter().chain([(present, false)])
}
