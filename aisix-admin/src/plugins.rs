//! The hooks that chains can name, and whether chains are right.

use aisix_core::{
    body::Body,
    config::{
        Config,
        resource::{Strictness, decode},
        store::Changed,
    },
    hook::{Description, Stages},
};
use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::answer::{Refusal, json_response};

/// All that chains can name.
pub(crate) fn list(config: Option<&Config>) -> Response<Body> {
    let hooks = config.map(Config::hooks).unwrap_or_default();
    let list: Vec<Value> = hooks.describe().map(describe).collect();
    let answer = json!({"total": list.len(), "list": list});
    json_response(StatusCode::OK, &answer)
}

fn describe(plugin: Description<'_>) -> Value {
    let stages: Vec<_> = plugin.stages.all().iter().map(|it| it.as_str()).collect();
    json!({
        "name": plugin.name,
        "guardrail": plugin.guardrail,
        "stages": stages,
        // Otherwise the chain chooses one of them.
        "fixed": matches!(plugin.stages, Stages::Fixed(_)),
        "schema": plugin.schema,
    })
}

/// Refuses chains that the gateway could not run.
pub(crate) fn check(config: Option<&Config>, changed: &[Changed]) -> Result<(), Refusal> {
    let Some(config) = config else {
        return Ok(());
    };
    for Changed { key, after, .. } in changed {
        // What is no resource of its kind was refused before.
        let decoded = after
            .clone()
            .and_then(|document| decode(key.kind, document, Strictness::Lenient).ok());
        if let Some(decoded) = decoded {
            let checked = config.check(key, &decoded.resource);
            checked.map_err(|errors| Refusal {
                status: StatusCode::UNPROCESSABLE_ENTITY,
                ..Refusal::invalid(errors)
            })?;
        }
    }
    Ok(())
}
