//! The text exposition format, version 0.0.4.

use std::fmt::Write;

/// Writes one sample: `name{labels,extra} value`. `extra` is one more label, already escaped.
pub(super) fn sample(out: &mut String, name: &str, labels: &str, extra: &str, value: Value) {
    out.push_str(name);
    if !(labels.is_empty() && extra.is_empty()) {
        out.push('{');
        out.push_str(labels);
        if !(labels.is_empty() || extra.is_empty()) {
            out.push(',');
        }
        out.push_str(extra);
        out.push('}');
    }
    let _ = match value {
        Value::Whole(value) => writeln!(out, " {value}"),
        Value::Float(value) if value.is_nan() => writeln!(out, " NaN"),
        Value::Float(value) => writeln!(out, " {value}"),
    };
}

/// The value of a sample.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    Whole(i128),
    Float(f64),
}

/// Writes `# HELP` and `# TYPE`.
pub(super) fn head(out: &mut String, name: &str, help: &str, kind: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// Writes `a="1",b="2"` with the values escaped. A missing value is `unknown`.
pub(super) fn labels(names: &[&str], values: &[&str]) -> String {
    let mut out = String::with_capacity(names.len() * 32);
    for (at, (name, value)) in names.iter().zip(values).enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(name);
        out.push_str("=\"");
        for character in if value.is_empty() { "unknown" } else { value }.chars() {
            match character {
                '\\' => out.push_str("\\\\"),
                '"' => out.push_str("\\\""),
                '\n' => out.push_str("\\n"),
                other => out.push(other),
            }
        }
        out.push('"');
    }
    out
}
