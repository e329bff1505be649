//! Folding changes into the next snapshot: each entry is validated, and what it touches is compiled.

mod rejected;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    Change, Entry, Key, Known, Reason, Rejection, Report, RowName, Snapshot, Status,
    caches::CachePolicies,
    claims::{Claim, Claims},
    compile::{Compiler, Surroundings},
    groups::Groups,
    guardrails::Guardrails,
    resource::{ApiKey, Decoded, Invalid, KeyHash, Kind, Resource, Strictness, decode},
    retired::Retired,
    status::{self, Applied, Failure, Rejected, Source, Troubles},
    upstreams::Upstreams,
};
use crate::{
    call::Caller,
    hook::{Chain, Guard},
};

/// Tells where the configuration comes from.
type Describe = Arc<dyn Fn() -> Source + Send + Sync>;

/// The resources as they stand, and the next snapshot.
pub(super) struct Writer {
    pub(super) compiler: Compiler,
    pub(super) next: Snapshot,
    pub(super) retired: Retired,
    /// Persistent, so that a copy is made in no time.
    pub(super) rows: imbl::HashMap<Key, Arc<Row>>,
    /// The models that use a provider key.
    users: HashMap<Arc<str>, HashSet<Arc<str>>>,
    /// The provider keys that name an upstream.
    upstreams: Upstreams,
    /// The names of models that several have.
    names: Claims<Arc<str>>,
    /// The models that stand for others.
    groups: Groups,
    /// The hashes of credentials that several API keys have.
    hashes: Claims<KeyHash>,
    /// The chains of gateways by their ids.
    gateways: BTreeMap<Arc<str>, Option<Arc<Chain>>>,
    guardrails: Guardrails,
    caches: CachePolicies,
    troubles: Troubles,
    pub(super) source: Describe,
    pub(super) revision: Option<u64>,
    pub(super) applied_at: Timestamp,
    pub(super) last_reload: Option<(bool, Timestamp)>,
    pub(super) last_failure: Option<Failure>,
    /// The hash of what is served, as the source tells it.
    pub(super) hash: Option<String>,
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
    /// Of a guardrail, the guard.
    guard: Option<Arc<Guard>>,
    /// The revision of the source that has brought it.
    pub(super) revision: u64,
    /// Since when the source has another version, which is not good.
    pub(super) stale_since: Option<Timestamp>,
}

// === impl Writer ===

impl Writer {
    pub(super) fn new(compiler: Compiler) -> Self {
        Self {
            compiler,
            next: Snapshot::default(),
            retired: Retired::default(),
            rows: imbl::HashMap::new(),
            users: HashMap::new(),
            upstreams: Upstreams::default(),
            names: Claims::default(),
            groups: Groups::default(),
            hashes: Claims::default(),
            gateways: BTreeMap::new(),
            guardrails: Guardrails::default(),
            caches: CachePolicies::default(),
            troubles: Troubles::default(),
            source: Arc::new(Source::default),
            revision: None,
            applied_at: Timestamp::UNIX_EPOCH,
            last_reload: None,
            last_failure: None,
            hash: None,
        }
    }

    pub(super) fn change(&mut self, change: Change, report: &mut Report) {
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
            .and_then(|decoded| self.model(decoded))
            .and_then(|decoded| self.chain(&key, decoded))
            .and_then(|(decoded, chain)| Ok((self.guard(&key, decoded)?, chain)));
        match compiled {
            Err(errors) => self.reject(Rejection::undecoded(&key, errors), report),
            Ok(((decoded, guard), chain)) => {
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
                    guard,
                    revision,
                    stale_since: None,
                };
                self.rows.insert(key.clone(), Arc::new(row));
                self.insert(&key);
            }
        }
    }

    /// Whether it can be served, if it is a model.
    fn model(&self, decoded: Decoded) -> Result<Decoded, Vec<Invalid>> {
        self.compiler.check_model(&decoded.resource)?;
        Ok(decoded)
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

    /// The guard of a guardrail: the one it has, if nothing was changed about it.
    fn guard(
        &self,
        key: &Key,
        mut decoded: Decoded,
    ) -> Result<(Decoded, Option<Arc<Guard>>), Vec<Invalid>> {
        let Resource::Guardrail(guardrail) = &decoded.resource else {
            return Ok((decoded, None));
        };
        let old = self.rows.get(key).filter(|old| match &old.resource {
            Resource::Guardrail(old) => old.is_same_guard(guardrail),
            _ => false,
        });
        if let Some(old) = old {
            decoded.unknown.clone_from(&old.unknown);
            return Ok((decoded, old.guard.clone()));
        }
        let (chains, states) = (&self.compiler.chains, &self.compiler.states);
        let (guard, unknown) = chains.guard(key, guardrail, Strictness::Lenient, states)?;
        decoded.unknown = unknown;
        Ok((decoded, Some(guard)))
    }

    /// Brings what depends on several resources into the next snapshot.
    pub(super) fn finish(&mut self) {
        for group in self.groups.take() {
            self.recompile(&group);
        }
        let innermost = &self.compiler.chains.innermost;
        if let Some(guards) = self.guardrails.changed(innermost) {
            self.next.guards = guards;
        }
        if let Some(caches) = self.caches.changed() {
            self.next.caches = caches;
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

    pub(super) fn restore(&mut self, known: Known, report: &mut Report) {
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
        match key.kind {
            Kind::ProviderKey => self.recompile_users(&key.id),
            Kind::Upstream => self.recompile_keys(&key.id),
            _ => {}
        }
    }

    /// Takes a row's compiled form out of the next snapshot; whoever is hidden behind it takes over.
    fn remove(&mut self, key: &Key) {
        match self.rows.get(key).map(|row| &row.resource) {
            Some(Resource::Model(model)) => {
                let provider_key = model.direct().map(|it| it.provider_key_id.clone());
                let name = model.display_name.clone();
                self.groups.remove(&key.id);
                self.remove_model(&key.id, &name);
                if let Some(provider_key) = provider_key
                    && let Some(users) = self.users.get_mut(provider_key.as_str())
                {
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
            Some(Resource::Guardrail(_)) => self.guardrails.remove(&key.id),
            Some(Resource::GuardrailAttachment(_)) => self.guardrails.detach(&key.id),
            Some(Resource::RateLimitPolicy(_)) => self.next.remove_policy(&key.id),
            Some(Resource::CachePolicy(_)) => self.caches.remove(&key.id),
            Some(Resource::Upstream(_)) => drop(self.next.upstreams.remove(&key.id)),
            Some(Resource::ProviderKey(provider_key)) => {
                if let Some(upstream) = &provider_key.upstream_id {
                    self.upstreams.remove(upstream, &key.id);
                }
            }
            None => {}
        }
    }

    fn remove_model(&mut self, id: &Arc<str>, name: &str) {
        let heir = self.names.remove(&name.into(), id);
        if self.next.named(name).is_none_or(|found| found.id != *id) {
            return;
        }
        match heir.and_then(|heir| self.compiled(&heir)) {
            Some(model) => self.serve(model),
            None => {
                self.groups.changed(name);
                self.next.remove_model(name);
            }
        }
    }

    /// Serves a model in the place of its name.
    fn serve(&mut self, model: Arc<crate::models::Model>) {
        self.groups.changed(&model.name);
        self.next.put_model(model);
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
                if let Some(direct) = model.direct() {
                    let users = self.users.entry(direct.provider_key_id.as_str().into());
                    users.or_default().insert(key.id.clone());
                }
                let members = model.shape.names();
                if !members.is_empty() {
                    self.groups.put(&key.id, members);
                }
                let name = model.display_name.as_str();
                let served = self.next.named(name).map(|model| Claim::of(&model.id));
                let is_first = served
                    .is_none_or(|served| self.names.add(name.into(), served, Claim::of(&key.id)));
                if let Some(model) = self.compiled(&key.id).filter(|_| is_first) {
                    self.serve(model);
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
            Some(Resource::Upstream(upstream)) => {
                let pool = self.compiler.upstream(&key.id, upstream);
                self.next.upstreams.insert(key.id.clone(), pool);
                self.recompile_keys(&key.id);
            }
            Some(Resource::ProviderKey(provider_key)) => {
                if let Some(upstream) = &provider_key.upstream_id {
                    self.upstreams.put(upstream, &key.id);
                }
                self.recompile_users(&key.id);
            }
            Some(Resource::Gateway(_)) => {
                let chain = self.chain_of(key);
                self.gateways.insert(key.id.clone(), chain);
                self.next.chain = self.first_gateway();
            }
            Some(Resource::Guardrail(guardrail)) => {
                let guard = self.rows.get(key).and_then(|row| row.guard.clone());
                if let Some(guard) = guard {
                    self.guardrails.put(&key.id, guardrail, guard);
                }
            }
            Some(Resource::GuardrailAttachment(attachment)) => {
                self.guardrails.attach(&key.id, attachment);
            }
            Some(Resource::RateLimitPolicy(policy)) => self.next.put_policy(&key.id, policy),
            Some(Resource::CachePolicy(policy)) => {
                let chain = self.chain_of(key);
                self.caches.put(&key.id, policy, chain);
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

    /// All that costs little.
    pub(super) fn status(&self) -> Status {
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

    /// Compiles again whatever uses an upstream.
    fn recompile_keys(&mut self, upstream: &str) {
        for provider_key in self.upstreams.keys(upstream) {
            self.recompile_users(&provider_key);
        }
    }

    fn recompile_users(&mut self, provider_key: &str) {
        let users = self.users.get(provider_key).cloned().unwrap_or_default();
        for id in users {
            self.recompile(&id);
        }
    }

    /// Compiles a model again, if it is the one that serves its name.
    fn recompile(&mut self, id: &Arc<str>) {
        let compiled = self.compiled(id).filter(|model| {
            let served = self.next.named(&model.name);
            served.is_some_and(|served| served.id == *id)
        });
        if let Some(model) = compiled {
            self.serve(model);
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
        let provider_key = model
            .direct()
            .map(|direct| key(Kind::ProviderKey, &direct.provider_key_id));
        let provider_key = provider_key.and_then(|key| self.rows.get_key_value(&key));
        let provider_key = provider_key.and_then(|(key, row)| match &row.resource {
            Resource::ProviderKey(document) => Some((&key.id, document)),
            _ => None,
        });
        let upstream = provider_key.and_then(|(_, key)| key.upstream_id.as_deref());
        let surroundings = Surroundings {
            key: provider_key,
            pool: upstream.and_then(|id| self.next.upstreams.get(id)),
            chain: row.chain.clone(),
            find: &|name| self.next.model(name).cloned(),
        };
        Some(self.compiler.model(id, model, surroundings))
    }
}

/// The credentials of an API key, and whether each is one of the past.
fn credentials(api_key: &ApiKey) -> impl Iterator<Item = (KeyHash, bool)> + use<> {
    let (present, past) = (api_key.key_hash, api_key.previous_key_hash);
    let past = past.filter(|past| *past != present);
    let past = past.map(|hash| (hash, true));
    past.into_iter().chain([(present, false)])
}
