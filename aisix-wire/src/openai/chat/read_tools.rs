//! Requests, the tools.

use crate::chat::{Function, Opaque, Raw, Tool, ToolChoice};
use crate::json::{Object, Path};
use crate::{Dialect, Invalid};

/// Reads `tools`, and the older `functions`.
pub(super) fn tools(o: &Object<'_>, root: &Path<'_>) -> Result<Vec<Tool>, Invalid> {
    let mut tools = Vec::new();
    let list = root.member("tools");
    for (index, tool) in o.items(root, "tools")?.enumerate() {
        let path = list.index(index);
        let tool = tool
            .as_object()
            .ok_or_else(|| path.wrong_type("an object"))?;
        if tool.required_string(&path, "type")? != "function" {
            tools.push(Tool::Opaque(opaque(tool.raw())));
            continue;
        }
        let inner = path.member("function");
        let it = tool
            .object(&path, "function")?
            .ok_or_else(|| inner.missing())?;
        let mut function = function(&it, &inner)?;
        function.cache = tool.raw_object(&path, "cache_control")?;
        tools.push(Tool::Function(function));
    }
    let list = root.member("functions");
    for (index, tool) in o.items(root, "functions")?.enumerate() {
        let path = list.index(index);
        let tool = tool
            .as_object()
            .ok_or_else(|| path.wrong_type("an object"))?;
        tools.push(Tool::Function(function(&tool, &path)?));
    }
    Ok(tools)
}

fn function(o: &Object<'_>, path: &Path<'_>) -> Result<Function, Invalid> {
    Ok(Function {
        name: o.required_string(path, "name")?,
        description: o.string(path, "description")?,
        schema: o.raw_object(path, "parameters")?,
        strict: o.bool(path, "strict")?,
        cache: None,
    })
}

/// Reads `tool_choice`, or else the older `function_call`.
pub(super) fn choice(o: &Object<'_>, root: &Path<'_>) -> Result<Option<ToolChoice>, Invalid> {
    for name in ["tool_choice", "function_call"] {
        let Some(value) = o.get(name) else {
            continue;
        };
        let path = root.member(name);
        if let Some(word) = value.as_str() {
            return match &*word {
                "auto" => Ok(Some(ToolChoice::Auto)),
                "none" => Ok(Some(ToolChoice::None)),
                "required" | "any" => Ok(Some(ToolChoice::Required)),
                _ => Err(path.wrong_type("\"none\", \"auto\", \"required\" or an object")),
            };
        }
        let object = value
            .as_object()
            .ok_or_else(|| path.wrong_type("a string or an object"))?;
        return match name {
            "tool_choice" => chosen(&object, &path).map(Some),
            _ => {
                let name = object.required_string(&path, "name")?;
                Ok(Some(ToolChoice::Named(name)))
            }
        };
    }
    Ok(None)
}

fn chosen(o: &Object<'_>, path: &Path<'_>) -> Result<ToolChoice, Invalid> {
    match &*o.required_string(path, "type")? {
        "function" => {
            let inner = path.member("function");
            let function = o.object(path, "function")?.ok_or_else(|| inner.missing())?;
            let name = function.required_string(&inner, "name")?;
            Ok(ToolChoice::Named(name))
        }
        "allowed_tools" => allowed(o, path),
        _ => Ok(ToolChoice::Opaque(opaque(o.raw()))),
    }
}

/// A choice among some of the tools; opaque when one of them is no function.
fn allowed(o: &Object<'_>, path: &Path<'_>) -> Result<ToolChoice, Invalid> {
    let inner = path.member("allowed_tools");
    let allowed = o
        .object(path, "allowed_tools")?
        .ok_or_else(|| inner.missing())?;
    let required = allowed.text(&inner, "mode")?.as_deref() == Some("required");
    let tools = allowed.items(&inner, "tools")?;
    let names = tools.map(|tool| tool.as_object()?.try_object("function")?.try_string("name"));
    let names: Option<Vec<String>> = names.collect();
    Ok(match names {
        Some(names) => ToolChoice::Allowed { names, required },
        None => ToolChoice::Opaque(opaque(o.raw())),
    })
}

fn opaque(raw: Raw) -> Opaque {
    Opaque {
        dialect: Dialect::OpenAi,
        raw,
    }
}
