//! The explanation in JSON.

use std::time::Duration;

use aisix_wire::Dialect;
use serde_json::{Value, json};

use super::explanation::{
    CallerFacts, EmbedFacts, Explanation, LimitFacts, ModelFacts, Refusal, RequestFacts,
    TargetFacts, UpstreamFacts, Verdict,
};
use crate::limit::{Level, Limit, PolicyName, Rate};

// === impl Explanation ===

impl Explanation {
    /// The whole of it, as the Admin API tells it. What is absent is `null`.
    pub fn to_json(&self) -> Value {
        let targets = self.targets.iter().map(target);
        json!({
            "outcome": outcome(&self.verdict),
            "gateway": self.gateway,
            "request": request(&self.request),
            "caller": self.caller.as_ref().map(caller),
            "model": self.model.as_ref().map(model),
            "limits": self.limits.as_ref().map(limits),
            "hooks": {"run": false, "names": self.hooks},
            "embeds": self.embeds.as_ref().map(embeds),
            "targets": targets.collect::<Vec<_>>(),
        })
    }
}

fn outcome(verdict: &Verdict) -> Value {
    let Verdict::Refused(refusal) = verdict else {
        return json!({"sent": true});
    };
    let Refusal {
        stage,
        status,
        kind,
        ..
    } = refusal;
    // An answer is JSON in every dialect.
    let answer: Option<Value> = serde_json::from_slice(&refusal.answer).ok();
    json!({
        "sent": false,
        "stage": stage.name(),
        "status": status,
        "kind": kind.name(),
        "code": refusal.code,
        "param": refusal.param,
        "message": refusal.message,
        "retry_after_seconds": refusal.retry_after.map(|after| after.as_secs_f64().ceil() as u64),
        "detail": refusal.detail,
        "answer": answer,
    })
}

fn request(request: &RequestFacts) -> Value {
    json!({
        "path": request.path,
        "route": request.route,
        "operation": request.operation,
        "dialect": request.dialect.map(Dialect::as_str),
        "model": request.model,
        "stream": request.streams,
        "body": match request.has_body { true => "given", false => "made up" },
        "client": request.client.map(|client| client.to_string()),
    })
}

fn caller(caller: &CallerFacts) -> Value {
    json!({
        "id": caller.id,
        "name": caller.name,
        "team_id": caller.team_id,
        "user_id": caller.user_id,
        "user_name": caller.user_name,
        "expires_at": caller.expires_at.map(|end| end.to_string()),
        "disabled": caller.is_disabled,
    })
}

fn model(model: &ModelFacts) -> Value {
    let networks = model.networks.as_ref();
    let networks = networks.map(|nets| nets.iter().map(ToString::to_string).collect::<Vec<_>>());
    json!({
        "id": model.id,
        "name": model.name,
        "found_by": match model.is_wildcard { true => "wildcard", false => "name" },
        "allowed_by": model.allowed_by,
        "networks": networks,
        "admits_client": model.admits_client,
    })
}

fn limits(limits: &LimitFacts) -> Value {
    let list: Vec<Value> = match &limits.look {
        Some(look) => {
            let readings = look.limits.iter();
            let reading = readings.map(|reading| {
                let levels: Vec<_> = reading.levels.iter().map(level).collect();
                limit(&reading.limit, Some(reading.has_room()), levels)
            });
            reading.collect()
        }
        None => limits
            .limits
            .iter()
            .map(|it| limit(it, None, maxima(it)))
            .collect(),
    };
    json!({
        "estimated_tokens": limits.tokens,
        "known": limits.look.is_some() || limits.limits.is_empty(),
        "list": list,
        "suspended": limits.suspended.iter().map(policy).collect::<Vec<_>>(),
    })
}

fn policy(policy: &PolicyName) -> Value {
    json!({"id": policy.id(), "name": policy.name()})
}

fn limit(limit: &Limit, passes: Option<bool>, rates: Vec<Value>) -> Value {
    let (of, key) = (limit.scope().name(), limit.key());
    let policy = limit.policy().map(policy);
    json!({"of": of, "policy": policy, "key": key.as_ref(), "passes": passes, "rates": rates})
}

fn level(level: &Level) -> Value {
    json!({
        "rate": level.rate.name(),
        "limit": level.limit,
        "used": level.used,
        "reserved": level.reserved,
        "remaining": level.remaining(),
        "reset_seconds": level.rate.window().map(|_| level.reset),
        "passes": level.has_room,
    })
}

fn maxima(limit: &Limit) -> Vec<Value> {
    let rates = limit.rates().iter();
    let rate = |(rate, max): &(Rate, u64)| json!({"rate": rate.name(), "limit": max});
    rates.map(rate).collect()
}

fn embeds(embeds: &EmbedFacts) -> Value {
    json!({"model": embeds.model, "text": embeds.text})
}

fn target(target: &TargetFacts) -> Value {
    let millis = |time: Option<Duration>| time.map(|time| time.as_millis() as u64);
    let deadlines = target.deadlines;
    let mut told = json!({
        "model": target.model,
        "provider": target.provider,
        "provider_key": {"id": target.key_id, "name": target.key_name},
        "upstream_model": target.upstream_model,
        "replica": target.replica,
        "dialect": target.dialect.map(Dialect::as_str),
        "reason": target.reason,
        "deadlines_ms": {
            "total": millis(deadlines.total),
            "head": millis(deadlines.head),
            "first_token": millis(deadlines.first_token),
            "gap": millis(deadlines.gap),
        },
        "retries": target.retries,
        "continues": target.continues,
        "upstream": target.upstream.as_ref().map(upstream),
    });
    if let Some(role) = target.role {
        told["role"] = role.into();
    }
    told
}

fn upstream(upstream: &UpstreamFacts) -> Value {
    json!({
        "url": upstream.url,
        "own_transport": upstream.has_own_transport,
        "fidelity": upstream.fidelity,
        "edited": upstream.edited,
        "dropped": upstream.dropped,
        "headers": upstream.headers,
        "body_bytes": upstream.body_bytes,
    })
}
