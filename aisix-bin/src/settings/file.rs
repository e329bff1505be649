//! The file of settings: YAML, TOML or JSON, by its extension.

use std::{fs::File, io::Read, path::Path};

use serde_json::{Map, Value};

/// The largest file that is read: 16 MiB.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Reads a file. An empty one holds no settings. Messages repeat no text of it.
pub(super) fn read(path: &Path) -> Result<Map<String, Value>, String> {
    let text = text(path)?;
    let extension = path.extension().and_then(|extension| extension.to_str());
    let value = match extension.map(str::to_ascii_lowercase).as_deref() {
        Some("yaml" | "yml") => yaml(&text),
        Some("toml") => toml::from_str(&text).map_err(|error| {
            format!(
                "is not valid TOML{}: {}",
                at(&text, &error),
                error.message()
            )
        }),
        Some("json") => serde_json::from_str(&text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            format!("is not valid JSON: line {line}, column {column}")
        }),
        _ => Err("must end in .yaml, .yml, .toml or .json".to_owned()),
    }?;
    match value {
        Value::Object(members) => Ok(members),
        Value::Null => Ok(Map::new()),
        _ => Err("must be a mapping".to_owned()),
    }
}

fn text(path: &Path) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("cannot be read: {error}");
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(cannot)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("is larger than {} MiB", MAX_BYTES >> 20));
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())
}

fn yaml(text: &str) -> Result<Value, String> {
    let options = serde_saphyr::options! {
        // Without this, texts such as `no` would be booleans.
        strict_booleans: true,
        // A snippet of the file might show a secret.
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| format!("is not valid YAML: {error}"))
}

/// The line of an error, which by itself would be told with the text of that line.
fn at(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    before.map_or_else(String::new, |before| {
        format!(" in line {}", before.matches('\n').count() + 1)
    })
}
