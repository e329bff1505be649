//! One question to one model.

use std::{sync::Arc, time::Duration};

use aisix_wire::CHAT_COMPLETIONS;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use serde_json::json;
use tokio::time::{Instant, timeout};
use tower_service::Service;
use uuid::Uuid;

use super::super::{Model, Target, unavailable};
use crate::{
    balance::{
        Facts,
        health::{Check, Reason, Verdict},
    },
    call::{Attempt, AttemptKind, Call, Caller, Expense, Inbound, Trail},
    config::{Snapshot, resource::BackgroundCheck},
    edge,
    error::{Error, ErrorKind},
    ingest,
    limit::Reserve,
    observe::Observers,
    reply::{End, Outcome, Reply},
    route::Router,
    upstream::{Exit, Upstream},
};

/// The longest time for an answer.
const MAX_TIMEOUT: Duration = Duration::from_secs(3_600);

/// Asks models, as nobody's request.
pub(crate) struct Asker {
    pub(crate) exit: Exit,
    pub(crate) upstream: Upstream,
    pub(crate) router: Arc<Router<Upstream>>,
    pub(crate) limits: Reserve,
    pub(crate) observers: Observers,
    pub(crate) caller: Arc<Caller>,
}

// === impl Asker ===

impl Asker {
    /// The record of something that nobody has requested.
    pub(super) fn trail(&self) -> Trail {
        let id = Uuid::new_v4().to_string();
        let id = HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("check"));
        let observers = self.observers.clone();
        Trail::new(id, Method::POST, Uri::default(), None, None, observers)
    }

    /// Asks a model what its check says, and judges the answer. Observers are told as of a question of a hook.
    pub(super) async fn ask(&self, config: &Arc<Snapshot>, model: &Arc<Model>) -> Check {
        let target = model.target();
        let Some((target, check)) = target.and_then(|it| Some((it, it.check.as_ref()?))) else {
            return Check::Ignored { status: None };
        };
        let time = Duration::from_secs(check.timeout_seconds.get()).min(MAX_TIMEOUT);
        let trail = self.trail().ask(&CHAT_COMPLETIONS, model.clone(), false);
        let answer = async {
            let attempt = self.attempt(config, model, target, check, (&trail, time))?;
            let mut upstream = self.upstream.clone();
            upstream.call(attempt).await
        };
        let answer = timeout(time, answer).await.unwrap_or_else(|_| {
            let message = format!("no answer within {} s", time.as_secs());
            Err(Error::new(ErrorKind::Timeout, message))
        });
        let judged = judge(&answer, check, target.ways.is_some());
        tell(trail, answer);
        judged
    }

    fn attempt(
        &self,
        config: &Arc<Snapshot>,
        model: &Arc<Model>,
        target: &Arc<Target>,
        check: &BackgroundCheck,
        (trail, time): (&Trail, Duration),
    ) -> Result<Attempt, Error> {
        let operation = &CHAT_COMPLETIONS;
        let name = model.name();
        let messages = json!([{"role": "user", "content": check.prompt}]);
        let body = json!({"model": &**name, "messages": messages, "max_tokens": check.max_tokens});
        let payload = ingest::scan(operation, body.to_string().into())?;
        let head = Request::post(operation.path).body(()).unwrap_or_default();
        let started = Instant::now();
        // Of several replicas, one that takes calls now.
        let taken = match &target.ways {
            Some(ways) => {
                let nobody = || unavailable(name);
                Some(
                    ways.take(&Facts::default(), &[], started)
                        .ok_or_else(nobody)?,
                )
            }
            None => None,
        };
        let target = taken.as_ref().map_or(target, |(target, _)| target);
        let call = Call {
            inbound: Inbound {
                head: Arc::new(head.into_parts().0),
                operation,
                requested_model: name.clone(),
                payload,
                caller: self.caller.clone(),
                config: config.clone(),
                trail: trail.clone(),
            },
            model: model.clone(),
            upstream_headers: HeaderMap::new(),
            exit: self.exit.clone(),
            limits: self.limits.clone(),
            router: self.router.clone(),
            prompt_caching: None,
            draw: aisix_wire::chat::Draw::default(),
            expense: Expense::default(),
            beyond: None,
        };
        Ok(Attempt {
            call: Arc::new(call),
            model: model.clone(),
            target: target.clone(),
            upstream_model: target.model_name.clone(),
            number: 1,
            kind: AttemptKind::Initial,
            begun: None,
            race: None,
            expense: Expense::default(),
            started,
            deadline: Some((started + time, time)),
        })
    }
}

/// What an answer says about the target. What is the fault of one replica says nothing about the others.
fn judge(answer: &Result<Reply, Error>, check: &BackgroundCheck, has_replicas: bool) -> Check {
    let error = match answer {
        Ok(_) => {
            let status = Some(StatusCode::OK);
            return Check::Healthy { status };
        }
        Err(error) => error,
    };
    let verdict = match has_replicas {
        true => Verdict::from(error).without_replica(),
        false => error.into(),
    };
    let failure = match verdict {
        Verdict::Failure(failure) => failure,
        Verdict::Success => return Check::Healthy { status: None },
        Verdict::Nothing => return Check::Ignored { status: None },
    };
    let (status, reason) = (failure.status(), failure.reason());
    let heard = match (status, reason) {
        (None, Reason::RequestTimeout) => Some(StatusCode::REQUEST_TIMEOUT),
        (status, _) => status,
    };
    match heard.is_some_and(|status| check.ignore_statuses.contains(&status.as_u16())) {
        true => Check::Ignored { status },
        false => Check::Unhealthy { status, reason },
    }
}

fn tell(trail: Trail, answer: Result<Reply, Error>) {
    match answer {
        Ok(mut reply) => {
            reply.on_end({
                let trail = trail.clone();
                move |outcome| {
                    let elapsed = trail.started().elapsed();
                    trail.end_asking(&Outcome {
                        elapsed,
                        ..*outcome
                    });
                }
            });
            reply.complete_if_whole();
        }
        Err(error) => {
            let elapsed = trail.started().elapsed();
            let outcome = Outcome::without_answer(End::Refused(&error), elapsed);
            let status = Some(edge::status(&error));
            trail.end_asking(&Outcome { status, ..outcome });
        }
    }
}
