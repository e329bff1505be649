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

/// Writes a document that [`read`] reads as it was.
pub(super) fn write(document: &Value) -> String {
    let options = serde_saphyr::ser_options! {
        compact_list_indent: false,
        // Only what has more than one line is a block; long texts stay on theirs.
        folded_wrap_chars: usize::MAX,
    };
    serde_saphyr::to_string_with_options(document, options)
        .expect("everything that JSON can say can be said in YAML")
}

fn describe(error: &serde_saphyr::Error) -> String {
    format!("not valid YAML: {error}")
}
