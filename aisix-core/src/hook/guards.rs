//! Guardrails, compiled: which of them apply to a call, and in which order.

use std::{cmp::Reverse, collections::HashMap, fmt, sync::Arc};

use aisix_wire::{Form as Operates, Operation};
use jiff::Timestamp;

use super::{
    CallService,
    chain::{Element, wrap},
    memory::{Memory, serial},
};
use crate::{
    call::Caller,
    config::resource::{GuardrailAttachment, ScopeType},
    models::Model,
};

/// A guardrail, compiled.
pub(crate) struct Guard {
    pub(super) name: Arc<str>,
    /// What looks at requests.
    pub(super) input: Option<Arc<Element>>,
    /// What looks at answers.
    pub(super) output: Option<Arc<Element>>,
    /// Whether it may replace parts of what it looks at.
    pub(super) masks: bool,
}

/// A guardrail that is switched on, and when it was made.
#[derive(Clone)]
pub(crate) struct Active {
    pub(crate) id: Arc<str>,
    pub(crate) guard: Arc<Guard>,
    pub(crate) created_at: Option<Timestamp>,
}

/// All guardrails, by what they apply to.
pub(crate) struct Guards {
    everywhere: Scope,
    teams: Scopes,
    models: Scopes,
    api_keys: Scopes,
    /// What the last guard of a call calls, if no hooks are configured for it.
    innermost: CallService,
}

type Scopes = HashMap<String, Scope>;

/// What applies to one thing, and what it comes to together with what applies to others.
struct Scope {
    serial: u64,
    placed: Vec<Placed>,
    combined: Memory<3, Option<Arc<GuardSet>>>,
}

/// A guardrail where it applies.
#[derive(Clone)]
struct Placed {
    priority: i32,
    specificity: u8,
    active: Active,
}

/// The guards of a call, in their order.
pub(crate) struct GuardSet {
    pub(super) serial: u64,
    guards: Vec<Arc<Guard>>,
    /// What a call goes through if no hooks are configured for it.
    pub(super) alone: CallService,
}

// === impl Guards ===

impl Guards {
    /// Sorts guardrails by what they are attached to; one that nothing attaches applies everywhere. `None` when
    /// none is left.
    pub(crate) fn new<'a>(
        active: impl Iterator<Item = Active>,
        attachments: impl Iterator<Item = &'a GuardrailAttachment>,
        innermost: CallService,
    ) -> Option<Self> {
        let mut attached: HashMap<&str, Vec<&GuardrailAttachment>> = HashMap::new();
        for attachment in attachments {
            let id = attachment.guardrail_id.as_str();
            attached.entry(id).or_default().push(attachment);
        }
        let mut guards = Self {
            everywhere: Scope::default(),
            teams: Scopes::new(),
            models: Scopes::new(),
            api_keys: Scopes::new(),
            innermost,
        };
        for active in active {
            match attached.get(&*active.id) {
                None => guards.everywhere.place(0, 0, active),
                Some(attachments) => {
                    for attachment in attachments.iter().filter(|it| it.enabled) {
                        guards.attach(active.clone(), attachment);
                    }
                }
            }
        }
        let scopes = [&guards.teams, &guards.models, &guards.api_keys];
        let is_empty =
            guards.everywhere.placed.is_empty() && scopes.iter().all(|scopes| scopes.is_empty());
        (!is_empty).then_some(guards)
    }

    fn attach(&mut self, active: Active, attachment: &GuardrailAttachment) {
        let (scopes, specificity) = match attachment.scope_type {
            ScopeType::Env => return self.everywhere.place(attachment.priority, 0, active),
            ScopeType::Model => (&mut self.models, 1),
            ScopeType::Team => (&mut self.teams, 2),
            ScopeType::ApiKey => (&mut self.api_keys, 3),
            ScopeType::McpServer | ScopeType::PassthroughRoute => return,
        };
        if let Some(id) = attachment.scope_id.clone() {
            let scope = scopes.entry(id).or_default();
            scope.place(attachment.priority, specificity, active);
        }
    }

    /// The guards of a call of an operation; `None` when there are none. Counting tokens says nothing to
    /// anybody, so that it has none.
    pub(crate) fn of(
        &self,
        operation: &Operation,
        model: &Model,
        caller: &Caller,
    ) -> Option<Arc<GuardSet>> {
        if operation.form == Operates::CountTokens {
            return None;
        }
        let team = caller.team_id().and_then(|team| find(&self.teams, team));
        let scopes = [
            Some(&self.everywhere),
            team,
            find(&self.models, model.id()),
            find(&self.api_keys, caller.id()),
        ];
        let last = scopes.iter().rposition(Option::is_some)?;
        let most_specific = scopes[last]?;
        let serial = |level: usize| match scopes[level] {
            Some(scope) if level < last => scope.serial,
            _ => 0,
        };
        let key = [serial(0), serial(1), serial(2)];
        most_specific.combined.get_or_make(key, || {
            let placed = scopes.iter().flatten().flat_map(|scope| &scope.placed);
            GuardSet::new(placed, self.innermost.clone()).map(Arc::new)
        })
    }
}

fn find<'s>(scopes: &'s Scopes, id: &str) -> Option<&'s Scope> {
    // Without any, nothing is hashed.
    (!scopes.is_empty()).then(|| scopes.get(id)).flatten()
}

// === impl Scope ===

impl Scope {
    fn place(&mut self, priority: i32, specificity: u8, active: Active) {
        self.placed.push(Placed {
            priority,
            specificity,
            active,
        });
    }
}

impl Default for Scope {
    fn default() -> Self {
        Self {
            serial: serial(),
            placed: Vec::new(),
            combined: Memory::default(),
        }
    }
}

// === impl Placed ===

impl Placed {
    /// Higher priorities come first, then the more specific, the older, and the one whose id sorts first.
    fn order(&self) -> impl Ord + use<'_> {
        let Active { id, created_at, .. } = &self.active;
        let foremost = (Reverse(self.priority), Reverse(self.specificity));
        (foremost, created_at.is_none(), created_at, id)
    }
}

// === impl GuardSet ===

impl GuardSet {
    /// Each guard once, at its first place.
    fn new<'p>(placed: impl Iterator<Item = &'p Placed>, innermost: CallService) -> Option<Self> {
        let mut placed: Vec<_> = placed.collect();
        placed.sort_by(|a, b| a.order().cmp(&b.order()));
        let mut seen = std::collections::HashSet::new();
        let guards: Vec<_> = placed
            .into_iter()
            .filter(|placed| seen.insert(&placed.active.id))
            .map(|placed| placed.active.guard.clone())
            .collect();
        (!guards.is_empty()).then(|| Self {
            serial: serial(),
            alone: around(&guards, innermost),
            guards,
        })
    }

    /// Puts the guards around a service.
    pub(super) fn wrap(&self, inner: CallService) -> CallService {
        around(&self.guards, inner)
    }

    /// What the guards are called, in their order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.guards.iter().map(|guard| &*guard.name)
    }
}

/// Puts guards around a service. They look at the request in their order, before anything that stands
/// further in, and then at the answer in their order, after everything else. Those that replace parts look after
/// all that only refuse, which so see what was said.
fn around(guards: &[Arc<Guard>], inner: CallService) -> CallService {
    let refusing = guards.iter().filter(|guard| !guard.masks);
    let masking = guards.iter().filter(|guard| guard.masks);
    let in_order: Vec<_> = refusing.chain(masking).collect();
    let one = std::slice::from_ref;
    let asked = in_order.iter().filter_map(|guard| guard.input.as_ref());
    let answered = in_order.iter().filter_map(|guard| guard.output.as_ref());
    let inner = asked
        .rev()
        .fold(inner, |inner, element| wrap(one(&element), inner));
    answered.fold(inner, |inner, element| wrap(one(&element), inner))
}

impl fmt::Debug for Guards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guards")
    }
}
