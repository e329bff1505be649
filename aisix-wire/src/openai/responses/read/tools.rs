//! What the model may call.

use crate::chat::{Extra, Function, Opaque, Request, Tool, ToolChoice};
use crate::json::{Object, Path};
use crate::{Dialect, Invalid};

/// Reads `tools`: functions are flat; everything else is opaque.
pub(super) fn tools(o: &Object<'_>, root: &Path<'_>, request: &mut Request) -> Result<(), Invalid> {
    let list = root.member("tools");
    for (index, item) in o.items(root, "tools")?.enumerate() {
        let path = list.index(index);
        let tool = item
            .as_object()
            .ok_or_else(|| path.wrong_type("an object"))?;
        if tool.required_string(&path, "type")? != "function" {
            request.tools.push(Tool::Opaque(opaque(&tool)));
            continue;
        }
        request.tools.push(Tool::Function(Function {
            name: tool.required_string(&path, "name")?,
            description: tool.string(&path, "description")?,
            schema: tool.raw_object(&path, "parameters")?,
            strict: tool.bool(&path, "strict")?,
            cache: None,
        }));
        for (name, value) in tool.members() {
            let known = ["type", "name", "description", "parameters", "strict"];
            if !known.contains(&&*name) {
                request.rest.push(Extra {
                    name: path.member(&name).to_string(),
                    value: value.raw(),
                    shapes: false,
                });
            }
        }
    }
    Ok(())
}

/// Reads `tool_choice`.
pub(super) fn choice(o: &Object<'_>, root: &Path<'_>) -> Result<Option<ToolChoice>, Invalid> {
    let Some(value) = o.get("tool_choice") else {
        return Ok(None);
    };
    let path = root.member("tool_choice");
    if let Some(word) = value.as_str() {
        return match &*word {
            "auto" => Ok(Some(ToolChoice::Auto)),
            "none" => Ok(Some(ToolChoice::None)),
            "required" => Ok(Some(ToolChoice::Required)),
            _ => Err(path.wrong_type("\"none\", \"auto\", \"required\" or an object")),
        };
    }
    let o = &value
        .as_object()
        .ok_or_else(|| path.wrong_type("a string or an object"))?;
    Ok(Some(match &*o.required_string(&path, "type")? {
        "function" => ToolChoice::Named(o.required_string(&path, "name")?),
        "allowed_tools" => {
            let required = o.text(&path, "mode")?.as_deref() == Some("required");
            let tools = o.items(&path, "tools")?;
            let names = tools.map(|tool| {
                let tool = tool.as_object()?;
                let function = tool.try_text("type").as_deref() == Some("function");
                tool.try_string("name").filter(|_| function)
            });
            match names.collect() {
                Some(names) => ToolChoice::Allowed { names, required },
                None => ToolChoice::Opaque(opaque(o)),
            }
        }
        _ => ToolChoice::Opaque(opaque(o)),
    }))
}

fn opaque(o: &Object<'_>) -> Opaque {
    Opaque {
        dialect: Dialect::Responses,
        raw: o.raw(),
    }
}
