//! `${VAR}` in values.

use aisix_core::config::resource::Variable;
use serde_json::Value;

/// What is known about the environment.
pub(super) type Env<'e> = &'e dyn Fn(&str) -> Option<String>;

/// A text that could not be filled in.
pub(super) struct Failure {
    /// The way to the text, such as `tls.ca_cert` or `allowed_models[1]`.
    pub(super) path: String,
    pub(super) message: String,
}

/// The longest name of a variable that is repeated in a message, in bytes.
const MAX_NAME: usize = 64;

/// Fills in the texts of a value, but not its keys. A text that fails stays as it is.
///
/// This comes after parsing, so that the environment cannot bring in structure.
pub(super) fn interpolate(
    value: &mut Value,
    path: &str,
    env: Env<'_>,
    failures: &mut Vec<Failure>,
) {
    match value {
        Value::String(text) if text.contains('$') => match fill(text, env) {
            Ok(filled) => *text = filled,
            Err(message) => failures.push(Failure {
                path: path.to_owned(),
                message,
            }),
        },
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                interpolate(item, &format!("{path}[{index}]"), env, failures);
            }
        }
        Value::Object(members) => {
            for (name, inner) in members {
                let path = match path {
                    "" => name.clone(),
                    _ => format!("{path}.{name}"),
                };
                interpolate(inner, &path, env, failures);
            }
        }
        _ => {}
    }
}

/// `${VAR}` is the variable's value, `$$` is `$`, any other `$` is itself.
fn fill(text: &str, env: Env<'_>) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        filled.push_str(&rest[..dollar]);
        let after = &rest[dollar + 1..];
        if let Some(after) = after.strip_prefix('$') {
            filled.push('$');
            rest = after;
        } else if let Some(after) = after.strip_prefix('{') {
            let end = after.find('}').ok_or("has `${` without `}`")?;
            filled.push_str(&value_of(&after[..end], env)?);
            rest = &after[end + 1..];
        } else {
            filled.push('$');
            rest = after;
        }
    }
    filled.push_str(rest);
    Ok(filled)
}

fn value_of(name: &str, env: Env<'_>) -> Result<String, String> {
    if name.is_empty() {
        return Err("has `${}` without a name".to_owned());
    }
    match env(name) {
        Some(value) if !value.is_empty() => Ok(value),
        _ if Variable::named(name).is_some() => Err(format!(
            "needs the environment variable `{name}`, which is unset or empty; for the header \
             variable write `$${{{name}}}`"
        )),
        _ if name.len() > MAX_NAME => {
            Err("needs an environment variable that is unset or empty".to_owned())
        }
        _ => Err(format!(
            "needs the environment variable `{name}`, which is unset or empty"
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "A" => Some("alpha".to_owned()),
            "EMPTY" => Some(String::new()),
            "INJECT" => Some("${A}: [1]".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn variables_are_filled_in_once_and_dollars_are_kept() {
        for (text, expected) in [
            ("${A}", "alpha"),
            ("x${A}y${A}z", "xalphayalphaz"),
            ("$$", "$"),
            ("$${A}", "${A}"),
            ("$$${A}", "$alpha"),
            ("$A", "$A"),
            ("costs 5$", "costs 5$"),
            ("${INJECT}", "${A}: [1]"),
        ] {
            assert_eq!(fill(text, &env).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn missing_values_and_broken_braces_are_errors() {
        for (text, expected) in [
            (
                "${NOPE}",
                "needs the environment variable `NOPE`, which is unset or empty",
            ),
            (
                "${EMPTY}",
                "needs the environment variable `EMPTY`, which is unset or empty",
            ),
            ("${}", "has `${}` without a name"),
            ("a ${A", "has `${` without `}`"),
        ] {
            assert_eq!(fill(text, &env), Err(expected.to_owned()), "{text}");
        }
        let message = fill("${request.id}", &env).unwrap_err();
        assert!(message.ends_with("write `$${request.id}`"), "{message}");
    }

    #[test]
    fn keys_stay_as_they_are_and_failures_have_their_place() {
        let mut value = json!({"${A}": ["${A}", {"b": "${NOPE}"}]});
        let mut failures = Vec::new();
        interpolate(&mut value, "", &env, &mut failures);
        assert_eq!(value, json!({"${A}": ["alpha", {"b": "${NOPE}"}]}));
        assert_eq!(failures.len(), 1);
        assert_eq!(failures[0].path, "${A}[1].b");
    }
}
