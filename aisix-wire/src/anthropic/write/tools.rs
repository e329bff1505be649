//! What the model may call.

use std::borrow::Cow;
use std::collections::HashMap;

use super::schemas;
use crate::anthropic::models::Generation;
use crate::anthropic::names::wire_name;
use crate::chat::{Function, Losses, Member, Raw, Request, Tool, ToolChoice};
use crate::json::Writer;
use crate::{Dialect, Invalid};

/// A tool that takes no arguments.
const NO_ARGUMENTS: &str = r#"{"type":"object","properties":{}}"#;

/// The tools that are written.
///
/// Where the caller allows only some of its functions, the others are left out: the dialect has no other
/// way to say it.
///
/// # Errors
/// Tools that only another dialect knows, as `losses` decides.
pub(super) fn offered<'a>(
    request: &'a Request,
    losses: &mut Losses,
) -> Result<Vec<&'a Tool>, Invalid> {
    let mut offered = Vec::new();
    for (index, tool) in request.tools.iter().enumerate() {
        let keep = match (tool, &request.tool_choice) {
            (Tool::Opaque(opaque), _) if opaque.dialect != Dialect::Anthropic => {
                losses.shape(&format!("{}[{index}]", request.member(Member::Tools)))?;
                false
            }
            (Tool::Function(function), Some(ToolChoice::Allowed { names, .. })) => {
                names.contains(&function.name)
            }
            _ => true,
        };
        if keep {
            offered.push(tool);
        }
    }
    Ok(offered)
}

/// Writes `tools`, if there are any.
///
/// # Errors
/// What strict tools cannot be held to, as `losses` decides.
pub(super) fn tools(
    w: &mut Writer<'_>,
    request: &Request,
    offered: &[&Tool],
    losses: &mut Losses,
) -> Result<(), Invalid> {
    if offered.is_empty() {
        return Ok(());
    }
    let mut more = more(request);
    w.name("tools").array(|w| {
        offered.iter().try_for_each(|tool| match tool {
            Tool::Function(tool) => {
                // The first takes what those of its name say.
                let more = more.remove(tool.name.as_str()).unwrap_or_default();
                w.object(|w| function(w, request, tool, &more, losses))
            }
            Tool::Opaque(opaque) => {
                w.raw(opaque.raw.as_str());
                Ok(())
            }
        })
    })
}

fn function(
    w: &mut Writer<'_>,
    request: &Request,
    tool: &Function,
    more: &[(&str, &str)],
    losses: &mut Losses,
) -> Result<(), Invalid> {
    w.name("name").string(&wire_name(&tool.name));
    w.maybe_string("description", tool.description.as_deref());
    let schema = schema(tool.schema.as_ref());
    if request.dialect == Dialect::Anthropic {
        w.name("input_schema").raw(&schema);
        w.maybe_bool("strict", tool.strict);
    } else if tool.strict == Some(true) {
        strict(w, request, &schema, losses)?;
    } else {
        w.name("input_schema").raw(&schema);
    }
    for (member, value) in more {
        w.name(member).raw(value);
    }
    w.maybe_raw("cache_control", tool.cache.as_ref().map(Raw::as_str));
    Ok(())
}

/// Writes the schema of a tool whose caller wants it followed to the letter, if the dialect can promise that.
fn strict(
    w: &mut Writer<'_>,
    request: &Request,
    schema: &str,
    losses: &mut Losses,
) -> Result<(), Invalid> {
    let tool = match request.dialect {
        Dialect::OpenAi => "tools[].function",
        _ => "tools[]",
    };
    let fitted = schemas::fit(schema);
    if !fitted.broken.is_empty() {
        w.name("input_schema").raw(schema);
        return losses.hint(&format!("{tool}.strict"));
    }
    for keyword in &fitted.weakened {
        losses.hint(&format!("{tool}.parameters.{keyword}"))?;
    }
    w.name("input_schema").raw(&fitted.text);
    w.name("strict").bool(true);
    Ok(())
}

/// What functions say that only this dialect knows, by their names: members and values.
fn more(request: &Request) -> HashMap<&str, Vec<(&str, &str)>> {
    let mut more: HashMap<_, Vec<_>> = HashMap::new();
    if request.dialect != Dialect::Anthropic {
        return more;
    }
    for extra in &request.rest {
        let inside = extra.name.strip_prefix("tools.");
        if let Some((tool, member)) = inside.and_then(|name| name.rsplit_once('.')) {
            let value = extra.value.as_str();
            more.entry(tool).or_default().push((member, value));
        }
    }
    more
}

/// The schema of arguments, which must say that they are an object.
fn schema(schema: Option<&Raw>) -> Cow<'_, str> {
    let Some(schema) = schema.filter(|schema| schema.is_object()) else {
        return Cow::Borrowed(NO_ARGUMENTS);
    };
    let Some(envelope) = schema.envelope() else {
        return Cow::Borrowed(schema.as_str());
    };
    if envelope.members().is_empty() {
        return Cow::Borrowed(NO_ARGUMENTS);
    }
    match envelope.member(schema.as_bytes(), "type") {
        Some(_) => Cow::Borrowed(schema.as_str()),
        None => Cow::Owned(format!(r#"{{"type":"object",{}"#, &schema.as_str()[1..])),
    }
}

/// Writes `tool_choice`, where it says more than the dialect takes for granted.
///
/// # Errors
/// A choice that the dialect cannot express, as `losses` decides.
pub(super) fn tool_choice(
    w: &mut Writer<'_>,
    request: &Request,
    offered: &[&Tool],
    generation: Generation,
    losses: &mut Losses,
) -> Result<(), Invalid> {
    let field = request.member(Member::ToolChoice);
    let single = request.parallel_tools == Some(false);
    if offered.is_empty() {
        // Without tools there is nothing to choose; the dialect refuses to be told.
        return match request.tool_choice.as_ref().is_some_and(ToolChoice::forces) {
            true => losses.shape(field),
            false => Ok(()),
        };
    }
    let (kind, name) = match &request.tool_choice {
        Some(ToolChoice::Opaque(opaque)) if opaque.dialect == Dialect::Anthropic => {
            w.name("tool_choice").raw(opaque.raw.as_str());
            return Ok(());
        }
        Some(ToolChoice::Opaque(_)) => return losses.shape(field),
        None if !single => return Ok(()),
        None
        | Some(
            ToolChoice::Auto
            | ToolChoice::Allowed {
                required: false, ..
            },
        ) => ("auto", None),
        Some(choice) if choice.forces() && !generation.takes_force() => {
            losses.shape(field)?;
            ("auto", None)
        }
        Some(ToolChoice::Required | ToolChoice::Allowed { required: true, .. }) => ("any", None),
        Some(ToolChoice::None) => ("none", None),
        Some(ToolChoice::Named(name)) => ("tool", Some(wire_name(name))),
    };
    w.name("tool_choice").object(|w| {
        w.name("type").string(kind);
        w.maybe_string("name", name.as_deref());
        if single && kind != "none" {
            w.name("disable_parallel_tool_use").bool(true);
        }
    });
    Ok(())
}
