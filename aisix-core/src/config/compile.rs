//! From resources to what requests use.

mod ensemble;
mod semantic;

use std::{
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aisix_wire::chat::OnUnsupported;
use jiff::Timestamp;

use super::{
    States,
    resource::{
        self, ApiKey, AutoPromptCaching, BackgroundCheck, Direct, HashOn, Invalid, KeyHash,
        ProviderKey, Resource, RoutingTarget, Shape as ModelShape, WhenAllUnavailable,
    },
};
use crate::{
    balance::{
        self, Candidate, Group, Strategies,
        health::{Credential, HealthSettings, HedgeBudget, Mode, TargetState},
    },
    call::Caller,
    error::ErrorKind,
    hook::{Chain, Chains},
    limit::{Limit, Scope},
    models::{
        Capacity, Deadlines, Member, Missing, Model, Routing, Serves, Target, Times, UpstreamKey,
    },
    replicas::{Pool, Ways},
    route::{Hedging, RouteLayer, Rules},
    upstream::{Endpoint, Registry, Settings, Shape, Spec, Tls},
};

/// The name at the upstream; empty for a wildcard that passes on what its `*` stands for.
fn model_name(direct: &Direct) -> &str {
    direct.model_name.as_deref().unwrap_or_default()
}

/// The time that a model gives.
fn times(model: &resource::Model) -> Times {
    Times {
        whole: model.timeout,
        // Zero is no time, and defers.
        gap: model.stream_timeout.filter(|millis| *millis > 0),
    }
}

/// A target of a group as strategies see it.
fn candidate(target: &RoutingTarget, member: &Member) -> Candidate {
    let cost = member.model.cost;
    Candidate {
        member: balance::Member {
            name: target.model.as_str().into(),
            weight: target.weight,
            cost: cost.map(|cost| cost.input_per_1k + cost.output_per_1k),
        },
        // Here, the lower is preferred.
        tier: -i64::from(target.priority),
        tags: target.tags.iter().map(|tag| tag.as_str().into()).collect(),
    }
}

/// How a model is checked in the background, if it is.
fn check(direct: &Direct) -> Option<&BackgroundCheck> {
    let check = direct.background_model_check.as_ref();
    check.filter(|check| check.enabled)
}

fn health(direct: &Direct) -> HealthSettings {
    // What a check has found out says nothing when there are none any more.
    let stale_after = check(direct).map_or(0, |check| check.stale_after_seconds.get());
    HealthSettings {
        cooldown: direct.cooldown.clone(),
        passive: None,
        breaker: direct.circuit_breaker,
        stale_after: Some(Duration::from_secs(stale_after)),
        mode: match (direct.disabled, direct.draining) {
            (true, _) => Mode::Disabled,
            (_, true) => Mode::Draining,
            _ => Mode::Active,
        },
    }
}

/// A provider key, with its id.
type NamedKey<'k> = (&'k Arc<str>, &'k ProviderKey);

/// What compiling needs besides the resources.
pub(super) struct Compiler {
    pub(super) providers: Registry,
    pub(super) settings: Settings,
    pub(super) states: States,
    pub(super) chains: Chains,
    pub(super) strategies: Strategies,
    pub(super) route: RouteLayer,
}

/// What a model is compiled with.
pub(super) struct Surroundings<'s> {
    /// Its provider key, if that exists.
    pub(super) key: Option<NamedKey<'s>>,
    /// The upstream that the key names, if that exists.
    pub(super) pool: Option<&'s Arc<Pool>>,
    /// The hooks that hang on it.
    pub(super) chain: Option<Arc<Chain>>,
    /// Finds the model that serves a name.
    pub(super) find: &'s dyn Fn(&str) -> Option<Arc<Model>>,
}

/// Where a model is served.
struct Where<'w> {
    /// The provider key, by its id.
    key: Option<NamedKey<'w>>,
    /// The replicas, where the key names an upstream.
    pool: Option<&'w Arc<Pool>>,
}

// === impl Compiler ===

impl Compiler {
    /// Compiles a model.
    pub(super) fn model(
        &self,
        id: &Arc<str>,
        model: &resource::Model,
        surroundings: Surroundings<'_>,
    ) -> Arc<Model> {
        let Surroundings {
            key,
            pool,
            chain,
            find,
        } = surroundings;
        static SERIAL: AtomicU64 = AtomicU64::new(1);
        let name: Arc<str> = model.display_name.as_str().into();
        Arc::new(Model {
            id: id.clone(),
            glob: name.contains('*').then(|| name.as_ref().into()),
            limit: Limit::new(Scope::Model, format!("model:{name}"), &model.rate_limit)
                .map(Arc::new),
            allowed_cidrs: model.allowed_cidrs.clone(),
            cost: model.direct().and_then(|direct| direct.cost),
            embedding: model.direct().and_then(|direct| direct.embedding),
            retries: model.retries,
            serves: match &model.shape {
                ModelShape::Direct(direct) => Serves::Direct(Arc::new(self.target(
                    id,
                    model,
                    direct,
                    Where { key, pool },
                ))),
                ModelShape::Routing(routing) => {
                    Serves::Routing(Box::new(self.routing(id, model, routing, find)))
                }
                ModelShape::Ensemble(ensemble) => {
                    Serves::Ensemble(Box::new(Self::ensemble(ensemble, find)))
                }
                ModelShape::Semantic(semantic) => {
                    Serves::Semantic(Box::new(self.semantic(id, model, semantic, find)))
                }
            },
            chain,
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            name,
        })
    }

    /// Says so where a model names a strategy that nobody knows, or has too much to keep.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn check_model(&self, resource: &Resource) -> Result<(), Vec<Invalid>> {
        let Resource::Model(model) = resource else {
            return Ok(());
        };
        match &model.shape {
            ModelShape::Semantic(semantic) => semantic::check(semantic),
            ModelShape::Routing(routing) => match self.strategies.find(&routing.strategy) {
                Ok(_) => Ok(()),
                Err(error) => Err(vec![Invalid::new("routing.strategy", error.to_string())]),
            },
            ModelShape::Direct(_) | ModelShape::Ensemble(_) => Ok(()),
        }
    }

    fn target(
        &self,
        id: &Arc<str>,
        model: &resource::Model,
        direct: &Direct,
        Where { key, pool }: Where<'_>,
    ) -> Target {
        let provider = match key {
            Some((_, key)) if !key.provider.is_empty() => key.provider.as_str(),
            _ => direct.provider.as_str(),
        };
        let endpoint = |base: Option<&str>| self.endpoint(model, direct, provider, key, base);
        let first = pool.map(|pool| pool.replicas()[0].base_url.as_str());
        let own = key.and_then(|(_, key)| key.api_base.as_deref());
        let target = Target {
            provider: direct.provider.as_str().into(),
            model_name: model_name(direct).into(),
            key: Arc::new(UpstreamKey {
                id: key.map_or("", |(id, _)| id).into(),
                name: key.map_or("", |(_, key)| key.display_name.as_str()).into(),
                base: key.and_then(|(_, key)| key.api_base.as_deref().map(Into::into)),
            }),
            endpoint: endpoint(first.or(own)),
            shape: Arc::new(Shape::compile(key.map(|(_, key)| key))),
            deadlines: self.deadlines(times(model)),
            times: times(model),
            on_unsupported: match direct.on_unsupported {
                None => OnUnsupported::RefuseShape,
                Some(resource::OnUnsupported::Drop) => OnUnsupported::Drop,
                Some(resource::OnUnsupported::Refuse) => OnUnsupported::Refuse,
            },
            prompt_caching: direct
                .auto_prompt_caching
                .and_then(AutoPromptCaching::breakpoints),
            tls: key.and_then(|(id, key)| self.shared_tls(id, &key.tls)),
            state: self.states.state(&format!("target:{id}"), TargetState::new),
            credential: match key {
                Some((id, key)) => Credential::of(&self.states, id, &key.api_key),
                None => Arc::default(),
            },
            health: health(direct),
            check: check(direct).cloned().map(Arc::new),
            capacity: Capacity::of(direct, id, &self.states),
            ways: None,
            replica: None,
        };
        let Some(pool) = pool else {
            return target;
        };
        let ways = pool.replicas().iter().map(|replica| {
            Arc::new(Target {
                endpoint: endpoint(Some(&replica.base_url)),
                replica: Some(replica.clone()),
                ..target.clone()
            })
        });
        let ways = Arc::new(Ways::new(pool.clone(), ways.collect()));
        Target {
            ways: Some(ways),
            ..target
        }
    }

    /// A group of models. Those that do not exist, or are groups themselves, are left out.
    fn routing(
        &self,
        id: &str,
        model: &resource::Model,
        routing: &resource::Routing,
        find: &dyn Fn(&str) -> Option<Arc<Model>>,
    ) -> Routing {
        let found = routing.targets.iter().filter_map(|target| {
            let mut member = Member::of(&find(&target.model)?, &target.model)?;
            self.give_time(&mut member, times(model));
            Some((target, member))
        });
        let (candidates, members): (Vec<_>, Vec<_>) = found
            .map(|(target, member)| (candidate(target, &member), member))
            .unzip();
        // Documents with an unknown strategy are refused; by then it was known.
        let strategy = self.strategies.find_or_failover(&routing.strategy);
        let identity = format!("model:{id}");
        let group = Group::new(strategy.as_ref(), candidates, &self.states, &identity)
            .max_fallbacks(routing.max_fallbacks)
            .try_anyway(routing.when_all_unavailable == WhenAllUnavailable::TryAnyway)
            .keep_conversations(routing.prefix_affinity);
        let hedging = routing.hedging.map(|settings| {
            let targets = members.iter().map(|member| &member.target);
            targets.for_each(|target| target.state.keep_usual());
            let budget = format!("hedges:{identity}");
            let budget = self.states.state(&budget, HedgeBudget::default);
            Arc::new(Hedging::new(settings, budget))
        });
        let hash_on = routing.hash_on.clone().unwrap_or_else(HashOn::usual);
        Routing {
            group,
            members: members.into(),
            hash_on: hash_on.into(),
            keeps_conversations: routing.prefix_affinity,
            rules: Arc::new(Rules {
                retries: routing.retries,
                default_retries: self.settings.retries,
                on_429: routing.retry_on_429,
                statuses: routing.fallback_on_statuses.as_slice().into(),
                deadline: routing.deadline_ms.map(Duration::from_millis),
                continue_on_break: routing.continue_on_break,
                hedging,
            }),
        }
    }

    /// Gives a member the deadlines of its group, where it says nothing itself.
    fn give_time(&self, member: &mut Member, group: Times) {
        let times = member.target.times.or(group);
        if times != member.target.times {
            let target = Target::clone(&member.target);
            let deadlines = self.deadlines(times);
            let ways = target.ways.as_ref();
            member.target = Arc::new(Target {
                deadlines,
                ways: ways.map(|ways| Arc::new(ways.with_deadlines(deadlines))),
                ..target
            });
        }
    }

    fn endpoint(
        &self,
        model: &resource::Model,
        direct: &Direct,
        provider: &str,
        key: Option<NamedKey<'_>>,
        api_base: Option<&str>,
    ) -> Result<Arc<dyn Endpoint>, Missing> {
        let missing = |kind, message: String| Missing { kind, message };
        let Some((id, key)) = key else {
            let message = format!("model {:?} has no provider key", model.display_name);
            return Err(missing(ErrorKind::InvalidRequest, message));
        };
        if key.upstream_id.is_some() && api_base.is_none() {
            let key = &key.display_name;
            let message = format!("provider key {key:?} names an upstream that does not exist");
            return Err(missing(ErrorKind::ProviderUnavailable, message));
        }
        let adapter = key.adapter.map(resource::Adapter::as_str);
        let chosen = self
            .providers
            .choose(adapter, provider, api_base.is_some())
            .ok_or_else(|| {
                let name = adapter.unwrap_or(provider);
                let message = format!("no provider {name:?} can serve this model");
                missing(ErrorKind::ProviderUnavailable, message)
            })?;
        let spec = Spec {
            provider,
            model_name: model_name(direct),
            api_base,
            api_key: &key.api_key,
            key_id: id,
            states: &self.states,
        };
        chosen
            .endpoint(&spec)
            .map_err(|error| missing(error.kind(), error.message().to_owned()))
    }

    fn deadlines(&self, times: Times) -> Deadlines {
        let settings = &self.settings;
        let some = |millis: u64| (millis > 0).then(|| Duration::from_millis(millis));
        // An explicit 0 stops the chain with no deadline at all.
        let total = match times.whole {
            Some(millis) => some(millis),
            None => settings.timeout,
        };
        let gap = match (times.gap, times.whole) {
            (Some(millis), _) => some(millis),
            (None, Some(millis)) => some(millis),
            (None, None) => settings.stream_timeout.or(settings.timeout),
        };
        Deadlines {
            total,
            head: settings.head_timeout,
            first_token: settings.first_token_timeout,
            gap,
        }
    }

    /// The same settings of the same owner stay the same `Arc`, so that connections are kept. `None` are the usual ones.
    pub(super) fn shared_tls(&self, owner: &str, tls: &Tls) -> Option<Arc<Tls>> {
        if *tls == Tls::default() {
            return None;
        }
        let settings = BuildHasherDefault::<DefaultHasher>::default().hash_one(tls);
        let identity = format!("tls:{owner}:{settings:x}");
        Some(self.states.state(&identity, || tls.clone()))
    }

    /// Compiles an API key: the caller of its credential, and of the one before while that works.
    pub(super) fn callers(
        &self,
        id: &Arc<str>,
        key: &ApiKey,
        chain: Option<&Arc<Chain>>,
    ) -> impl Iterator<Item = (KeyHash, Arc<Caller>)> + use<> {
        let previous = key.previous_key_hash.zip(key.previous_expires_at);
        let previous = previous.filter(|(hash, _)| *hash != key.key_hash);
        let previous = previous.map(|(hash, end)| {
            let end = key.expires_at.map_or(end, |other| other.min(end));
            (hash, Self::caller(id, key, Some(end), chain))
        });
        let present = (key.key_hash, Self::caller(id, key, key.expires_at, chain));
        previous.into_iter().chain([present])
    }

    fn caller(
        id: &Arc<str>,
        key: &ApiKey,
        expires_at: Option<Timestamp>,
        chain: Option<&Arc<Chain>>,
    ) -> Arc<Caller> {
        let mut builder = Caller::builder(id.clone())
            .models(key.allowed_models.iter().cloned())
            .disabled(key.disabled)
            .expires_at(expires_at)
            .member(
                key.team_id.as_deref(),
                key.user_id.as_deref(),
                key.user_name.as_deref(),
            );
        if let Some(name) = key.display_name.as_deref() {
            builder = builder.name(name);
        }
        builder = builder.rate_limit(&key.rate_limit).chain(chain.cloned());
        Arc::new(builder.build())
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use serde_json::json;

    use crate::config::{Config, Entry, KeyHash, Kind};

    #[test]
    fn keys_end_by_the_clock_of_the_moment() {
        let now = Timestamp::now();
        let after = |hours| now + SignedDuration::from_hours(hours);
        let document = json!({"key_hash": KeyHash::of("new").to_hex(), "allowed_models": [],
            "expires_at": after(2), "previous_key_hash": KeyHash::of("old").to_hex(),
            "previous_expires_at": after(1)});
        let entry = Entry::new(Kind::ApiKey, "me", document);
        let config = Config::builder()
            .fixed([entry])
            .unwrap_or_else(|it| panic!("{it}"));
        let is_over = |key, at| {
            let snapshot = config.current();
            let caller = snapshot.caller(&KeyHash::of(key));
            caller.expect("both are known").is_expired(at)
        };
        // Forward, back again, and as far as clocks go.
        let states = [
            after(0),
            after(1),
            after(2),
            after(-9),
            Timestamp::MIN,
            Timestamp::MAX,
        ];
        let states = states.map(|at| (is_over("old", at), is_over("new", at)));
        let none = (false, false);
        let all = (true, true);
        assert_eq!(states, [none, (true, false), all, none, none, all]);
    }
}
