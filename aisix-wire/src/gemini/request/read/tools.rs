//! What the model may call.

use super::names::Names;
use crate::chat::{Function, Opaque, Raw, Request, Tool, ToolChoice};
use crate::gemini::schema;
use crate::json::{Object, Path};
use crate::{Dialect, Invalid};

/// Reads `tools`: functions one by one, and the provider's own tools as they are.
pub(super) fn read(object: &Names<'_, '_>, request: &mut Request) -> Result<(), Invalid> {
    let path = object.at("tools");
    for (index, tool) in object.items("tools")?.into_iter().enumerate() {
        let path = path.index(index);
        let tool = tool
            .as_object()
            .ok_or_else(|| path.wrong_type("an object"))?;
        let tool = Names::new(tool, path);
        let declarations = tool.at("functionDeclarations");
        for (index, function) in tool.items("functionDeclarations")?.into_iter().enumerate() {
            let path = declarations.index(index);
            let function = function
                .as_object()
                .ok_or_else(|| path.wrong_type("an object"))?;
            request
                .tools
                .push(Tool::Function(read_function(function, path)?));
        }
        for (name, value) in tool.others() {
            let raw = Raw::parse(&format!("{{{}:{value}}}", serde_json::Value::from(name)));
            let dialect = Dialect::Gemini;
            request
                .tools
                .extend(raw.map(|raw| Tool::Opaque(Opaque { dialect, raw })));
        }
    }
    Ok(())
}

fn read_function(function: Object<'_>, path: Path<'_>) -> Result<Function, Invalid> {
    let function = Names::new(function, path);
    let name = function
        .string("name")?
        .ok_or_else(|| function.at("name").missing())?;
    let json = function.object("parametersJsonSchema")?;
    let json = json.map(|schema| schema.raw());
    let openapi = function.object("parameters")?;
    let openapi = openapi.and_then(|schema| from_openapi(&schema));
    Ok(Function {
        name,
        description: function.string("description")?,
        schema: json.or(openapi),
        strict: None,
        cache: None,
    })
}

/// Reads `toolConfig`; as it is where it says more than which function to call.
pub(super) fn config(object: &Names<'_, '_>, request: &mut Request) -> Result<(), Invalid> {
    let Some(config) = object.object("toolConfig")? else {
        return Ok(());
    };
    let config = Names::new(config, object.at("toolConfig"));
    let Some(calling) = config.object("functionCallingConfig")? else {
        request.tool_choice = config.others().next().map(|_| opaque(&config));
        return Ok(());
    };
    let calling = Names::new(calling, config.at("functionCallingConfig"));
    let mode = calling
        .string("mode")?
        .unwrap_or_default()
        .to_ascii_uppercase();
    let names = calling.items("allowedFunctionNames")?;
    let mut names: Vec<String> = names
        .iter()
        .filter_map(|name| Some(name.as_str()?.into_owned()))
        .collect();
    let more = config.others().next().is_some() || calling.others().next().is_some();
    request.tool_choice = match (mode.as_str(), names.len()) {
        _ if more => Some(opaque(&config)),
        ("" | "MODE_UNSPECIFIED", _) => None,
        ("AUTO", _) => Some(ToolChoice::Auto),
        ("NONE", _) => Some(ToolChoice::None),
        ("ANY", 0) => Some(ToolChoice::Required),
        ("ANY", 1) => names.pop().map(ToolChoice::Named),
        ("ANY", _) => Some(ToolChoice::Allowed {
            names,
            required: true,
        }),
        ("VALIDATED", 1..) => Some(ToolChoice::Allowed {
            names,
            required: false,
        }),
        _ => Some(opaque(&config)),
    };
    Ok(())
}

/// A schema in the older form, as JSON Schema.
pub(super) fn from_openapi(schema: &Object<'_>) -> Option<Raw> {
    let schema = serde_json::from_str(schema.raw().as_str()).ok()?;
    Some(Raw::from_value(&schema::from_openapi(schema)))
}

fn opaque(config: &Names<'_, '_>) -> ToolChoice {
    ToolChoice::Opaque(Opaque {
        dialect: Dialect::Gemini,
        raw: config.raw(),
    })
}
