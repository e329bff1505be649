//! The description of the API, made from the table of paths and the schemas of resources.

use std::sync::LazyLock;

use aisix_core::config::{Kind, resource::json_schema};
use http::Method;
use serde_json::{Map, Value, json};

use crate::{
    answer::title,
    explain,
    route::{Action, ROUTES, Route},
};

/// The OpenAPI 3.1 document.
pub(crate) fn document() -> &'static Value {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(make);
    &DOCUMENT
}

/// The document as a page without scripts or anything from elsewhere.
pub(crate) fn page() -> String {
    let mut rows = String::new();
    let paths = document()["paths"].as_object().into_iter().flatten();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let method = method.to_uppercase();
            let summary = escaped(operation["summary"].as_str().unwrap_or_default());
            let path = escaped(path);
            rows.push_str(&format!(
                "<tr><td><b>{method}</b></td><td><code>{path}</code></td><td>{summary}</td></tr>\n"
            ));
        }
    }
    let mut schemas = String::new();
    let all = document()["components"]["schemas"].as_object();
    for (name, schema) in all.into_iter().flatten() {
        let schema = escaped(&format!("{schema:#}"));
        schemas.push_str(&format!(
            "<details><summary>{name}</summary><pre>{schema}</pre></details>\n"
        ));
    }
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>AISIX Admin API</title>\
         <style>body{{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}}\
         td{{padding:.2rem .8rem .2rem 0;vertical-align:top}}pre{{overflow:auto}}</style>\
         <h1>AISIX Admin API</h1><p>The whole description: <a href=\"openapi.json\">OpenAPI 3.1</a>. \
         Send an admin key as <code>Authorization: Bearer …</code> or <code>x-api-key</code>.</p>\
         <table>\n{rows}</table><h2>Schemas</h2>\n{schemas}</html>\n"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn make() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in &ROUTES {
        let kinds: Vec<Option<Kind>> = match route.path.contains("{kind}") {
            true => Kind::ALL.into_iter().map(Some).collect(),
            false => vec![None],
        };
        for kind in kinds {
            let path = match kind {
                Some(kind) => route.path.replace("{kind}", kind.as_str()),
                None => route.path.to_owned(),
            };
            let methods = paths.entry(path).or_insert_with(|| json!({}));
            methods[route.method.as_str().to_lowercase()] = operation(route, kind);
        }
    }
    let schemas = Kind::ALL.into_iter().map(|kind| {
        let mut schema = json_schema(kind).clone();
        if let Some(members) = schema.as_object_mut() {
            members.remove("$schema");
        }
        (kind.as_str().to_owned(), schema)
    });
    let mut schemas: Map<String, Value> = schemas.collect();
    schemas.insert(
        "error".to_owned(),
        json!({
            "type": "object", "required": ["error_msg"],
            "properties": {"error_msg": {"type": "string"}, "field": {"type": "string"}},
        }),
    );
    json!({
        "openapi": "3.1.0",
        "info": {"title": "AISIX Admin API", "version": env!("CARGO_PKG_VERSION")},
        "jsonSchemaDialect": "http://json-schema.org/draft-07/schema#",
        "security": [{"bearer": []}, {"x-api-key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
            "schemas": schemas,
        },
    })
}

fn operation(route: &Route, kind: Option<Kind>) -> Value {
    let summary = match kind {
        Some(kind) => format!("{}: {}", title(kind), route.summary),
        None => route.summary.to_owned(),
    };
    let mut operation = json!({"summary": summary, "responses": responses(route.action)});
    let mut parameters = Vec::new();
    if route.path.contains("{id}") {
        parameters.push(parameter("id", "path", "string", "The id"));
    }
    match route.action {
        Action::List => {
            parameters.push(parameter(
                "name",
                "query",
                "string",
                "A part of the display name",
            ));
            parameters.extend(paging());
        }
        Action::History => parameters.extend(paging()),
        _ => {}
    }
    let is_write = route.method != Method::GET && route.action != Action::Explain;
    if is_write {
        let what = "Whether to check only, and show what would change";
        parameters.push(parameter("dry_run", "query", "boolean", what));
    }
    if matches!(
        route.action,
        Action::Replace | Action::Patch | Action::Delete | Action::Rotate
    ) {
        let what = "The ETag that the resource must have";
        parameters.push(parameter("If-Match", "header", "string", what));
    }
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some((media, schema)) = body(route.action, kind) {
        operation["requestBody"] = json!({"content": {media: {"schema": schema}}});
    }
    if route.action.is_open() {
        operation["security"] = json!([]);
    }
    operation
}

fn paging() -> [Value; 2] {
    [
        parameter("page", "query", "integer", "The page, from 1"),
        parameter(
            "page_size",
            "query",
            "integer",
            "How many are on a page, at most 1000",
        ),
    ]
}

fn parameter(name: &str, place: &str, kind: &str, description: &str) -> Value {
    json!({
        "name": name, "in": place, "required": place == "path", "description": description,
        "schema": {"type": kind},
    })
}

fn body(action: Action, kind: Option<Kind>) -> Option<(&'static str, Value)> {
    let schema = kind.map(|kind| json!({"$ref": format!("#/components/schemas/{kind}")}));
    match action {
        Action::Create | Action::Replace => Some(("application/json", schema?)),
        Action::Patch => Some(("application/merge-patch+json", json!({"type": "object"}))),
        Action::Rotate => Some((
            "application/json",
            json!({
                "type": "object",
                "properties": {
                    "grace_seconds": {"type": "integer", "minimum": 0, "default": 3600},
                    "key": {"type": "string"},
                    "key_hash": {"type": "string"},
                },
            }),
        )),
        Action::Explain => Some(("application/json", explain::schema())),
        Action::Rollback => Some((
            "application/json",
            json!({
                "type": "object", "required": ["revision"],
                "properties": {"revision": {"type": "integer", "minimum": 0}},
            }),
        )),
        _ => None,
    }
}

fn responses(action: Action) -> Value {
    let good: &[&str] = match action {
        Action::Create => &["201"],
        Action::Replace => &["200", "201"],
        _ => &["200"],
    };
    let bad: &[&str] = match action {
        Action::OpenApi | Action::OpenApiPage => &[],
        Action::ModelsStatus | Action::Health => &["400", "401", "501"],
        Action::List | Action::History | Action::Status | Action::Plugins | Action::ListV1 => {
            &["400", "401", "500"]
        }
        Action::Get | Action::GetV1 => &["401", "404", "500"],
        Action::Explain => &["400", "401", "413", "415", "501"],
        Action::Create => &["400", "401", "409", "413", "415", "422", "500"],
        Action::Rollback => &["400", "401", "404", "409", "413", "422", "500"],
        _ => &[
            "400", "401", "404", "409", "412", "413", "415", "422", "500",
        ],
    };
    let mut responses = Map::new();
    for status in good {
        responses.insert((*status).to_owned(), json!({"description": "done"}));
    }
    for status in bad {
        let schema = json!({"$ref": "#/components/schemas/error"});
        let content = json!({"application/json": {"schema": schema}});
        responses.insert(
            (*status).to_owned(),
            json!({"description": "refused", "content": content}),
        );
    }
    Value::Object(responses)
}
