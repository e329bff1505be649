//! The limits that policies set: who is under which of them.
//!
//! A policy limits one subject, or every call that meets its conditions. What a call counts under is a fact
//! of its caller and its model, so it is found once for both and remembered by the caller, until
//! policies change. Each value by which a policy groups calls has a limit of its own, with a key of its own,
//! which holds neither numbers nor conditions: changing those keeps the counts.
//!
//! A model that stands for others is under the policies that are about itself. Those on what a model is, its `model`,
//! `model_name` or `provider`, hold for each of the others, too, when it is tried.

mod known;
mod suspension;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use imbl::OrdMap;
use jiff::Timestamp;

pub(crate) use self::known::Known;
use self::suspension::Suspension;
use super::{Limit, Scope};
use crate::{
    call::Caller,
    config::resource::{
        Conditions, Dimension, PolicyForm, PolicyScope, RateLimit, RateLimitPolicy,
    },
    models::Model,
};

/// All policies of a snapshot, by their ids, which is the order in which they are checked.
#[derive(Clone, Default)]
pub(crate) struct Policies {
    /// Tells these from the policies of every other snapshot.
    serial: u64,
    all: OrdMap<Arc<str>, Arc<Policy>>,
}

/// Which policy has set a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyName {
    pub(crate) id: Arc<str>,
    pub(crate) name: Arc<str>,
}

/// A policy as calls use it.
pub(crate) struct Policy {
    name: Arc<PolicyName>,
    about: About,
    rates: RateLimit,
    suspension: Option<Arc<Suspension>>,
    /// The limit of all its calls, unless it tells them apart.
    shared: Option<Arc<Limit>>,
}

/// What a policy is about.
enum About {
    One {
        scope: PolicyScope,
        id: String,
    },
    All {
        conditions: Conditions,
        /// In the order in which they stand in keys.
        group_by: Vec<Dimension>,
    },
}

/// A limit that the calls of one caller and one model are under.
#[derive(Clone)]
pub(crate) struct Rule {
    limit: Arc<Limit>,
    suspension: Option<Arc<Suspension>>,
}

// === impl Policies ===

impl Policies {
    /// These with one more, or with another one of that id.
    pub(crate) fn with(&self, id: &Arc<str>, policy: &RateLimitPolicy) -> Self {
        let policy = Arc::new(Policy::new(id, policy));
        Self::of(self.all.update(id.clone(), policy))
    }

    /// These without one; `None` when none are left.
    pub(crate) fn without(&self, id: &Arc<str>) -> Option<Self> {
        let all = self.all.without(id);
        (!all.is_empty()).then(|| Self::of(all))
    }

    fn of(all: OrdMap<Arc<str>, Arc<Policy>>) -> Self {
        static SERIAL: AtomicU64 = AtomicU64::new(1);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        Self { serial, all }
    }

    /// The limits that this caller's calls of this model are under, those of suspended policies too; `None`
    /// when there are none.
    pub(crate) fn rules(&self, caller: &Caller, model: &Model) -> Option<Arc<[Rule]>> {
        let find = || {
            let policies = self.all.values();
            let rules = policies.filter_map(|policy| policy.rule(caller, model));
            let rules: Arc<[Rule]> = rules.collect();
            (!rules.is_empty()).then_some(rules)
        };
        caller.known.rules(self.serial, model.serial(), find)
    }
}

// === impl PolicyName ===

impl PolicyName {
    /// The resource's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The configured name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

// === impl Policy ===

impl Policy {
    fn new(id: &Arc<str>, policy: &RateLimitPolicy) -> Self {
        let (about, rates) = match &policy.form {
            PolicyForm::Classic {
                scope,
                scope_ref,
                window,
                max_requests,
                max_tokens,
            } => {
                let (scope, id) = (*scope, scope_ref.clone());
                let rates = window.limits(*max_requests, *max_tokens);
                (About::One { scope, id }, rates)
            }
            PolicyForm::Conditional {
                conditions,
                group_by,
                limits,
            } => {
                let mut group_by = group_by.clone();
                group_by.sort_unstable();
                let conditions = conditions.clone();
                let about = About::All {
                    conditions,
                    group_by,
                };
                (about, *limits)
            }
        };
        let suspension = (!policy.schedules.is_empty())
            .then(|| Arc::new(Suspension::new(policy.schedules.clone())));
        let name = policy.name.as_str().into();
        let mut policy = Self {
            name: Arc::new(PolicyName {
                id: id.clone(),
                name,
            }),
            about,
            rates,
            suspension,
            shared: None,
        };
        policy.shared = policy.limit(policy.key());
        policy
    }

    /// What a caller's calls of a model are under; `None` when the policy is not about them.
    fn rule(&self, caller: &Caller, model: &Model) -> Option<Rule> {
        let limit = match self.group(caller, model)? {
            group if group.is_empty() => self.shared.clone(),
            group => self.limit(self.key() + &group),
        };
        Some(Rule {
            limit: limit?,
            suspension: self.suspension.clone(),
        })
    }

    /// What tells these calls from others of the policy, as the end of a key; `None` when it is not about
    /// them.
    fn group(&self, caller: &Caller, model: &Model) -> Option<String> {
        match &self.about {
            About::One { scope, id } => {
                let (is_subject, of_user) = match scope {
                    PolicyScope::ApiKey => (**caller.id() == **id, None),
                    PolicyScope::Model => (**model.id() == **id, None),
                    PolicyScope::Team => (caller.team_id() == Some(id), None),
                    PolicyScope::Member => (caller.user_id() == Some(id), None),
                    PolicyScope::TeamMember => {
                        (caller.team_id() == Some(id), Some(caller.user_id()?))
                    }
                };
                let group = of_user.map_or_else(String::new, |user| format!(":{user}"));
                is_subject.then_some(group)
            }
            About::All {
                conditions,
                group_by,
            } => {
                let fact = |dimension| fact(dimension, caller, model);
                if !conditions.hold(&fact) {
                    return None;
                }
                group_by.iter().try_fold(String::new(), |group, dimension| {
                    let value = escape(fact(*dimension)?);
                    Some(format!("{group}:{}={value}", dimension.as_str()))
                })
            }
        }
    }

    /// What the keys of its limits begin with.
    fn key(&self) -> String {
        let policy = &self.name.id;
        match &self.about {
            About::One { scope, id } => format!("policy:{}:{id}:{policy}", scope.as_str()),
            About::All { .. } => format!("policy:v2:{policy}"),
        }
    }

    fn limit(&self, key: String) -> Option<Arc<Limit>> {
        let limit = Limit::new(Scope::Policy, key, &self.rates)?;
        Some(Arc::new(limit.of_policy(self.name.clone())))
    }
}

fn fact<'f>(dimension: Dimension, caller: &'f Caller, model: &'f Model) -> Option<&'f str> {
    match dimension {
        Dimension::Team => caller.team_id(),
        Dimension::Member => caller.user_id(),
        Dimension::ApiKey => Some(caller.id()),
        Dimension::Model => Some(model.id()),
        Dimension::ModelName => Some(model.name()),
        Dimension::Provider => Some(model.target()?.provider()),
    }
}

/// A value in a key: what separates values there must not stand in one.
fn escape(value: &str) -> String {
    value
        .replace('%', "%25")
        .replace(':', "%3A")
        .replace('=', "%3D")
}

// === impl Rule ===

impl Rule {
    /// The limit.
    pub(crate) fn limit(&self) -> &Arc<Limit> {
        &self.limit
    }

    /// Whether its policy is suspended now.
    pub(crate) fn is_suspended(&self) -> bool {
        let suspension = self.suspension.as_ref();
        suspension.is_some_and(|suspension| suspension.is_on(Timestamp::now()))
    }
}
