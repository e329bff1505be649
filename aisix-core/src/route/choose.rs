//! Which members of a group are tried, and in what order.

use std::{borrow::Cow, time::Duration};

use http::{HeaderMap, header::COOKIE};
use smallvec::SmallVec;
use tokio::time::Instant;

use super::{conversation::conversation, thread};
use crate::{
    balance::{Facts, Fitness, Mask, Plan, Random, Standing},
    call::Call,
    config::resource::HashOn,
    error::{Error, ErrorKind},
    models::{Member, Routing, quoted, unavailable, way},
    upstream::{Considered, Exit},
};

/// What a request may choose targets by: a list with commas.
pub(crate) const TAGS: &str = "x-aisix-routing-tags";
/// When to come back while no target is well.
pub(super) const COME_BACK: Duration = Duration::from_secs(30);

/// A member that is tried.
pub(super) struct Chosen {
    pub(super) member: Member,
    /// What can be expected of it.
    pub(super) fitness: Fitness,
}

/// The members that are tried, in order: the best come first.
pub(super) type Choice = SmallVec<[Chosen; 8]>;

/// Why a member is not tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Excluded {
    Tags,
    Address,
    Operation,
}

/// Chooses members for a call.
///
/// # Errors
///
/// Why there is none.
pub(super) fn choose(call: &Call, routing: &Routing, now: Instant) -> Result<Choice, Error> {
    let tags = tags(&call.inbound.head.headers);
    let tagged = routing.group.by_tags(&tags).map_err(|_| {
        let message = "no target of this model has one of these tags, and none is the default";
        Error::invalid(TAGS, message)
    })?;
    let members = routing.members.iter().enumerate();
    let found: SmallVec<[Result<Standing, Excluded>; 8]> = members
        .map(|(place, member)| standing(call, member, &tagged, place, now))
        .collect();
    let standings = found.iter().map(|found| {
        found.unwrap_or(Standing {
            excluded: true,
            ..Standing::default()
        })
    });
    let standings: SmallVec<[Standing; 8]> = standings.collect();
    let key = key(call, &routing.hash_on);
    let facts = Facts {
        key: &key,
        streams: call.streams(),
    };
    let conversation = match routing.keeps_conversations {
        true => conversation(call),
        false => None,
    };
    let mut random = Random::new();
    let group = &routing.group;
    let plan = group.plan_for(conversation, &facts, &standings, &mut random);
    if let Exit::Show(witness) = &call.exit {
        let home = group.home(conversation, &standings);
        let hedge = hedge(call, routing, &plan);
        witness.considered(considered(call, routing, &found, &plan, home, hedge, now));
    }
    match plan {
        Plan::Try(order) => {
            let places = order.iter().copied();
            let chosen = places.map(|place| Chosen {
                member: routing.members[place].clone(),
                fitness: standings[place].fitness,
            });
            Ok(chosen.collect())
        }
        Plan::Nobody => Err(nobody(call, routing, &found)),
    }
}

/// All members for whoever wants to know: those that are tried, in order, then the others; and what speaks against each.
fn considered(
    call: &Call,
    routing: &Routing,
    found: &[Result<Standing, Excluded>],
    plan: &Plan,
    home: Option<usize>,
    hedge: Option<(usize, Duration)>,
    now: Instant,
) -> Vec<Considered> {
    let tried = match plan {
        Plan::Try(order) => order.to_vec(),
        Plan::Nobody => Vec::new(),
    };
    let left = (0..routing.members.len()).filter(|place| !tried.contains(place));
    let fitness = |place: usize| found[place].ok().map(|standing| standing.fitness);
    let places = tried.iter().copied().chain(left);
    let may_continue =
        routing.rules.continue_on_break && call.streams() && thread::can_be_taken_up(call);
    let considered = places.enumerate().map(|(number, place)| {
        let member = &routing.members[place];
        let next = tried.get(number + 1).map(|next| fitness(*next));
        let unfit = unfit(member, now);
        let reason = match (number < tried.len(), found[place]) {
            (true, _) if home == Some(place) => {
                Some("it is asked first: the conversation is at home there".to_owned())
            }
            (true, _) => match (unfit, hedge) {
                (Some(unfit), _) => Some(format!("it is asked last: {unfit}")),
                (None, Some((hedge, delay))) if hedge == place => {
                    let delay = delay.as_millis();
                    Some(format!(
                        "it is asked, too, when the first takes longer than {delay} ms"
                    ))
                }
                _ => None,
            },
            (_, Err(Excluded::Tags)) => Some("the request's tags choose others".to_owned()),
            (_, Err(Excluded::Address)) => {
                Some("it may not be used from the client's address".to_owned())
            }
            (_, Err(Excluded::Operation)) => {
                Some("its provider does not offer the operation".to_owned())
            }
            (_, Ok(_)) => Some(unfit.unwrap_or_else(|| "enough others come before it".to_owned())),
        };
        Considered {
            member: member.clone(),
            role: None,
            retries: routing
                .rules
                .retries(member, next == Some(fitness(place)))
                .most,
            reason,
            continues: may_continue && thread::goes_on(member, call),
        }
    });
    considered.collect()
}

/// Who is asked, too, when the first has not answered after a time, if somebody is.
fn hedge(call: &Call, routing: &Routing, plan: &Plan) -> Option<(usize, Duration)> {
    let hedging = routing.rules.hedging.as_ref()?;
    let (Plan::Try(order), true) = (plan, call.inbound.operation.may_retry) else {
        return None;
    };
    let target = |place: usize| &routing.members[place].target;
    let (first, next) = (*order.first()?, *order.get(1)?);
    let all = order.iter().map(|place| target(*place));
    let delay = hedging.delay(target(first), target(next), all, call.streams());
    Some((next, delay))
}

/// Why a member is not well, if it is not.
pub(super) fn unfit(member: &Member, now: Instant) -> Option<String> {
    let fitness = member.target.fitness(now);
    Some(match (fitness.reason()?, fitness.until()) {
        (reason, Some(until)) => {
            let left = until.saturating_duration_since(now).as_secs();
            format!("it is not well for another {left} s ({reason})")
        }
        (reason, None) => format!("it is not well ({reason})"),
    })
}

/// How a member stands for a call, and whether it may serve it at all.
fn standing(
    call: &Call,
    member: &Member,
    tagged: &Mask,
    place: usize,
    now: Instant,
) -> Result<Standing, Excluded> {
    let Member { model, target, .. } = member;
    if !tagged.contains(place) {
        return Err(Excluded::Tags);
    }
    if !model.admits(call.trail().client()) {
        return Err(Excluded::Address);
    }
    if way(target, call.inbound.operation, model.name()).is_err() {
        return Err(Excluded::Operation);
    }
    Ok(Standing {
        fitness: target.fitness(now).into(),
        ..Standing::of(&target.state, &target.health, now)
    })
}

/// Why no member is tried.
fn nobody(call: &Call, routing: &Routing, found: &[Result<Standing, Excluded>]) -> Error {
    let requested = call.requested_model();
    let is_left = |reason: Excluded| {
        let mut found = found.iter().filter_map(|found| found.err());
        found.any(|other| other == reason)
    };
    if found.iter().any(Result::is_ok) {
        let message = format!("no target of model {} is available", quoted(requested));
        return Error::new(ErrorKind::ProviderUnavailable, message).with_retry_after(COME_BACK);
    }
    if is_left(Excluded::Operation) {
        let operation = call.inbound.operation;
        let mut members = routing.members.iter();
        let refusal = members.find_map(|it| way(&it.target, operation, requested).err());
        return refusal.unwrap_or_else(|| unavailable(requested));
    }
    if is_left(Excluded::Address) {
        let message = "no target of this model may be used from your address";
        return Error::new(ErrorKind::Forbidden, message).with_code("ip_restricted");
    }
    unavailable(requested)
}

/// The tags of a request.
fn tags(headers: &HeaderMap) -> SmallVec<[&str; 4]> {
    let lists = headers.get_all(TAGS).iter();
    let lists = lists.filter_map(|list| list.to_str().ok());
    let tags = lists.flat_map(|list| list.split(',').map(str::trim));
    tags.filter(|tag| !tag.is_empty()).collect()
}

/// What tells a request from others: the first thing that it has, or nothing.
pub(super) fn key<'c>(call: &'c Call, hash_on: &[HashOn]) -> Cow<'c, str> {
    let headers = &call.inbound.head.headers;
    let found = hash_on.iter().find_map(|source| {
        let value = match source {
            HashOn::Header(name) => Cow::from(headers.get(name)?.to_str().ok()?),
            HashOn::Cookie(name) => Cow::from(cookie(headers, name)?),
            HashOn::ApiKey => Cow::from(&**call.caller().id()),
            HashOn::ClientIp => Cow::from(call.trail().client()?.to_string()),
        };
        (!value.is_empty()).then_some(value)
    });
    found.unwrap_or_default()
}

fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lists = headers.get_all(COOKIE).iter();
    let lists = lists.filter_map(|list| list.to_str().ok());
    let mut pairs = lists.flat_map(|list| list.split(';'));
    pairs.find_map(|pair| {
        let (found, value) = pair.split_once('=')?;
        (found.trim() == name).then(|| value.trim().trim_matches('"'))
    })
}
