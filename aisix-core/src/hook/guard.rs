//! From guardrails to guards.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{
    chain::{Chains, Element, stage},
    guards::Guard,
    hooks::Factory,
    plugin::{Built, Context},
};
use crate::config::{
    Key, States,
    resource::{Guardrail, HookPoint, Invalid, Merge, Mode, Strictness},
};

/// Kinds that are known elsewhere, and are not served yet.
const LATER: [&str; 3] = ["semantic", "aliyun_text_moderation", "aliyun_ai_guardrail"];

/// A guard, and the fields that are unknown in it.
type Compiled = (Arc<Guard>, Vec<String>);

// === impl Chains ===

impl Chains {
    /// Compiles a guardrail.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, its paths beginning at the document.
    pub(crate) fn guard(
        &self,
        owner: &Key,
        guardrail: &Guardrail,
        strictness: Strictness,
        states: &States,
    ) -> Result<Compiled, Vec<Invalid>> {
        let factory = self.serving(&guardrail.kind)?;
        let context = Context {
            owner,
            id: &guardrail.kind,
            stage: stage(factory.stages(), None)
                .map_err(|message| vec![Invalid::new("kind", message)])?,
            mode: Mode::Enforce,
            states,
        };
        let mut unknown = Vec::new();
        let mut build = |point| {
            let settings = settings(guardrail, factory.schema(), point);
            let (built, left_out) = factory.build(settings, strictness, &context)?;
            unknown = left_out;
            element(guardrail, factory.as_ref(), built)
        };
        let mut guard = Guard {
            name: guardrail.name.as_str().into(),
            input: None,
            output: None,
            masks: factory.masks(),
        };
        if knows(factory.schema(), "hook_point") {
            let point = guardrail.hook_point;
            // Apart from one another, so that each looks in its order.
            if point.is_input() {
                guard.input = Some(build(HookPoint::Input)?);
            }
            if point.is_output() {
                guard.output = Some(build(HookPoint::Output)?);
            }
            return Ok((Arc::new(guard), unknown));
        }
        let element = build(guardrail.hook_point)?;
        let (place, point) = match element.is_response {
            true => (&mut guard.output, HookPoint::Output),
            false => (&mut guard.input, HookPoint::Input),
        };
        if ![point, HookPoint::Both].contains(&guardrail.hook_point) {
            let message = format!("of this kind can only be `{}`", point.as_str());
            return Err(vec![Invalid::new("hook_point", message)]);
        }
        *place = Some(element);
        Ok((Arc::new(guard), unknown))
    }

    /// The plugin that serves a kind.
    fn serving(&self, kind: &str) -> Result<&Arc<dyn Factory>, Vec<Invalid>> {
        self.hooks.serving(kind).ok_or_else(|| {
            let message = match LATER.iter().find(|later| **later == kind) {
                Some(later) => format!("`{later}` is not supported yet"),
                None => format!("is unknown; there are: {}", self.hooks.kinds().join(", ")),
            };
            vec![Invalid::new("kind", message)]
        })
    }
}

/// The settings of a plugin: those of the kind, and of the common ones those that it knows.
fn settings(guardrail: &Guardrail, schema: &Value, point: HookPoint) -> Map<String, Value> {
    let common = [
        ("name", Some(guardrail.name.as_str().into())),
        ("hook_point", Some(point.as_str().into())),
        ("fail_open", guardrail.fail_open.map(Value::from)),
        ("mandatory", guardrail.mandatory.map(Value::from)),
    ];
    let mut settings = guardrail.settings.clone();
    for (name, value) in common {
        if let Some(value) = value.filter(|_| knows(schema, name)) {
            settings.insert(name.to_owned(), value);
        }
    }
    settings
}

fn knows(schema: &Value, name: &str) -> bool {
    schema["properties"].get(name).is_some()
}

fn element(
    guardrail: &Guardrail,
    factory: &dyn Factory,
    built: Built,
) -> Result<Arc<Element>, Vec<Invalid>> {
    if !built.is_on_calls() {
        let message = "cannot guard: it runs before the model is known";
        return Err(vec![Invalid::new("kind", message)]);
    }
    let stages = factory.stages().all();
    Ok(Arc::new(Element {
        name: guardrail.name.as_str().into(),
        priority: 0,
        parallel: false,
        mode: Mode::Enforce,
        merge: Merge::Append,
        is_response: stages.iter().all(|stage| stage.is_response()),
        is_late: false,
        built,
    }))
}
