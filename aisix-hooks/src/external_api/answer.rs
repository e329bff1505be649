//! What becomes of the answer.

use std::cmp::Ordering;

use aisix_core::{
    call::Call,
    config::resource::Invalid,
    wire::{Document, Pointer},
};

use super::{Comparison, Condition, ExternalApiSettings, Refusal};
use crate::request_body::{self, settled};

/// What becomes of the answer, compiled.
#[derive(Debug)]
pub(super) struct Rules {
    conditions: Vec<Rule>,
    maps: Vec<Map>,
}

/// A condition, compiled.
#[derive(Debug)]
struct Rule {
    field: Pointer,
    name: String,
    operator: Comparison,
    /// As JSON.
    value: String,
    stops: Option<String>,
}

#[derive(Debug)]
struct Map {
    source: Pointer,
    destination: Pointer,
}

// === impl Rules ===

impl Rules {
    pub(super) fn read(settings: &ExternalApiSettings, wrong: &mut Vec<Invalid>) -> Self {
        let mut rules = Self {
            conditions: Vec::new(),
            maps: Vec::new(),
        };
        for (index, condition) in settings.conditions.iter().enumerate() {
            match Rule::read(condition) {
                Ok(rule) => rules.conditions.push(rule),
                Err((field, message)) => {
                    let path = format!("conditions[{index}].{field}");
                    wrong.push(Invalid::new(path, message));
                }
            }
        }
        for (index, map) in settings.field_maps.iter().enumerate() {
            let mut read = |field: &str, place: Result<Pointer, String>| {
                let path = format!("field_maps[{index}].{field}");
                let place = place.map_err(|message| wrong.push(Invalid::new(path, message)));
                place.ok()
            };
            let source = read("source", dotted(&map.source));
            let destination = read("destination", destination(&map.destination));
            if let (Some(source), Some(destination)) = (source, destination) {
                rules.maps.push(Map {
                    source,
                    destination,
                });
            }
        }
        rules
    }

    /// Whether the answer stops the call.
    ///
    /// # Errors
    ///
    /// The refusal, by the first condition that stops. The access log tells of those before it that only hold.
    pub(super) fn judge(&self, call: &Call, answer: &Document, id: &str) -> Result<(), Refusal> {
        for rule in self.conditions.iter().filter(|rule| rule.holds(answer)) {
            if let Some(message) = &rule.stops {
                return Err(Refusal::Stopped {
                    field: rule.name.clone(),
                    message: message.clone(),
                });
            }
            let told = format!("{id}: {}", rule.name);
            call.trail().mark("external_api_condition", told);
        }
        Ok(())
    }

    /// Puts what is mapped into the request.
    ///
    /// # Errors
    ///
    /// When it does not fit there; the call is unchanged then.
    pub(super) fn take_over(&self, call: &mut Call, answer: &Document) -> Result<(), Refusal> {
        let maps = self.maps.iter();
        let mut found = maps
            .filter_map(|map| Some((&map.destination, answer.get(&map.source)?)))
            .peekable();
        if found.peek().is_none() {
            return Ok(());
        }
        let unfit = || Refusal::Failed("unfit_answer");
        let mut body = Document::new(call.bytes().clone()).map_err(|_| unfit())?;
        for (destination, value) in found {
            body.put(destination, value).map_err(|_| unfit())?;
        }
        request_body::replace(call, body.into_bytes()).map_err(|_| unfit())
    }
}

// === impl Rule ===

impl Rule {
    fn read(condition: &Condition) -> Result<Self, (&'static str, String)> {
        let field = dotted(&condition.field).map_err(|message| ("field", message))?;
        let value = condition.value.clone().unwrap_or_default();
        let compares = matches!(condition.operator, Comparison::Gt | Comparison::Lt);
        if compares && !value.is_number() {
            return Err(("value", "must be a number".to_owned()));
        }
        let message = condition.message.as_deref();
        let message = message.unwrap_or("the request was stopped by a policy");
        Ok(Self {
            field,
            name: condition.field.clone(),
            operator: condition.operator,
            value: value.to_string(),
            stops: condition.stop_flow.then(|| message.to_owned()),
        })
    }

    fn holds(&self, answer: &Document) -> bool {
        let is_same = || answer.test(&self.field, self.value.as_bytes()).is_ok();
        let compare = || {
            let found = std::str::from_utf8(answer.get(&self.field)?).ok()?;
            let (found, value): (f64, f64) = (found.parse().ok()?, self.value.parse().ok()?);
            found.partial_cmp(&value)
        };
        match self.operator {
            Comparison::Eq => is_same(),
            Comparison::Neq => !is_same(),
            Comparison::Gt => compare().is_some_and(Ordering::is_gt),
            Comparison::Lt => compare().is_some_and(Ordering::is_lt),
        }
    }
}

fn dotted(text: &str) -> Result<Pointer, String> {
    let place = Pointer::dotted(text);
    place.ok_or_else(|| "must be names with dots between them, such as `user.plan`".to_owned())
}

fn destination(text: &str) -> Result<Pointer, String> {
    let place = dotted(text)?;
    match settled(&place) {
        Some(member) => Err(format!(
            "cannot be in `{member}`: that was settled when the call was admitted"
        )),
        None => Ok(place),
    }
}
