//! From resources to what requests use.

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
    resource::{self, ApiKey, AutoPromptCaching, Direct, KeyHash, ProviderKey},
};
use crate::{
    call::Caller,
    error::ErrorKind,
    hook::{Chain, Chains},
    limit::{Limit, Scope},
    models::{Deadlines, Missing, Model, Target, UpstreamKey},
    upstream::{Endpoint, Registry, Settings, Shape, Spec, Tls},
};

/// The name at the upstream; empty for a wildcard that passes on what its `*` stands for.
fn model_name(direct: &Direct) -> &str {
    direct.model_name.as_deref().unwrap_or_default()
}

/// What compiling needs besides the resources.
pub(super) struct Compiler {
    pub(super) providers: Registry,
    pub(super) settings: Settings,
    pub(super) states: States,
    pub(super) chains: Chains,
}

// === impl Compiler ===

impl Compiler {
    /// Compiles a model with its provider key, if that exists.
    pub(super) fn model(
        &self,
        id: &Arc<str>,
        model: &resource::Model,
        key: Option<(&Arc<str>, &ProviderKey)>,
        chain: Option<Arc<Chain>>,
    ) -> Arc<Model> {
        static SERIAL: AtomicU64 = AtomicU64::new(1);
        let name: Arc<str> = model.display_name.as_str().into();
        Arc::new(Model {
            id: id.clone(),
            glob: name.contains('*').then(|| name.as_ref().into()),
            limit: Limit::new(Scope::Model, format!("model:{name}"), &model.rate_limit)
                .map(Arc::new),
            allowed_cidrs: model.allowed_cidrs.clone(),
            cost: model.direct().and_then(|direct| direct.cost),
            target: Arc::new(match model.direct() {
                Some(direct) => self.target(model, direct, key),
                None => self.no_target(model),
            }),
            chain,
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            name,
        })
    }

    /// That of a group, which nothing serves.
    fn no_target(&self, model: &resource::Model) -> Target {
        let message = format!("model {:?} is a group of models", model.display_name);
        let kind = ErrorKind::ProviderUnavailable;
        Target {
            provider: "".into(),
            model_name: "".into(),
            key: Arc::new(UpstreamKey {
                id: "".into(),
                name: "".into(),
            }),
            endpoint: Err(Missing { kind, message }),
            shape: Arc::new(Shape::compile(None)),
            deadlines: self.deadlines(model),
            retries: self.settings.retries,
            on_unsupported: OnUnsupported::RefuseShape,
            prompt_caching: None,
            tls: None,
        }
    }

    fn target(
        &self,
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
            deadlines: self.deadlines(model),
            retries: self.settings.retries,
            on_unsupported: match direct.on_unsupported {
                None => OnUnsupported::RefuseShape,
                Some(resource::OnUnsupported::Drop) => OnUnsupported::Drop,
                Some(resource::OnUnsupported::Refuse) => OnUnsupported::Refuse,
            },
            prompt_caching: direct
                .auto_prompt_caching
                .and_then(AutoPromptCaching::breakpoints),
            tls: key.and_then(|(id, key)| self.tls(id, key)),
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
        if key.upstream_id.is_some() {
            let message = format!("provider key {:?} names an upstream", key.display_name);
            return Err(missing(ErrorKind::ProviderUnavailable, message));
        }
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

    fn deadlines(&self, model: &resource::Model) -> Deadlines {
        let settings = &self.settings;
        let some = |millis: u64| (millis > 0).then(|| Duration::from_millis(millis));
        // An explicit 0 stops the chain with no deadline at all.
        let total = match model.timeout {
            Some(millis) => some(millis),
            None => settings.timeout,
        };
        let gap = match (model.stream_timeout.unwrap_or(0), model.timeout) {
            (0, Some(millis)) => some(millis),
            (0, None) => settings.stream_timeout.or(settings.timeout),
            (millis, _) => some(millis),
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
