//! Several models answer, and one makes one answer of theirs.

use std::{collections::VecDeque, sync::Arc};

use aisix_wire::{
    Dialect, Edits, GENERATE_CONTENT, Usage,
    chat::{Request, caller_codec, said, say_instead},
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use http::HeaderValue;
use smallvec::smallvec;
use tokio::time::Instant;
use tower_service::Service;

use super::{
    ATTEMPTS, RouteLayer, SERVED_BY,
    attempts::Attempts,
    choose::{COME_BACK, Chosen, unfit},
    course::{Course, Progress},
    synthesis::synthesis,
    takeover::Takeover,
};
use crate::{
    balance::Fitness,
    call::{Attempt, Call},
    edge,
    error::{Error, ErrorKind},
    models::{Ensemble, Voice, quoted, unavailable, way},
    reply::Reply,
    upstream::{Considered, Exit, invalid},
};

/// A call whose ensemble is asked.
struct Convened<'c> {
    route: RouteLayer,
    call: &'c Call,
    ensemble: &'c Ensemble,
    /// Those of all together.
    attempts: Attempts,
}

/// What one of the panel has answered.
struct Heard {
    text: Result<String, Error>,
    used: Usage,
}

/// How one who may be asked stands, or why it may not.
type Standing = Result<Fitness, Error>;

impl RouteLayer {
    /// Serves a call of an ensemble: asks its panel, then its judge, whose answer it is.
    ///
    /// Each of them is asked as a group would ask its only member. Nothing is spawned: who drops the answer drops all that
    /// is under way.
    pub(super) async fn convened<S>(
        self,
        inner: S,
        call: &Arc<Call>,
        ensemble: &Ensemble,
    ) -> Result<Reply, Error>
    where
        S: Service<Attempt, Response = Reply, Error = Error> + Clone + Send + 'static,
        S::Future: Send,
    {
        let convened = Convened {
            route: self,
            call,
            ensemble,
            attempts: Attempts::default(),
        };
        let answer = convened.answer(inner).await;
        let attempts = HeaderValue::from(convened.attempts.count());
        match answer {
            Ok(mut reply) => {
                reply.headers_mut().insert(ATTEMPTS, attempts);
                Ok(reply)
            }
            Err(error) => Err(error.with_header(ATTEMPTS, attempts)),
        }
    }
}

// === impl Convened ===

impl Convened<'_> {
    async fn answer<S>(&self, inner: S) -> Result<Reply, Error>
    where
        S: Service<Attempt, Response = Reply, Error = Error> + Clone + Send + 'static,
        S::Future: Send,
    {
        let (call, ensemble) = (self.call, self.ensemble);
        let request = request(call)?;
        let now = Instant::now();
        let judge = ensemble.judge.as_ref();
        let judge = judge.ok_or_else(|| unavailable(call.requested_model()))?;
        let standings = ensemble.panel.iter();
        let standings: Vec<_> = standings.map(|voice| standing(call, voice, now)).collect();
        let of_judge = standing(call, judge, now);
        if let Exit::Show(witness) = &call.exit {
            let all = ensemble.voices().zip(standings.iter().chain([&of_judge]));
            let mut considered: Vec<_> = all.map(|it| self.considered(it, now)).collect();
            if let Some(judge) = considered.last_mut() {
                judge.role = Some("judge");
            }
            witness.considered(considered);
        }
        // Nobody is asked for nothing.
        let fitness = of_judge?;
        let (texts, used) = self.hear(inner.clone(), standings).await?;
        let texts: Vec<_> = texts.iter().map(String::as_str).collect();
        let told = synthesis(&ensemble.prompt, &request.transcript(), &texts);
        let dialect = call.inbound.operation.dialect;
        let summing_up = edited(call, &say_instead(dialect, &told))?;
        let mut course = self.course(inner, summing_up, (judge, fitness));
        let mut reply = course.run().await?;
        if let Ok(name) = HeaderValue::from_bytes(judge.member.model.name().as_bytes()) {
            reply.headers_mut().insert(SERVED_BY, name);
        }
        let reply = Takeover::of(reply, course);
        Ok(reply.beside(used, dialect, call.trail().started()))
    }

    /// Asks the panel, all at once: who is not well, only where others have failed. Answers what they say, in their
    /// order, and what all of that has used.
    ///
    /// # Errors
    ///
    /// As soon as it is certain that too few answer.
    async fn hear<S>(
        &self,
        inner: S,
        standings: Vec<Standing>,
    ) -> Result<(Vec<String>, Usage), Error>
    where
        S: Service<Attempt, Response = Reply, Error = Error> + Clone + Send + 'static,
        S::Future: Send,
    {
        let (call, ensemble) = (self.call, self.ensemble);
        let question = question(call)?;
        let ask = move |place: usize, fitness: Fitness| {
            let voice = &ensemble.panel[place];
            let question = question.clone();
            let course = self.course(inner.clone(), question, (voice, fitness));
            async move { (place, heard(course).await) }
        };
        let asked = FuturesUnordered::new();
        let mut left = VecDeque::new();
        let mut failures = Vec::new();
        for (place, standing) in standings.into_iter().enumerate() {
            match standing {
                Ok(Fitness::Fit) => asked.push(ask(place, Fitness::Fit)),
                Ok(fitness) => left.push_back((place, fitness)),
                Err(error) => failures.push(error),
            }
        }
        let mut asked = asked;
        let mut answers = Vec::new();
        let mut used = Usage::default();
        loop {
            while answers.len() + asked.len() < ensemble.least {
                let Some((place, fitness)) = left.pop_front() else {
                    return Err(too_few(ensemble, &failures));
                };
                asked.push(ask(place, fitness));
            }
            let Some((place, heard)) = asked.next().await else {
                break;
            };
            used += heard.used;
            call.expense.used(used.total());
            match heard.text {
                Ok(text) => answers.push((place, text)),
                Err(error) => failures.push(error),
            }
        }
        answers.sort_unstable_by_key(|(place, _)| *place);
        let texts = answers.into_iter().map(|(_, text)| text);
        Ok((texts.collect(), used))
    }

    /// The attempts at one of them.
    fn course<S>(
        &self,
        inner: S,
        mut call: Call,
        (voice, fitness): (&Voice, Fitness),
    ) -> Course<S> {
        call.draw = voice.draw;
        let time = self.ensemble.timeout;
        Course {
            inner,
            rules: self.route.rules.clone(),
            route: self.route.clone(),
            call: Arc::new(call),
            members: smallvec![Chosen {
                member: voice.member.clone(),
                fitness,
            }],
            is_group: true,
            deadline: time.map(|time| (Instant::now() + time, time)),
            attempts: self.attempts.clone(),
            progress: Progress::default(),
        }
    }

    /// One of them, for whoever wants to know.
    fn considered(&self, (voice, standing): (&Voice, &Standing), now: Instant) -> Considered {
        let member = &voice.member;
        Considered {
            member: member.clone(),
            role: Some("panel"),
            continues: false,
            retries: self.route.rules.retries(member, false).most,
            reason: match standing {
                Ok(Fitness::Fit) => None,
                Ok(_) => unfit(member, now),
                Err(error) => Some(error.message().to_owned()),
            },
        }
    }
}

/// What the caller asks.
///
/// # Errors
///
/// That it cannot be read, or wants tools to be called: answers that call some cannot be made one.
fn request(call: &Call) -> Result<Request, Error> {
    let codec = caller_codec(call.inbound.operation.dialect);
    let codec = codec.ok_or_else(|| unavailable(call.requested_model()))?;
    let request = codec.read_request(call.bytes()).map_err(invalid)?;
    match request.tools_member() {
        None => Ok(request),
        Some(member) => {
            let name = quoted(call.requested_model());
            let message = format!("model {name} asks several models, which call no tools");
            Err(Error::invalid(member, message))
        }
    }
}

/// What the panel is asked: the same, but for one answer, and whole.
fn question(call: &Call) -> Result<Call, Error> {
    let mut edits = Edits::new();
    let gone: &[&'static str] = match call.inbound.operation.dialect {
        Dialect::OpenAi => &["stream", "stream_options"],
        _ => &["stream", "stream_options", "background"],
    };
    for name in gone {
        edits.remove(*name);
    }
    for path in call.inbound.operation.answers {
        match path.split_once('.') {
            None => edits.remove(*path),
            Some((object, count)) if call.inbound.payload.u64_at(path).is_some() => {
                edits.set_in(object, count, &b"1"[..]);
            }
            Some(_) => {}
        }
    }
    let mut question = edited(call, &edits)?;
    if question.inbound.operation.dialect == Dialect::Gemini {
        question.inbound.operation = &GENERATE_CONTENT;
    }
    Ok(question)
}

/// The same call with another body.
fn edited(call: &Call, edits: &Edits) -> Result<Call, Error> {
    let mut call = Call::clone(call);
    call.inbound.payload.edit(edits).map_err(|error| {
        Error::new(ErrorKind::Internal, "the request could not be changed").with_source(error)
    })?;
    Ok(call)
}

/// How one of them stands, or why it is not asked.
fn standing(call: &Call, voice: &Voice, now: Instant) -> Standing {
    let member = &voice.member;
    let name = quoted(&voice.name);
    if !member.model.admits(call.trail().client()) {
        let message = format!("model {name} may not be used from your address");
        return Err(Error::new(ErrorKind::Forbidden, message).with_code("ip_restricted"));
    }
    way(&member.target, call.inbound.operation, &voice.name)?;
    let fitness = Fitness::from(member.target.fitness(now));
    if fitness == Fitness::Unfit || member.target.health.mode.excludes().is_some() {
        let message = format!("model {name} is not available");
        let error = Error::new(ErrorKind::ProviderUnavailable, message);
        return Err(error.with_retry_after(COME_BACK));
    }
    Ok(fitness)
}

/// What one of the panel says in the end.
async fn heard<S>(mut course: Course<S>) -> Heard
where
    S: Service<Attempt, Response = Reply, Error = Error>,
{
    let reply = match course.run().await {
        Ok(reply) => reply,
        Err(error) => {
            let used = Usage::default();
            return Heard {
                text: Err(error),
                used,
            };
        }
    };
    let used = reply.meter().usage().unwrap_or_default();
    let nothing = |message| Err(Error::new(ErrorKind::Decode, message));
    let text = match reply.shared_bytes() {
        None => {
            let message = "the upstream has sent a stream";
            reply.fail(&Error::new(ErrorKind::Decode, message));
            nothing(message)
        }
        // Where nothing is sent, nothing is said.
        Some(_) if !course.call.exit.sends() => Ok(String::from("…")),
        Some(bytes) => {
            reply.complete_if_whole();
            let text = said(course.call.inbound.operation.dialect, &bytes);
            let text = text.filter(|text| !text.trim().is_empty());
            text.map_or_else(|| nothing("the upstream's answer has no text"), Ok)
        }
    };
    Heard { text, used }
}

/// Why there is nothing to judge: the caller's mistake, if all who have failed say so.
fn too_few(ensemble: &Ensemble, failures: &[Error]) -> Error {
    let (failed, all, least) = (failures.len(), ensemble.panel.len(), ensemble.least);
    let mut message =
        format!("{failed} of the {all} models of the panel have failed, but {least} must answer");
    let Some(first) = failures.first() else {
        return Error::new(ErrorKind::ProviderUnavailable, message);
    };
    message = format!("{message}: {}", first.message());
    let is_callers = |error: &Error| edge::status(error).is_client_error();
    if failures.iter().all(is_callers) {
        return first.duplicate().with_message(message);
    }
    Error::new(ErrorKind::ProviderUnavailable, message)
        .with_retry_after(COME_BACK)
        .with_source(first.duplicate())
}
