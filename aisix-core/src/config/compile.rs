//! From resources to what requests use.

use std::{
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aisix_wire::chat::{Draw, OnUnsupported};
use jiff::Timestamp;

use super::{
    States,
    resource::{
        self, ApiKey, AutoPromptCaching, Direct, HashOn, Invalid, KeyHash, NOT_YET, ProviderKey,
        Resource, RoutingTarget, Shape as ModelShape, Strictness, WhenAllUnavailable,
    },
};
use crate::{
    balance::{
        self, Candidate, Group, Strategies,
        health::{Credential, HealthSettings, Mode, TargetState},
    },
    call::Caller,
    error::ErrorKind,
    hook::{Chain, Chains},
    limit::{Limit, Scope},
    models::{
        Capacity, Deadlines, Ensemble, Member, Missing, Model, Routing, Serves, Target, Times, UpstreamKey, Voice,
    },
    route::{RouteLayer, Rules},
    upstream::{Endpoint, Registry, Settings, Shape, Spec, Tls},
};

/// The temperature at which a judge makes one answer of several.
const JUDGE_TEMPERATURE: f64 = 0.2;

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

fn health(direct: &Direct) -> HealthSettings {
    let check = direct.background_model_check.as_ref();
    HealthSettings {
        cooldown: direct.cooldown.clone(),
        breaker: direct.circuit_breaker,
        stale_after: check.map(|check| Duration::from_secs(check.stale_after_seconds.get())),
        mode: match (direct.disabled, direct.draining) {
            (true, _) => Mode::Disabled,
            (_, true) => Mode::Draining,
            _ => Mode::Active,
        },
    }
}

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
    pub(super) key: Option<(&'s Arc<str>, &'s ProviderKey)>,
    /// The hooks that hang on it.
    pub(super) chain: Option<Arc<Chain>>,
    /// Finds the model that serves a name.
    pub(super) find: &'s dyn Fn(&str) -> Option<Arc<Model>>,
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
        let Surroundings { key, chain, find } = surroundings;
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
                ModelShape::Direct(direct) => {
                    Serves::Direct(Arc::new(self.target(id, model, direct, key)))
                }
                ModelShape::Routing(routing) => {
                    Serves::Routing(Box::new(self.routing(id, model, routing, find)))
                }
                ModelShape::Ensemble(ensemble) => {
                    Serves::Ensemble(Box::new(self.ensemble(ensemble, find)))
                }
                // Refused before, by `check_model`.
                ModelShape::Semantic(_) => Serves::Nobody,
            },
            chain,
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            name,
        })
    }

    /// Says so where a model names a strategy that nobody knows, or is of a shape that is not served yet. What is not
    /// heeded yet is an error where people write, and told otherwise.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn check_model(
        &self,
        resource: &Resource,
        strictness: Strictness,
    ) -> Result<Option<&'static str>, Vec<Invalid>> {
        let Resource::Model(model) = resource else {
            return Ok(None);
        };
        let not_yet = |field| Err(vec![Invalid::new(field, NOT_YET)]);
        match &model.shape {
            ModelShape::Ensemble(_) => Ok(None),
            ModelShape::Semantic(_) => not_yet("semantic"),
            ModelShape::Routing(routing) => match self.strategies.find(&routing.strategy) {
                Ok(_) => Ok(None),
                Err(error) => Err(vec![Invalid::new("routing.strategy", error.to_string())]),
            },
            ModelShape::Direct(direct) => {
                let field = "background_model_check";
                match (&direct.background_model_check, strictness) {
                    (None, _) => Ok(None),
                    (Some(_), Strictness::Strict) => not_yet(field),
                    (Some(_), Strictness::Lenient) => Ok(Some(field)),
                }
            }
        }
    }

    fn target(
        &self,
        id: &Arc<str>,
        model: &resource::Model,
        direct: &Direct,
        key: Option<(&Arc<str>, &ProviderKey)>,
    ) -> Target {
        let provider = match key {
            Some((_, key)) if !key.provider.is_empty() => key.provider.as_str(),
            _ => direct.provider.as_str(),
        };
        Target {
            provider: direct.provider.as_str().into(),
            model_name: model_name(direct).into(),
            key: Arc::new(UpstreamKey {
                id: key.map_or("", |(id, _)| id).into(),
                name: key.map_or("", |(_, key)| key.display_name.as_str()).into(),
            }),
            endpoint: self.endpoint(model, direct, provider, key),
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
            tls: key.and_then(|(id, key)| self.tls(id, key)),
            state: self.states.state(&format!("target:{id}"), TargetState::new),
            credential: match key {
                Some((id, key)) => Credential::of(&self.states, id, &key.api_key),
                None => Arc::default(),
            },
            health: health(direct),
            capacity: Capacity::of(direct, id, &self.states),
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
            .try_anyway(routing.when_all_unavailable == WhenAllUnavailable::TryAnyway);
        let hash_on = routing.hash_on.clone().unwrap_or_else(HashOn::usual);
        Routing {
            group,
            members: members.into(),
            hash_on: hash_on.into(),
            rules: Rules {
                retries: routing.retries,
                default_retries: self.settings.retries,
                on_429: routing.retry_on_429,
                statuses: routing.fallback_on_statuses.as_slice().into(),
                deadline: routing.deadline_ms.map(Duration::from_millis),
            },
        }
    }

    /// A panel and its judge. Those that do not exist, or are groups themselves, are left out.
    fn ensemble(
        &self,
        ensemble: &resource::Ensemble,
        find: &dyn Fn(&str) -> Option<Arc<Model>>,
    ) -> Ensemble {
        let voice = |name: &str, draw| {
            let member = Member::of(&find(name)?, name)?;
            let name = name.into();
            Some(Voice { name, member, draw })
        };
        let panel = ensemble.panel.iter().filter_map(|asked| {
            let draw = Draw {
                temperature: asked.temperature,
                seed: asked.seed,
            };
            voice(&asked.model, draw)
        });
        let sober = Draw {
            temperature: Some(JUDGE_TEMPERATURE),
            seed: None,
        };
        let judge = &ensemble.judge;
        let least = ensemble.min_responses.map(|least| least.get() as usize);
        let timeout = ensemble.timeout_ms.filter(|millis| *millis > 0);
        Ensemble {
            panel: panel.collect(),
            judge: voice(&judge.model, sober),
            prompt: judge.synthesis_prompt.as_deref().map(Into::into),
            least: least.unwrap_or_else(|| ensemble.panel.len().min(2)),
            timeout: timeout.map(Duration::from_millis),
        }
    }

    /// Gives a member the deadlines of its group, where it says nothing itself.
    fn give_time(&self, member: &mut Member, group: Times) {
        let times = member.target.times.or(group);
        if times != member.target.times {
            let target = Target::clone(&member.target);
            member.target = Arc::new(Target {
                deadlines: self.deadlines(times),
                ..target
            });
        }
    }

    fn endpoint(
        &self,
        model: &resource::Model,
        direct: &Direct,
        provider: &str,
        key: Option<(&Arc<str>, &ProviderKey)>,
    ) -> Result<Arc<dyn Endpoint>, Missing> {
        let missing = |kind, message: String| Missing { kind, message };
        let Some((id, key)) = key else {
            let message = format!("model {:?} has no provider key", model.display_name);
            return Err(missing(ErrorKind::InvalidRequest, message));
        };
        let adapter = key.adapter.map(resource::Adapter::as_str);
        let chosen = self
            .providers
            .choose(adapter, provider, key.api_base.is_some())
            .ok_or_else(|| {
                let name = adapter.unwrap_or(provider);
                let message = format!("no provider {name:?} can serve this model");
                missing(ErrorKind::ProviderUnavailable, message)
            })?;
        let spec = Spec {
            provider,
            model_name: model_name(direct),
            api_base: key.api_base.as_deref(),
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

    /// The same settings of the same key stay the same `Arc`, so that connections are kept.
    fn tls(&self, id: &str, key: &ProviderKey) -> Option<Arc<Tls>> {
        if key.tls == Tls::default() {
            return None;
        }
        let settings = BuildHasherDefault::<DefaultHasher>::default().hash_one(&key.tls);
        let identity = format!("tls:{id}:{settings:x}");
        Some(self.states.state(&identity, || key.tls.clone()))
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
