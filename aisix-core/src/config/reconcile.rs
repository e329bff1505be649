//! The configuration of a process: changes in, snapshots out.

use std::{collections::HashMap, fmt, pin::pin, sync::Arc};

use arc_swap::ArcSwap;
use futures_util::StreamExt;
use parking_lot::Mutex;

use super::{
    Change, ConfigSource, Entry, Key, Rejection, Report, Snapshot, States,
    compile::Compiler,
    resource::{Kind, Model, Resource, Strictness, decode},
};
use crate::upstream::{Registry, Settings};

/// The configuration of a process, shared by all its gateways. A cheap clone.
#[derive(Clone)]
pub struct Config(Arc<Shared>);

struct Shared {
    current: ArcSwap<Snapshot>,
    writer: Mutex<Writer>,
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
    users: HashMap<Arc<str>, Vec<Arc<str>>>,
}

struct Row {
    value: serde_json::Value,
    resource: Resource,
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
            }),
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
        writer.next.loaded = true;
        writer.next.sequence += 1;
        self.0.current.store(Arc::new(writer.next.clone()));
        report
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
        }
    }

    fn reset(&mut self, entries: Vec<Entry>, report: &mut Report) {
        let kept: std::collections::HashSet<Key> =
            entries.iter().map(|entry| entry.key.clone()).collect();
        let gone: Vec<Key> = self
            .rows
            .keys()
            .filter(|key| !kept.contains(key))
            .cloned()
            .collect();
        for key in gone {
            self.delete(&key);
        }
        for entry in entries {
            self.put(entry, report);
        }
    }

    fn put(&mut self, entry: Entry, report: &mut Report) {
        let Entry { key, value, .. } = entry;
        if self.rows.get(&key).is_some_and(|row| row.value == value) {
            return;
        }
        match decode(key.kind, value.clone(), Strictness::Lenient) {
            Err(errors) => report.rejected.push(Rejection { key, errors }),
            Ok(decoded) => {
                if !decoded.unknown.is_empty() {
                    report.unknown.push((key.clone(), decoded.unknown));
                }
                self.remove(&key);
                let resource = decoded.resource;
                self.rows.insert(key.clone(), Row { value, resource });
                self.insert(&key);
            }
        }
    }

    fn delete(&mut self, key: &Key) {
        self.remove(key);
        self.rows.remove(key);
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
                if let Some(users) = self.users.get_mut(model.provider_key_id.as_str()) {
                    users.retain(|user| *user != key.id);
                }
                self.users.retain(|_, users| !users.is_empty());
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
                users.or_default().push(key.id.clone());
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
    let key = next
        .wildcards
        .iter()
        .find(|(_, found)| found.id == *id)
        .map(|(key, _)| key.clone());
    if let Some(key) = key {
        next.wildcards.remove(&key);
    }
}
