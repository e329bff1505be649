//! What the model may call.

use super::{Scene, schemas};
use crate::chat::{Function, Member, Tool, ToolChoice};
use crate::gemini::names::wire_name;
use crate::gemini::schema;
use crate::json::Writer;
use crate::{Dialect, Invalid};

/// Writes `tools`: all functions in one, then Gemini's own tools.
pub(super) fn write(w: &mut Writer<'_>, scene: &mut Scene<'_>) -> Result<(), Invalid> {
    let tools = &scene.request.tools;
    let mut own = Vec::new();
    for tool in tools {
        match tool {
            Tool::Opaque(tool) if tool.dialect == Dialect::Gemini => own.push(&tool.raw),
            Tool::Opaque(_) => scene.losses.shape(scene.request.member(Member::Tools))?,
            Tool::Function(_) => {}
        }
    }
    let functions = tools.iter().filter_map(Tool::as_function);
    let mut functions = functions.peekable();
    if functions.peek().is_none() && own.is_empty() {
        return Ok(());
    }
    w.name("tools").array(|w| {
        if functions.peek().is_some() {
            w.object(|w| {
                w.name("functionDeclarations").array(|w| {
                    functions.try_for_each(|function| write_function(w, function, scene))
                })
            })?;
        }
        own.iter().for_each(|raw| w.raw(raw.as_str()));
        Ok(())
    })
}

fn write_function(
    w: &mut Writer<'_>,
    function: &Function,
    scene: &mut Scene<'_>,
) -> Result<(), Invalid> {
    if function.strict == Some(true) {
        scene
            .losses
            .hint(scene.request.member(Member::ToolStrict))?;
    }
    if function.cache.is_some() {
        scene.losses.hint(scene.request.member(Member::Cache))?;
    }
    let mut parameters = None;
    if let Some(raw) = &function.schema {
        match schemas::clean(raw) {
            Some((text, cleaned)) => {
                for keyword in cleaned.weakened.iter().chain(&cleaned.broken) {
                    let name = format!("{}.{keyword}", scene.request.member(Member::ToolSchema));
                    scene.losses.hint(&name)?;
                }
                parameters = (!schema::takes_nothing(&cleaned.schema)).then_some(text);
            }
            None => scene
                .losses
                .shape(scene.request.member(Member::ToolSchema))?,
        }
    }
    w.object(|w| {
        w.name("name").string(&wire_name(&function.name));
        w.maybe_string("description", function.description.as_deref());
        w.maybe_raw("parametersJsonSchema", parameters.as_deref());
    });
    Ok(())
}

/// Writes `toolConfig`; a choice among no tools is not written unless it forces one.
pub(super) fn write_choice(w: &mut Writer<'_>, scene: &mut Scene<'_>) -> Result<(), Invalid> {
    let Some(choice) = &scene.request.tool_choice else {
        return Ok(());
    };
    let (mode, names): (&str, &[String]) = match choice {
        ToolChoice::Opaque(choice) if choice.dialect == Dialect::Gemini => {
            w.name("toolConfig").raw(choice.raw.as_str());
            return Ok(());
        }
        ToolChoice::Opaque(_) => {
            return scene.losses.shape(scene.request.member(Member::ToolChoice));
        }
        ToolChoice::Auto => ("AUTO", &[]),
        ToolChoice::None => ("NONE", &[]),
        ToolChoice::Required => ("ANY", &[]),
        ToolChoice::Named(name) => ("ANY", std::slice::from_ref(name)),
        ToolChoice::Allowed { names, required } => {
            (if *required { "ANY" } else { "VALIDATED" }, names)
        }
    };
    if scene.request.tools.is_empty() && !choice.forces() {
        return Ok(());
    }
    w.name("toolConfig").object(|w| {
        w.name("functionCallingConfig").object(|w| {
            w.name("mode").string(mode);
            if !names.is_empty() {
                w.name("allowedFunctionNames")
                    .array(|w| names.iter().for_each(|name| w.string(&wire_name(name))));
            }
        });
    });
    Ok(())
}
