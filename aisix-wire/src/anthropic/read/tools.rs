//! What the model may call.

use crate::chat::{Extra, Function, Opaque, Request, Tool, ToolChoice};
use crate::json::{Object, Path};
use crate::{Dialect, Invalid};

/// Reads `tools`; what a function says beside what all dialects know goes to the request's rest.
pub(super) fn tools(
    body: &Object<'_>,
    path: &Path<'_>,
    request: &mut Request,
) -> Result<(), Invalid> {
    let list = path.member("tools");
    for (index, item) in body.items(path, "tools")?.enumerate() {
        let path = list.index(index);
        let item = item
            .as_object()
            .ok_or_else(|| path.wrong_type("an object"))?;
        let kind = item.text(&path, "type")?;
        let tool = match kind.as_deref() {
            None | Some("custom") => Tool::Function(function(&item, &path, request)?),
            Some(_) => Tool::Opaque(Opaque {
                dialect: Dialect::Anthropic,
                raw: item.raw(),
            }),
        };
        request.tools.push(tool);
    }
    Ok(())
}

fn function(
    tool: &Object<'_>,
    path: &Path<'_>,
    request: &mut Request,
) -> Result<Function, Invalid> {
    let name = tool.required_string(path, "name")?;
    for (member, value) in tool.members() {
        match member.as_ref() {
            "type" | "name" | "description" | "input_schema" | "strict" | "cache_control" => {}
            _ => request.rest.push(Extra {
                name: format!("tools.{name}.{member}"),
                value: value.raw(),
                shapes: false,
            }),
        }
    }
    Ok(Function {
        description: tool.string(path, "description")?,
        schema: tool.raw_object(path, "input_schema")?,
        strict: tool.bool(path, "strict")?,
        cache: tool.raw_object(path, "cache_control")?,
        name,
    })
}

/// Reads `tool_choice`, which also tells whether calls may be parallel.
pub(super) fn tool_choice(
    body: &Object<'_>,
    path: &Path<'_>,
    request: &mut Request,
) -> Result<(), Invalid> {
    let Some(choice) = body.object(path, "tool_choice")? else {
        return Ok(());
    };
    let path = path.member("tool_choice");
    let single = choice.bool(&path, "disable_parallel_tool_use")?;
    request.parallel_tools = single.map(|single| !single);
    let kind = choice.required_string(&path, "type")?;
    request.tool_choice = Some(match kind.as_str() {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Named(choice.required_string(&path, "name")?),
        _ => ToolChoice::Opaque(Opaque {
            dialect: Dialect::Anthropic,
            raw: choice.raw(),
        }),
    });
    Ok(())
}
