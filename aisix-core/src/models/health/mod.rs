//! How models fare: the one place that says so.
//!
//! A model that is served itself fares as its target and its credential do, as remembered by
//! [`balance::health`](crate::balance::health); without a provider key, or with one that no provider can use, it
//! cannot be served at all. One that stands for others tells how each of those fares.

mod json;
mod log;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, collections::HashSet, sync::Arc};

use http::StatusCode;
use jiff::Timestamp;
use tokio::time::Instant;

pub use self::json::to_json;
pub(crate) use self::log::log;
use super::{Ensemble, Model, Routing, Serves, Target};
use crate::{balance::health, config::Snapshot, replicas::Replica};

/// How a model fares.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Health {
    /// The model.
    pub model: Arc<Model>,
    /// In a word.
    pub status: HealthStatus,
    /// Why it is not well.
    pub reason: Option<Cow<'static, str>>,
    /// Since when it is not well, if that is known.
    pub since: Option<Timestamp>,
    /// Until when it is left alone at least, if that is known.
    pub until: Option<Timestamp>,
    /// When it was last checked in the background.
    pub last_checked_at: Option<Timestamp>,
    /// What the upstream answered then, if it did.
    pub last_check_status: Option<StatusCode>,
    /// How its calls went of late.
    pub grade: Grade,
    /// How many of its attempts are under way; `None` where others serve its calls.
    pub in_flight: Option<u32>,
    /// Those that it stands for, in the order of their declaration.
    pub members: Vec<MemberHealth>,
    /// The replicas of the upstream that serves it, in the order of their declaration.
    pub replicas: Vec<ReplicaHealth>,
}

/// How one of those fares that a model stands for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MemberHealth {
    /// The name by which it is named.
    pub name: Arc<str>,
    /// In a word.
    pub status: HealthStatus,
    /// The replicas of the upstream that serves it, in the order of their declaration.
    pub replicas: Vec<ReplicaHealth>,
}

/// How a replica of an upstream fares.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReplicaHealth {
    /// The replica.
    pub replica: Arc<Replica>,
    /// How it fares.
    pub report: health::HealthReport,
    /// How many requests are under way there.
    pub in_flight: u32,
}

/// How a model fares, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HealthStatus {
    /// It takes calls.
    Healthy,
    /// It takes none.
    Unhealthy,
    /// It takes those of a group only that nothing else can take.
    Cooldown,
    /// It stands for others.
    NotApplicable,
}

/// How the calls of a model went of late, whatever its settings say about failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// Fewer than 4 have failed since the last that succeeded.
    Well,
    /// 4 have.
    Degraded,
    /// 8 have, or it cannot be served at all.
    Down,
}

/// The failures in a row from which a model is degraded.
const DEGRADED: u32 = 4;
/// Those from which it is down.
const DOWN: u32 = 8;

/// A moment, by both clocks.
#[derive(Clone, Copy)]
struct Moment {
    now: Instant,
    wall: Timestamp,
}

/// How the models of a snapshot fare now, by name.
pub fn all(snapshot: &Snapshot) -> impl Iterator<Item = Health> + '_ {
    let moment = Moment {
        now: Instant::now(),
        wall: Timestamp::now(),
    };
    snapshot
        .models()
        .map(move |model| Health::of(model, moment))
}

// === impl Health ===

impl Health {
    fn of(model: &Arc<Model>, moment: Moment) -> Self {
        match &model.serves {
            Serves::Direct(target) => Self::direct(model, target, moment),
            Serves::Ensemble(ensemble) => Self::ensemble(model, ensemble, moment),
            serves => {
                let members = serves.groups().iter().flat_map(members);
                let mut health = Self::group(model, members, moment);
                if let Serves::Semantic(semantic) = serves {
                    health.reason = health.reason.or(semantic.unable.map(Cow::from));
                }
                health
            }
        }
    }

    /// Nothing is known of it.
    fn new(model: &Arc<Model>, status: HealthStatus, grade: Grade) -> Self {
        Self {
            model: model.clone(),
            status,
            reason: None,
            since: None,
            until: None,
            last_checked_at: None,
            last_check_status: None,
            grade,
            in_flight: None,
            members: Vec::new(),
            replicas: Vec::new(),
        }
    }

    fn direct(model: &Arc<Model>, target: &Target, moment: Moment) -> Self {
        let grade = Grade::of(target);
        if let Err(error) = target.endpoint() {
            return Self {
                reason: Some(error.message().to_owned().into()),
                ..Self::new(model, HealthStatus::Unhealthy, grade)
            };
        }
        let report = report(target, moment);
        Self {
            reason: report.reason.map(|reason| reason.as_str().into()),
            since: report.since,
            until: report.until,
            last_checked_at: report.last_checked_at,
            last_check_status: report.last_check_status,
            in_flight: Some(target.state.in_flight()),
            replicas: replicas(target, moment),
            ..Self::new(model, report.status.into(), grade)
        }
    }

    /// One that stands for others is as good as the best of them.
    fn group<'m>(
        model: &Arc<Model>,
        members: impl IntoIterator<Item = (&'m Arc<str>, &'m Arc<Target>)>,
        moment: Moment,
    ) -> Self {
        let mut grade = Grade::Down;
        let members = members.into_iter().map(|(name, target)| {
            grade = grade.min(Grade::of(target));
            let status = match target.endpoint() {
                Ok(_) => report(target, moment).status.into(),
                Err(_) => HealthStatus::Unhealthy,
            };
            MemberHealth {
                name: name.clone(),
                status,
                replicas: replicas(target, moment),
            }
        });
        let members: Vec<_> = members.collect();
        let nobody = "none of the models exists that it stands for";
        Self {
            reason: members.is_empty().then_some(nobody.into()),
            members,
            ..Self::new(model, HealthStatus::NotApplicable, grade)
        }
    }
}

impl Health {
    /// One that asks several is as good as its judge, and as the last of the panel that it needs.
    fn ensemble(model: &Arc<Model>, ensemble: &Ensemble, moment: Moment) -> Self {
        let voices = ensemble.voices();
        let told = voices.map(|voice| (&voice.name, &voice.member.target));
        let mut health = Self::group(model, told, moment);
        let mut names = HashSet::new();
        health.members.retain(|it| names.insert(it.name.clone()));
        let panel = ensemble.panel.iter();
        let mut panel: Vec<_> = panel.map(|it| Grade::of(&it.member.target)).collect();
        panel.sort_unstable();
        let last = panel.get(ensemble.least.saturating_sub(1)).copied();
        let judge = ensemble.judge.as_ref();
        let judge = judge.map(|judge| Grade::of(&judge.member.target));
        health.grade = last.zip(judge).map_or(Grade::Down, |(a, b)| a.max(b));
        if judge.is_none() {
            health.reason = Some("the model does not exist that judges".into());
        } else if last.is_none() {
            health.reason = Some("fewer models of the panel exist than must answer".into());
        }
        health
    }
}

fn report(target: &Target, Moment { now, wall }: Moment) -> health::HealthReport {
    let credential = Some(&*target.credential);
    let own = target.state.report(now, wall, &target.health, credential);
    match &target.ways {
        Some(_) => own.but(target.fitness(now), now, wall),
        None => own,
    }
}

fn replicas(target: &Target, Moment { now, wall }: Moment) -> Vec<ReplicaHealth> {
    let replicas = target.ways.iter().flat_map(|ways| ways.pool().replicas());
    let health = |replica: &Arc<Replica>| ReplicaHealth {
        replica: replica.clone(),
        report: replica.report(now, wall),
        in_flight: replica.in_flight(),
    };
    replicas.map(health).collect()
}

/// Those that a group tries, by the names that it names them by.
fn members(routing: &Routing) -> impl Iterator<Item = (&Arc<str>, &Arc<Target>)> {
    let names = routing.group.candidates().iter();
    let names = names.map(|candidate| &candidate.member.name);
    names.zip(routing.members.iter().map(|member| &member.target))
}

// === impl HealthStatus ===

impl HealthStatus {
    /// The word: `healthy`, `unhealthy`, `cooldown` or `not_applicable`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Cooldown => "cooldown",
            Self::NotApplicable => "not_applicable",
        }
    }
}

impl From<health::HealthStatus> for HealthStatus {
    fn from(status: health::HealthStatus) -> Self {
        match status {
            health::HealthStatus::Healthy => Self::Healthy,
            health::HealthStatus::Unhealthy => Self::Unhealthy,
            health::HealthStatus::Cooldown => Self::Cooldown,
        }
    }
}

// === impl Grade ===

impl Grade {
    fn of(target: &Target) -> Self {
        match target.state.failures_in_a_row() {
            _ if target.endpoint.is_err() => Self::Down,
            DOWN.. => Self::Down,
            DEGRADED.. => Self::Degraded,
            _ => Self::Well,
        }
    }
}
