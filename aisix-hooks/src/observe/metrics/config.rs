//! What the owner of the configuration tells.

use std::{
    fmt,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use aisix_core::models::health::{Health, HealthStatus};

use super::{State, cell::Gauge, family::Family, memory::deployment};

/// The metrics of the configuration, set by whoever applies it. A cheap clone.
///
/// What was never set is not rendered.
#[derive(Clone)]
pub struct ConfigMetrics(pub(super) Arc<State>);

/// Why a reload failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadFailure {
    /// The source could not be read.
    Fetch,
    /// What it held could not be understood.
    Parse,
    /// What it held was refused as a whole.
    Validate,
}

// === impl ConfigMetrics ===

impl ConfigMetrics {
    /// The configuration was reloaded and is served.
    pub fn reloaded(&self, at: SystemTime) {
        let families = &self.0.families;
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        families.reloads.get(&[]).add(1);
        families.last_reload.get(&[]).set(1);
        set(&families.last_reload_time, since.as_secs());
    }

    /// A reload failed; the last good configuration is served on.
    pub fn reload_failed(&self, reason: ReloadFailure) {
        let families = &self.0.families;
        families.reloads.get(&[]).add(1);
        families.reload_failures.get(&[reason.name()]).add(1);
        families.last_reload.get(&[]).set(0);
    }

    /// Whether the source can be reached.
    pub fn source_connected(&self, connected: bool) {
        set(&self.0.families.source_connected, connected.into());
    }

    /// The revision that was last seen at the source.
    pub fn observed_revision(&self, revision: u64) {
        set(&self.0.families.observed_revision, revision);
    }

    /// The revision that is served.
    pub fn applied_revision(&self, revision: u64) {
        set(&self.0.families.applied_revision, revision);
    }

    /// How many resources of each kind are not applied, instead of what was said before.
    pub fn rejected(&self, counts: &[(&str, u64)]) {
        replace(&self.0.families.rejected, counts);
    }

    /// How many resources of each kind are applied without some of their fields, instead of what was
    /// said before.
    pub fn partially_compatible(&self, counts: &[(&str, u64)]) {
        replace(&self.0.families.partially_compatible, counts);
    }

    /// How many resources of each kind are served in an older version, instead of what was said
    /// before.
    pub fn stale_served(&self, counts: &[(&str, u64)]) {
        replace(&self.0.families.stale_served, counts);
    }

    /// How models fare, instead of what was said before: 0 for one that is healthy, 1 while it cools down, 2 while it
    /// takes no calls. Models that stand for others are left out.
    pub fn health(&self, models: &[Health]) {
        let states = models.iter().filter_map(|health| {
            let labels = deployment(&health.model, health.model.target()?);
            Some((labels, state(health.status)))
        });
        self.0.families.deployment_state.replace(states);
        // Models that share replicas tell the same of them.
        let replicas = models.iter().flat_map(|health| &health.replicas);
        let states = replicas.map(|told| {
            let labels = [&**told.replica.upstream(), &**told.replica.name()];
            (labels, state(told.report.status.into()))
        });
        self.0.families.replica_state.replace(states);
    }

    /// The last known configuration was kept.
    pub fn snapshot_written(&self) {
        self.0.families.snapshot_written.get(&[]).set(1);
    }

    /// The last known configuration could not be kept.
    pub fn snapshot_failed(&self) {
        self.0.families.snapshot_failures.get(&[]).add(1);
        self.0.families.snapshot_written.get(&[]).set(0);
    }

    /// The hash of what is served.
    pub fn served_hash(&self, hash: &str) {
        replace(&self.0.families.hash, &[(hash, 1)]);
    }
}

impl fmt::Debug for ConfigMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConfigMetrics")
    }
}

// === impl ReloadFailure ===

impl ReloadFailure {
    fn name(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Parse => "parse",
            Self::Validate => "validate",
        }
    }
}

fn state(status: HealthStatus) -> i64 {
    match status {
        HealthStatus::Cooldown => 1,
        HealthStatus::Unhealthy => 2,
        _ => 0,
    }
}

fn set(family: &Family<Gauge>, value: u64) {
    family.get(&[]).set(value.try_into().unwrap_or(i64::MAX));
}

fn replace(family: &Family<Gauge>, values: &[(&str, u64)]) {
    let value = |value: &u64| (*value).try_into().unwrap_or(i64::MAX);
    family.replace(values.iter().map(|(label, count)| ([*label], value(count))));
}
