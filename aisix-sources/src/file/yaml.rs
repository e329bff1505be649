//! YAML, and so JSON.

use serde_json::Value;

/// Reads the one document of a text. Keys may not repeat, and nesting, aliases and nodes are
/// bounded. The message of an error names a line, but repeats no text.
pub(super) fn read(text: &str) -> Result<Value, String> {
    let options = serde_saphyr::options! {
        // Without this, names such as `no` would be booleans.
        strict_booleans: true,
        // A snippet of the file might show a secret.
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_events: 16_000_000,
            max_nodes: 8_000_000,
            max_documents: 2,
        },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| describe(&error))
}

fn describe(error: &serde_saphyr::Error) -> String {
    format!("not valid YAML: {error}")
}
