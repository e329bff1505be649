//! Chains of the configuration, compiled.

use std::{cmp::Reverse, fmt, sync::Arc};

use tower::util::BoxCloneSyncService;
use tower_layer::Layer;

use super::{
    CallService, HttpHook, HttpService,
    cached::Cached,
    guards::GuardSet,
    hooks::Hooks,
    memory::{Memory, serial},
    onward::Innermost,
    parallel::{Beside, Parallel},
    plugin::{Built, Context, OnCall, Stages},
};
use crate::{
    call::{Authenticated, Call},
    config::{
        Key, Kind, States,
        resource::{Invalid, Merge, Mode, Plugin, Stage, Strictness},
    },
    edge::Landed,
    route::RouteLayer,
    upstream::{Settings, Upstream},
};

/// The chain of a gateway, a model or an API key, compiled.
///
/// What combines it with chains of the other two is made when the first call needs it, and remembered in
/// the most specific of them.
pub(crate) struct Chain {
    serial: u64,
    elements: Vec<Arc<Element>>,
    /// What the last hook on calls calls.
    innermost: CallService,
    on_arrival: Option<HttpService>,
    on_calls: Combined<CallService>,
    over_http: Combined<HttpService>,
}

/// Chains combined with this one, by the serials of the guards and of those that are more general; `None`
/// where nothing in them runs.
type Combined<S> = Memory<3, Option<S>>;

/// An element of a chain, compiled.
pub(super) struct Element {
    pub(super) name: Arc<str>,
    pub(super) priority: u16,
    pub(super) parallel: bool,
    pub(super) mode: Mode,
    pub(super) merge: Merge,
    pub(super) is_response: bool,
    /// Runs after those that are not, whatever the priorities.
    pub(super) is_late: bool,
    pub(super) built: Built,
}

/// What chains are made from.
#[derive(Clone)]
pub(crate) struct Chains {
    pub(crate) hooks: Hooks,
    /// What the last hook of a chain, or the last guard, calls.
    pub(crate) innermost: CallService,
    /// The way to the upstream. Whoever takes a call says by which transport.
    route: CallService,
}

/// A chain, and the paths of fields that are unknown in it.
type Compiled = (Option<Arc<Chain>>, Vec<String>);

// === impl Chains ===

impl Chains {
    pub(crate) fn new(hooks: Hooks, route: &RouteLayer, settings: Settings) -> Self {
        let route = route.layer(Upstream::new(settings));
        let route = BoxCloneSyncService::new(route);
        Self {
            hooks,
            innermost: BoxCloneSyncService::new(Cached::new(route.clone())),
            route,
        }
    }

    /// What the last hook of a chain calls that hangs on a resource of this kind.
    fn behind(&self, owner: Kind) -> &CallService {
        match owner {
            Kind::CachePolicy => &self.route,
            _ => &self.innermost,
        }
    }

    /// Compiles a chain; `None` when nothing in it runs.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, its paths beginning at the document.
    pub(crate) fn compile(
        &self,
        owner: &Key,
        plugins: &[Plugin],
        strictness: Strictness,
        states: &States,
    ) -> Result<Compiled, Vec<Invalid>> {
        let (mut elements, mut errors, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
        for (index, plugin) in plugins.iter().enumerate() {
            let id = plugin.id();
            if plugins[..index].iter().any(|other| other.id() == id) {
                let message = "is that of another element; give one of them an `id` of its own";
                errors.push(Invalid::new(format!("plugins[{index}].id"), message));
            }
            let context = Context {
                owner,
                id,
                stage: plugin.stage,
                mode: plugin.mode,
                states,
            };
            match self.element(plugin, strictness, &context) {
                Ok((element, left_out)) => {
                    let path = |field| format!("{}{field}", Chain::SETTINGS);
                    unknown.extend(left_out.into_iter().map(path));
                    // What is switched off is checked all the same.
                    elements.extend(plugin.enabled.then(|| Arc::new(element)));
                }
                Err(wrong) => errors.extend(wrong.into_iter().map(|wrong| Invalid {
                    path: path(owner.kind, index, &wrong.path),
                    message: wrong.message,
                })),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let is_empty = elements.is_empty();
        let innermost = self.behind(owner.kind).clone();
        let chain = (!is_empty).then(|| Arc::new(Chain::new(elements, innermost)));
        Ok((chain, unknown))
    }

    fn element(
        &self,
        plugin: &Plugin,
        strictness: Strictness,
        context: &Context<'_>,
    ) -> Result<(Element, Vec<String>), Vec<Invalid>> {
        let wrong = |path: &str, message: String| vec![Invalid::new(path, message)];
        let Some(factory) = self.hooks.find(&plugin.name) else {
            let message = match context.owner.kind {
                Kind::CachePolicy => {
                    format!("cannot be served: there is no hook `{}`", plugin.name)
                }
                _ => self.hooks.missing(&plugin.name),
            };
            return Err(wrong("name", message));
        };
        let stage = stage(factory.stages(), plugin.stage).map_err(|said| wrong("stage", said))?;
        let context = Context {
            stage,
            owner: context.owner,
            id: context.id,
            mode: context.mode,
            states: context.states,
        };
        let built = factory.build(plugin.settings.clone(), strictness, &context);
        let in_settings = |errors: Vec<Invalid>| {
            let errors = errors.into_iter().map(|mut error| {
                error.path = match error.path.as_str() {
                    "" => "settings".to_owned(),
                    path => format!("settings.{path}"),
                };
                error
            });
            errors.collect::<Vec<_>>()
        };
        let (built, unknown) = built.map_err(in_settings)?;
        if let Some(message) = built.misplaced(context.owner.kind) {
            return Err(wrong("name", message.to_owned()));
        }
        if !built.only_looks() {
            if plugin.mode == Mode::Observe && !factory.observes() {
                return Err(wrong("mode", "of this hook cannot be `observe`".to_owned()));
            }
            if plugin.parallel {
                let message = "is not possible: this hook does more than look at a call";
                return Err(wrong("parallel", message.to_owned()));
            }
        }
        let stages = match &stage {
            Some(stage) => std::slice::from_ref(stage),
            None => factory.stages().all(),
        };
        let element = Element {
            name: plugin.name.as_str().into(),
            priority: plugin.priority,
            parallel: plugin.parallel,
            mode: plugin.mode,
            merge: plugin.merge,
            is_response: stages.iter().all(|stage| stage.is_response()),
            is_late: stages.iter().all(|stage| stage.is_late()),
            built,
        };
        Ok((element, unknown))
    }
}

/// The way to a field of an element. A policy is the settings of its only one.
fn path(owner: Kind, index: usize, field: &str) -> String {
    match owner {
        Kind::CachePolicy => field.strip_prefix("settings.").unwrap_or("").to_owned(),
        _ => format!("plugins[{index}].{field}"),
    }
}

/// Which stage a hook runs in; `None` for one whose stages are fixed.
pub(super) fn stage(stages: Stages, asked: Option<Stage>) -> Result<Option<Stage>, String> {
    let names = || {
        let names: Vec<_> = stages.all().iter().map(|stage| stage.as_str()).collect();
        names.join(", ")
    };
    match (stages, asked) {
        (_, Some(asked)) if !stages.all().contains(&asked) => {
            Err(format!("of this hook can be: {}", names()))
        }
        (Stages::Fixed(_), _) => Ok(None),
        (Stages::OneOf(&[only]), None) => Ok(Some(only)),
        (Stages::OneOf(_), None) => Err(format!("is required: {}", names())),
        (Stages::OneOf(_), Some(asked)) => Ok(Some(asked)),
    }
}

// === impl Chain ===

impl Chain {
    /// What paths of fields begin with that are in the settings of an element.
    pub(crate) const SETTINGS: &str = "plugins[].settings.";

    fn new(elements: Vec<Arc<Element>>, innermost: CallService) -> Self {
        let mut in_order: Vec<_> = elements.iter().collect();
        by_priority(&mut in_order);
        Self {
            serial: serial(),
            on_arrival: over_http(in_order, |built| built.arrival.as_ref()),
            elements,
            innermost,
            on_calls: Combined::default(),
            over_http: Combined::default(),
        }
    }

    /// The names of the hooks in these chains, the most general chain first: those that run before the body
    /// is read, and those that run on calls, in their order.
    pub(crate) fn names(chains: [Option<&Arc<Self>>; 3]) -> (Vec<String>, Vec<String>) {
        let elements = ordered(chains.into_iter().flatten());
        let names = |runs: fn(&Built) -> bool| {
            let elements = elements.iter().filter(|element| runs(&element.built));
            let names = elements.map(|element| element.name.to_string());
            names.collect::<Vec<_>>()
        };
        (
            [
                names(|built| built.arrival.is_some()),
                names(|built| built.http.is_some()),
            ]
            .concat(),
            names(|built| built.call.is_some()),
        )
    }

    /// What a call goes through; `None` when nothing is configured for it.
    pub(crate) fn of(call: &Call) -> Option<CallService> {
        let chains = [
            call.inbound.config.chain(),
            call.model.chain.as_ref(),
            call.caller().chain(),
        ];
        let guards = call.inbound.config.guards();
        let guards =
            guards.and_then(|guards| guards.of(call.inbound.operation, &call.model, call.caller()));
        if chains.iter().all(Option::is_none) {
            return guards.map(|guards| guards.alone.clone());
        }
        combined(
            chains,
            guards.as_deref(),
            |chain| &chain.on_calls,
            |chain, elements| {
                let hooked = on_calls(elements, chain.innermost.clone());
                match guards.as_ref() {
                    Some(guards) => {
                        Some(guards.wrap(hooked.unwrap_or_else(|| chain.innermost.clone())))
                    }
                    None => hooked,
                }
            },
        )
    }

    /// What a call goes through by this chain alone.
    pub(crate) fn service(&self) -> Option<CallService> {
        on_calls(self.elements.iter().collect(), self.innermost.clone())
    }

    /// What a request goes through before its caller is known; `None` when nothing is configured for it.
    pub(super) fn on_arrival(request: &Landed) -> Option<HttpService> {
        request.config.chain()?.on_arrival.clone()
    }

    /// What a request goes through before its body is read; `None` when nothing is configured for it.
    pub(super) fn before(request: &Authenticated) -> Option<HttpService> {
        let chains = [request.arrival.config.chain(), None, request.caller.chain()];
        combined(
            chains,
            None,
            |chain| &chain.over_http,
            |_, elements| over_http(elements, |built| built.http.as_ref()),
        )
    }
}

/// What a request goes through by these chains, the most general first, and by these guards.
fn combined<S: Clone>(
    chains: [Option<&Arc<Chain>>; 3],
    guards: Option<&GuardSet>,
    known: impl Fn(&Chain) -> &Combined<S>,
    combine: impl Fn(&Chain, Vec<&Arc<Element>>) -> Option<S>,
) -> Option<S> {
    let last = chains.iter().rposition(Option::is_some)?;
    let most_specific = chains[last]?;
    let serial = |level: usize| match chains[level] {
        Some(chain) if level < last => chain.serial,
        _ => 0,
    };
    let key = [
        guards.map_or(0, |guards| guards.serial),
        serial(0),
        serial(1),
    ];
    known(most_specific).get_or_make(key, || {
        combine(most_specific, ordered(chains.into_iter().flatten()))
    })
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.elements.iter().map(|element| &element.name);
        f.debug_list().entries(names).finish()
    }
}

/// The elements of several chains, the most general first, in the order in which they run.
fn ordered<'c>(chains: impl Iterator<Item = &'c Arc<Chain>>) -> Vec<&'c Arc<Element>> {
    let mut elements: Vec<&Arc<Element>> = Vec::new();
    for chain in chains {
        let level = &chain.elements;
        let is_replaced = |general: &Arc<Element>| {
            let same = |element: &Arc<Element>| {
                element.name == general.name && element.merge == Merge::Override
            };
            level.iter().any(same)
        };
        elements.retain(|general| !is_replaced(general));
        elements.extend(level);
    }
    by_priority(&mut elements);
    elements
}

/// The sort is stable: of equal ones, the more general and the earlier stay first.
fn by_priority(elements: &mut [&Arc<Element>]) {
    elements.sort_by_key(|element| {
        let place = (element.is_late, element.priority);
        (place, Reverse(element.parallel))
    });
}

/// Puts the hooks on calls around a service.
///
/// On the way in, those of the request run in the order of their stages and priorities; on the way out, those
/// of the answer do, after all others, so that they see whatever the caller is about to get.
fn on_calls(mut elements: Vec<&Arc<Element>>, innermost: CallService) -> Option<CallService> {
    elements.retain(|element| element.built.call.is_some());
    if elements.is_empty() {
        return None;
    }
    let (answer, request): (Vec<_>, Vec<_>) = elements
        .into_iter()
        .partition(|element| element.is_response);
    let place = |element: &&Arc<Element>| (element.is_late, element.priority);
    let beside =
        |a: &&Arc<Element>, b: &&Arc<Element>| a.parallel && b.parallel && place(a) == place(b);
    let groups = request.chunk_by(beside).rev();
    let inner = groups.fold(innermost, |inner, group| wrap(group, inner));
    let one = std::slice::from_ref;
    Some(
        answer
            .iter()
            .fold(inner, |inner, element| wrap(one(element), inner)),
    )
}

/// The same with the hooks over HTTP of one phase.
fn over_http(
    elements: Vec<&Arc<Element>>,
    hook: impl Fn(&Built) -> Option<&Arc<dyn HttpHook>>,
) -> Option<HttpService> {
    let hooks = elements
        .into_iter()
        .filter_map(|element| Some((element.is_response, hook(&element.built)?)));
    let (answer, request): (Vec<_>, Vec<_>) = hooks.partition(|(is_response, _)| *is_response);
    if answer.is_empty() && request.is_empty() {
        return None;
    }
    let around = request.into_iter().rev().chain(answer);
    let innermost = BoxCloneSyncService::new(Innermost);
    Some(around.fold(innermost, |inner, (_, hook)| hook.wrap(inner)))
}

/// Puts elements that run beside one another, or a single one, around a service.
pub(super) fn wrap(group: &[&Arc<Element>], inner: CallService) -> CallService {
    if let [element] = group
        && let Some(OnCall::Hook(hook)) = &element.built.call
    {
        return hook.wrap(inner);
    }
    let checks = group
        .iter()
        .filter_map(|element| match &element.built.call {
            Some(OnCall::Check(check)) => Some(Beside {
                name: element.name.clone(),
                mode: element.mode,
                check: check.clone(),
            }),
            _ => None,
        });
    let parallel = Parallel::new(checks.collect());
    BoxCloneSyncService::new(parallel.layer(inner))
}
