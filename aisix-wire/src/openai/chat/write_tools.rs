//! Requests for an upstream, the tools.

use crate::chat::{Function, Losses, Member, Raw, Request, Tool, ToolChoice};
use crate::json::Writer;
use crate::{Dialect, Invalid};

pub(super) fn write(
    w: &mut Writer<'_>,
    request: &Request,
    losses: &mut Losses,
) -> Result<(), Invalid> {
    let mut sayable = Vec::with_capacity(request.tools.len());
    for (index, tool) in request.tools.iter().enumerate() {
        match tool {
            Tool::Opaque(opaque) if opaque.dialect != Dialect::OpenAi => {
                losses.shape(&format!("{}[{index}]", request.member(Member::Tools)))?;
            }
            tool => sayable.push(tool),
        }
    }
    if !sayable.is_empty() {
        w.name("tools").array(|w| {
            for tool in &sayable {
                self::tool(w, tool, request.dialect, losses);
            }
        });
        // Without tools this is refused.
        w.maybe_bool("parallel_tool_calls", request.parallel_tools);
    }
    match &request.tool_choice {
        None => Ok(()),
        // Without tools every choice is refused; these two mean nothing then.
        Some(ToolChoice::Auto | ToolChoice::None) if sayable.is_empty() => Ok(()),
        Some(choice) => self::choice(w, choice, request.dialect, losses),
    }
}

fn tool(w: &mut Writer<'_>, tool: &Tool, dialect: Dialect, losses: &mut Losses) {
    let function = match tool {
        Tool::Opaque(opaque) => return w.raw(opaque.raw.as_str()),
        Tool::Function(function) => function,
    };
    w.object(|w| {
        w.name("type").string("function");
        w.name("function").object(|w| self::function(w, function));
        match &function.cache {
            Some(cache) if dialect == Dialect::OpenAi => {
                w.name("cache_control").raw(cache.as_str());
            }
            Some(_) => losses.note(Member::Cache.name(dialect)),
            None => {}
        }
    });
}

fn function(w: &mut Writer<'_>, function: &Function) {
    w.name("name").string(&function.name);
    w.maybe_string("description", function.description.as_deref());
    w.maybe_raw("parameters", function.schema.as_ref().map(Raw::as_str));
    w.maybe_bool("strict", function.strict);
}

fn choice(
    w: &mut Writer<'_>,
    choice: &ToolChoice,
    dialect: Dialect,
    losses: &mut Losses,
) -> Result<(), Invalid> {
    let named = |w: &mut Writer<'_>, name: &str| {
        w.object(|w| {
            w.name("type").string("function");
            w.name("function").object(|w| w.name("name").string(name));
        });
    };
    match choice {
        ToolChoice::Auto => w.name("tool_choice").string("auto"),
        ToolChoice::None => w.name("tool_choice").string("none"),
        ToolChoice::Required => w.name("tool_choice").string("required"),
        ToolChoice::Named(name) => named(w.name("tool_choice"), name),
        ToolChoice::Allowed { names, required } => w.name("tool_choice").object(|w| {
            w.name("type").string("allowed_tools");
            w.name("allowed_tools").object(|w| {
                w.name("mode")
                    .string(if *required { "required" } else { "auto" });
                w.name("tools")
                    .array(|w| names.iter().for_each(|name| named(w, name)));
            });
        }),
        ToolChoice::Opaque(opaque) if opaque.dialect == Dialect::OpenAi => {
            w.name("tool_choice").raw(opaque.raw.as_str());
        }
        ToolChoice::Opaque(_) => losses.shape(Member::ToolChoice.name(dialect))?,
    }
    Ok(())
}
