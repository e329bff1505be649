//! Which members of a group are tried, and in what order.

use std::{borrow::Cow, time::Duration};

use http::{HeaderMap, header::COOKIE};
use smallvec::SmallVec;
use tokio::time::Instant;

use crate::{
    balance::{Facts, Fitness, Mask, Order, Plan, Random, Standing, View},
    call::Call,
    config::resource::HashOn,
    error::{Error, ErrorKind},
    models::{Member, Routing, quoted, unavailable, way},
    upstream::{Considered, Exit},
};

/// What a request may choose targets by: a list with commas.
pub(crate) const TAGS: &str = "x-aisix-routing-tags";
/// When to come back while no target is well.
const COME_BACK: Duration = Duration::from_secs(30);

/// Members in the order in which they are tried, by their positions, and how well they are.
pub(super) struct Choice {
    pub(super) order: Order,
    pub(super) fitness: Fitness,
}

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
    let plan = routing.group.plan(&facts, &standings, &mut Random::new());
    if let Exit::Show(witness) = &call.exit {
        witness.considered(considered(routing, &found, &plan, now));
    }
    match plan {
        Plan::Try { order, fitness } => Ok(Choice { order, fitness }),
        Plan::Nobody => Err(nobody(call, routing, &found)),
    }
}

/// All members for whoever wants to know: those that are tried, in order, and why the others are not.
fn considered(
    routing: &Routing,
    found: &[Result<Standing, Excluded>],
    plan: &Plan,
    now: Instant,
) -> Vec<Considered> {
    let tried = match plan {
        Plan::Try { order, .. } => order.to_vec(),
        Plan::Nobody => Vec::new(),
    };
    let left = (0..routing.members.len()).filter(|place| !tried.contains(place));
    let places = tried.iter().copied().chain(left);
    let considered = places.enumerate().map(|(number, place)| {
        let member = &routing.members[place];
        let is_tried = number < tried.len();
        Considered {
            member: member.clone(),
            role: None,
            retries: routing.rules.retries(member, number + 1 < tried.len()).most,
            reason: (!is_tried).then(|| match found[place] {
                Err(Excluded::Tags) => "the request's tags choose others".to_owned(),
                Err(Excluded::Address) => "it may not be used from the client's address".to_owned(),
                Err(Excluded::Operation) => "its provider does not offer the operation".to_owned(),
                Ok(_) => unfit(member, now),
            }),
        }
    });
    considered.collect()
}

/// Why a member that could serve is not tried.
pub(super) fn unfit(member: &Member, now: Instant) -> String {
    let target = &member.target;
    let fitness = target.state.fitness(now, &target.health);
    let fitness = fitness.and(target.credential.fitness(now));
    match (fitness.reason(), fitness.until()) {
        (Some(reason), Some(until)) => {
            let left = until.saturating_duration_since(now).as_secs();
            format!("it is not well for another {left} s ({reason})")
        }
        (Some(reason), None) => format!("it is not well ({reason})"),
        (None, _) => "enough others come before it".to_owned(),
    }
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
    let (state, health) = (&target.state, &target.health);
    let fitness = state.fitness(now, health);
    Ok(Standing {
        // Even when everything is tried, nothing is sent where somebody has switched it off.
        excluded: health.mode.excludes().is_some(),
        fitness: fitness.and(target.credential.fitness(now)).into(),
        view: View {
            eligible: true,
            in_flight: state.in_flight(),
            latency: state.latency(),
            first_token: state.first_token(),
            slow_start: state.share(now, health),
        },
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
fn key<'c>(call: &'c Call, hash_on: &[HashOn]) -> Cow<'c, str> {
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
