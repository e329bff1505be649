//! From upstreams to pools of replicas, and which provider keys name them.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use super::{
    compile::Compiler,
    resource::{self, HealthChecks, UpstreamTarget},
};
use crate::{
    balance::{
        self, Candidate, Group,
        health::{Cooldown, HealthSettings, Mode, Passive, TargetState},
    },
    replicas::{Active, Pool, Replica},
};

/// Which provider keys name an upstream.
#[derive(Default)]
pub(super) struct Upstreams(HashMap<Arc<str>, HashSet<Arc<str>>>);

fn health(upstream: &resource::Upstream, target: &UpstreamTarget) -> HealthSettings {
    let HealthChecks {
        passive,
        threshold,
        interval,
        ..
    } = upstream.health_checks;
    // What a failure is. Credentials are none of a replica's business.
    let mut cooldown = Cooldown {
        enabled: false,
        ..Cooldown::default()
    };
    cooldown.trigger_statuses.retain(|status| *status != 401);
    HealthSettings {
        cooldown,
        passive: passive.then(|| Passive {
            threshold,
            interval: Duration::from_secs(interval),
        }),
        breaker: upstream.circuit_breaker,
        // Whoever is not checked any more is not kept out for what checks have found.
        stale_after: upstream
            .health_checks
            .active
            .is_none()
            .then_some(Duration::ZERO),
        mode: match target.state {
            resource::TargetState::Enabled => Mode::Active,
            resource::TargetState::Draining => Mode::Draining,
            resource::TargetState::Disabled => Mode::Disabled,
        },
    }
}

fn active(checks: &HealthChecks) -> Option<Active> {
    Some(Active {
        check: checks.active.clone()?,
        path: checks.active_path().to_owned(),
        headers: checks.headers.clone(),
    })
}

// === impl Compiler ===

impl Compiler {
    /// Compiles an upstream.
    pub(super) fn upstream(&self, id: &Arc<str>, upstream: &resource::Upstream) -> Arc<Pool> {
        let upstream_name: Arc<str> = upstream.name.as_str().into();
        let replica = |target: &UpstreamTarget| {
            let name: Arc<str> = target.name().into();
            let identity = format!("upstream:{id}:{name}");
            let candidate = Candidate {
                member: balance::Member {
                    name: name.clone(),
                    weight: target.weight,
                    cost: None,
                },
                tier: target.priority.into(),
                tags: Vec::new(),
            };
            let replica = Arc::new(Replica {
                upstream: upstream_name.clone(),
                name,
                base_url: target.base_url.clone(),
                headers: target.headers.clone(),
                state: self.states.state(&identity, TargetState::new),
                health: health(upstream, target),
            });
            (candidate, replica)
        };
        let (candidates, replicas): (Vec<_>, Vec<_>) = upstream.targets.iter().map(replica).unzip();
        let strategy = self
            .strategies
            .find_or_failover(upstream.algorithm.as_str());
        let identity = format!("upstream:{id}");
        Arc::new(Pool {
            id: id.clone(),
            name: upstream_name,
            group: Group::new(strategy.as_ref(), candidates, &self.states, &identity),
            replicas: replicas.into(),
            active: active(&upstream.health_checks),
        })
    }
}

// === impl Upstreams ===

impl Upstreams {
    /// Takes note that a provider key names an upstream.
    pub(super) fn put(&mut self, upstream: &str, key: &Arc<str>) {
        let keys = self.0.entry(upstream.into()).or_default();
        keys.insert(key.clone());
    }

    pub(super) fn remove(&mut self, upstream: &str, key: &str) {
        if let Some(keys) = self.0.get_mut(upstream) {
            keys.remove(key);
            if keys.is_empty() {
                self.0.remove(upstream);
            }
        }
    }

    /// The provider keys that name an upstream.
    pub(super) fn keys(&self, upstream: &str) -> Vec<Arc<str>> {
        let keys = self.0.get(upstream).into_iter().flatten();
        keys.cloned().collect()
    }
}
