//! From what was seen to what is told.

use std::sync::Arc;

use aisix_wire::Operation;
use http::Uri;

use super::{
    Answer,
    explanation::{
        CallerFacts, Explanation, LimitFacts, ModelFacts, Refusal, RequestFacts, Stage,
        TargetFacts, UpstreamFacts, Verdict,
    },
    notes::{Notes, Upstream},
};
use crate::{
    builder::GatewayBuilder,
    call::{Caller, Trail},
    error::ErrorKind,
    hook::Chain,
    limit::PolicyName,
    models::{self, Member, Model, Serves},
    upstream::Considered,
};

/// Tells what was seen.
pub(super) fn explanation(notes: &Notes, builder: &GatewayBuilder, answer: &Answer) -> Explanation {
    let trail = notes.trail();
    let trail = trail.as_ref();
    let verdict = match (notes.upstream(), notes.refusal()) {
        (Some(_), None) => Verdict::Sent,
        _ => Verdict::Refused(refusal(notes, answer)),
    };
    let caller = notes.caller();
    let model = trail.and_then(Trail::model);
    Explanation {
        gateway: "default",
        request: request(trail, notes),
        model: model.map(|model| self::model(model, caller.as_deref(), trail, notes)),
        limits: limits(notes, &verdict, caller.as_deref(), model),
        hooks: hooks(notes, builder, caller.as_deref(), trail),
        embeds: notes.embeds(),
        targets: targets(model, trail, notes, builder.retries()),
        caller: caller.map(|caller| self::caller(&caller)),
        verdict,
    }
}

fn hooks(
    notes: &Notes,
    builder: &GatewayBuilder,
    caller: Option<&Caller>,
    trail: Option<&Trail>,
) -> Vec<String> {
    let config = notes.config();
    let model = trail.and_then(Trail::model);
    let (mut names, on_calls) = Chain::names([
        config.as_ref().and_then(|config| config.chain()),
        model.and_then(|model| model.chain.as_ref()),
        caller.and_then(Caller::chain),
    ]);
    names.extend(builder.hook_names().map(str::to_owned));
    let guards = config.as_ref().and_then(|config| config.guards());
    let operation = trail.and_then(Trail::operation);
    let of_call = guards.zip(operation).zip(model.zip(caller));
    let guards = of_call
        .and_then(|((guards, operation), (model, caller))| guards.of(operation, model, caller));
    if let Some(guards) = guards {
        names.extend(guards.names().map(|name| format!("guardrail:{name}")));
    }
    names.extend(on_calls);
    if let (Some(config), Some(caller), Some(model)) = (&config, caller, model) {
        let requested = notes.model.as_deref().unwrap_or_default();
        let caches = config.caches();
        let caching = caches.and_then(|caches| caches.of(caller, requested, model));
        names.extend(caching.map(|caching| format!("cache_policy:{}", caching.name)));
    }
    names
}

fn refusal(notes: &Notes, answer: &Answer) -> Refusal {
    let seen = notes.refusal();
    let mut refusal = seen.unwrap_or_else(|| Refusal {
        stage: Stage::Edge,
        status: answer.status.as_u16(),
        kind: ErrorKind::Internal,
        code: None,
        param: None,
        message: "the request is not sent anywhere".to_owned(),
        retry_after: None,
        detail: None,
        answer: answer.body.clone(),
    });
    refusal.answer = answer.body.clone();
    refusal
}

fn request(trail: Option<&Trail>, notes: &Notes) -> RequestFacts {
    let operation = trail.and_then(Trail::operation);
    RequestFacts {
        path: trail.map(Trail::path).unwrap_or_default().to_owned(),
        route: trail.and_then(Trail::route),
        operation: operation.map(|operation| operation.name),
        dialect: operation.map(|operation| operation.dialect),
        model: notes.model.clone(),
        streams: trail.is_some_and(Trail::streams),
        has_body: notes.has_body,
        client: trail.and_then(Trail::client),
    }
}

fn caller(caller: &Caller) -> CallerFacts {
    let text = |text: Option<&str>| text.map(str::to_owned);
    CallerFacts {
        id: caller.id().to_string(),
        name: text(caller.name()),
        team_id: text(caller.team_id()),
        user_id: text(caller.user_id()),
        user_name: text(caller.user_name()),
        expires_at: caller.expires_at(),
        is_disabled: caller.is_disabled(),
    }
}

fn model(
    model: &Model,
    caller: Option<&Caller>,
    trail: Option<&Trail>,
    notes: &Notes,
) -> ModelFacts {
    let requested = notes.model.as_deref().unwrap_or_default();
    let allowed_by = caller.and_then(|caller| caller.allowed_by(requested));
    let networks = model.allowed_cidrs();
    ModelFacts {
        id: model.id().to_string(),
        name: model.name().to_string(),
        is_wildcard: model.is_wildcard(),
        allowed_by: allowed_by.map(str::to_owned),
        networks: networks.is_restricted().then(|| networks.nets().to_vec()),
        admits_client: model.admits(trail.and_then(Trail::client)),
    }
}

/// What was asked of the limits; nothing when the request came past them unasked.
fn limits(
    notes: &Notes,
    verdict: &Verdict,
    caller: Option<&Caller>,
    model: Option<&Arc<Model>>,
) -> Option<LimitFacts> {
    let is_past = match verdict {
        Verdict::Sent => true,
        Verdict::Refused(refusal) => refusal.stage > Stage::Limit,
    };
    let limits = match notes.claim() {
        Some((claim, look)) => LimitFacts {
            tokens: claim.tokens,
            limits: claim.limits.to_vec(),
            look,
            suspended: Vec::new(),
        },
        None if is_past => LimitFacts::default(),
        None => return None,
    };
    let suspended = suspended(notes, caller, model).unwrap_or_default();
    Some(LimitFacts {
        suspended,
        ..limits
    })
}

/// The policies on such calls that are not heeded now.
fn suspended(
    notes: &Notes,
    caller: Option<&Caller>,
    model: Option<&Arc<Model>>,
) -> Option<Vec<PolicyName>> {
    let config = notes.config()?;
    let rules = config.policies()?.rules(caller?, model?)?;
    let suspended = rules.iter().filter(|rule| rule.is_suspended());
    let names = suspended.filter_map(|rule| rule.limit().policy().cloned());
    Some(names.collect())
}

fn targets(
    model: Option<&Arc<Model>>,
    trail: Option<&Trail>,
    notes: &Notes,
    default_retries: u32,
) -> Vec<TargetFacts> {
    let mut considered = notes.considered();
    if considered.is_empty() {
        let requested = notes.model.as_deref().unwrap_or_default();
        let member = model.and_then(|model| Member::of(model, requested));
        considered.extend(member.map(|member| Considered {
            retries: member.model.retries.unwrap_or(default_retries),
            member,
            role: None,
            reason: None,
            continues: false,
        }));
    }
    if let Some(model) = model.filter(|_| !considered.is_empty()) {
        considered.extend(others(model));
    }
    let mut upstreams = notes.upstreams();
    let facts = considered.iter().map(|considered| {
        // A model may be asked several times: first come, first told.
        let id = considered.member.model.id();
        let place = upstreams.iter().position(|it| it.model_id == *id);
        let upstream = place.map(|place| upstreams.remove(place));
        target(considered, trail, notes, upstream.as_ref())
    });
    facts.collect()
}

/// Those that serve requests of another meaning.
fn others(model: &Model) -> Vec<Considered> {
    let Serves::Semantic(semantic) = &model.serves else {
        return Vec::new();
    };
    let others = semantic.choices.iter().enumerate().skip(1);
    let others = others.flat_map(|(place, choice)| {
        let members = choice.members.iter();
        members.map(move |member| Considered {
            member: member.clone(),
            role: None,
            retries: choice.rules.retries(member, false).most,
            reason: Some(semantic.served_when(place)),
            continues: false,
        })
    });
    others.collect()
}

fn target(
    considered: &Considered,
    trail: Option<&Trail>,
    notes: &Notes,
    upstream: Option<&Upstream>,
) -> TargetFacts {
    let Member {
        model,
        target,
        upstream_model,
    } = &considered.member;
    let requested = notes.model.as_deref().unwrap_or_default();
    let operation: Option<&Operation> = trail.and_then(Trail::operation);
    let offered = operation.map(|operation| models::way(target, operation, requested));
    let unable = offered.and_then(Result::err);
    let dialect = || target.endpoint().ok()?.dialect(operation?);
    let may_retry = operation.is_some_and(|operation| operation.may_retry);
    TargetFacts {
        model: model.name().to_string(),
        role: considered.role,
        provider: target.provider().to_string(),
        key_id: target.key().id().to_string(),
        key_name: target.key().name().to_string(),
        upstream_model: upstream_model.to_string(),
        replica: upstream
            .as_ref()
            .and_then(|upstream| upstream.replica.clone()),
        dialect: dialect(),
        reason: unable
            .map(|error| error.message().to_owned())
            .or_else(|| considered.reason.clone()),
        deadlines: target.deadlines(),
        retries: if may_retry { considered.retries } else { 0 },
        continues: considered.continues,
        upstream: upstream.map(self::upstream),
    }
}

fn upstream(upstream: &Upstream) -> UpstreamFacts {
    let headers = upstream.head.headers.keys();
    let mut headers: Vec<_> = headers.map(ToString::to_string).collect();
    headers.sort_unstable();
    UpstreamFacts {
        url: url(&upstream.head.uri),
        has_own_transport: upstream.has_own_transport,
        fidelity: upstream.fidelity.as_str(),
        edited: upstream.edited.clone(),
        dropped: upstream.dropped.clone(),
        headers,
        body_bytes: upstream.body.len(),
    }
}

/// Scheme, host and path. Credentials may be before the host, or in the query.
fn url(uri: &Uri) -> String {
    let path = uri.path();
    match (uri.scheme_str(), uri.authority()) {
        (Some(scheme), Some(authority)) => {
            let authority = authority.as_str();
            let host = authority.rsplit('@').next().unwrap_or(authority);
            format!("{scheme}://{host}{path}")
        }
        _ => path.to_owned(),
    }
}
