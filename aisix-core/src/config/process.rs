//! The configuration of a process: changes in, snapshots out.

use std::{fmt, pin::pin, sync::Arc};

use arc_swap::ArcSwap;
use futures_util::StreamExt;
use jiff::Timestamp;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;

use super::{
    Change, ConfigSource, Entry, Key, Known, LastKnown, Report, Snapshot, States, Status,
    compile::Compiler,
    reconcile::Writer,
    resource::{Invalid, Resource, Strictness},
    status::{Failure, Source},
    summary::Latest,
};
use crate::{
    balance::Strategies,
    hook::{Chains, Hooks},
    route::RouteLayer,
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

/// Builds a [`Config`].
#[derive(Debug, Default)]
pub struct ConfigBuilder {
    providers: Registry,
    hooks: Hooks,
    strategies: Strategies,
    upstream: Settings,
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

    /// The strategies that configuration can name. Default: the built-in ones.
    #[must_use]
    pub fn strategies(mut self, strategies: Strategies) -> Self {
        self.strategies = strategies;
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
        let states = States::default();
        let route = RouteLayer::new(self.upstream, &states);
        let compiler = Compiler {
            providers: self.providers,
            settings: self.upstream,
            chains: Chains::new(self.hooks, &route, self.upstream),
            route,
            states,
            strategies: self.strategies,
        };
        Config(Arc::new(Shared {
            current: ArcSwap::default(),
            writer: Mutex::new(Writer::new(compiler)),
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

    /// The stage that chooses targets, as chains of hooks have it too.
    pub(crate) fn route(&self) -> RouteLayer {
        self.0.writer.lock().compiler.route.clone()
    }

    /// The hooks that configuration can name.
    pub fn hooks(&self) -> Hooks {
        self.0.writer.lock().compiler.chains.hooks.clone()
    }

    /// Checks what a document says about hooks, guardrails and ways of routing, as strictly as people want it. Whether the document is
    /// one of its kind, [`decode`](super::resource::decode) has to say.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn check(&self, key: &Key, resource: &Resource) -> Result<(), Vec<Invalid>> {
        let chains = {
            let writer = self.0.writer.lock();
            writer.compiler.check_model(resource)?;
            writer.compiler.chains.clone()
        };
        // With states of its own: what is only tried leaves nothing behind.
        let states = States::default();
        let strictness = Strictness::Strict;
        match resource {
            Resource::Guardrail(guardrail) => {
                chains.guard(key, guardrail, strictness, &states).map(drop)
            }
            _ => chains
                .compile(key, resource.plugins(), strictness, &states)
                .map(drop),
        }
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
        writer.finish();
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
