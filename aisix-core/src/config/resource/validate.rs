//! From a document to a typed value, with every mistake reported.

use jsonschema::{
    ValidationError,
    error::{TypeKind, ValidationErrorKind},
    paths::{Location, LocationSegment},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    Invalid, Kind, Strictness,
    document::Document,
    format,
    schema::{self, Checker},
    suggest,
    tidy::{self, Unknown},
};

/// How many left-out fields of one document are reported.
const MAX_UNKNOWN: usize = 64;

const NOT_YET: &str = "is not supported yet";

/// What is said of a document that fits its schema and yet cannot be read.
pub(super) const UNREADABLE: &str = "cannot be read as this kind of resource";

/// Validates and decodes; also gives the fields that were left out.
pub(super) fn validated<T: Document>(
    kind: Kind,
    mut value: Value,
    strictness: Strictness,
) -> Result<(T, Vec<String>), Vec<Invalid>> {
    let later = |name: &str| T::LATER.contains(&name);
    if let Value::Object(members) = &mut value {
        members.retain(|name, value| !(value.is_null() && later(name)));
    }
    let Checked {
        mut value,
        unknown,
        mut errors,
        mut left_out,
    } = check(schema::checker(kind), value, strictness)?;
    if let Value::Object(members) = &value {
        T::rules(members, &mut errors);
        if strictness == Strictness::Lenient {
            let inapplicable = T::inapplicable(members).into_iter();
            left_out.extend(inapplicable.map(|name| format!("inapplicable:{name}")));
        }
        for misplaced in T::misplaced(members) {
            match strictness {
                Strictness::Strict => errors.push(misplaced),
                Strictness::Lenient => {
                    take_out(&mut value, &misplaced.path);
                    left_out.push(format!("inapplicable:{}", misplaced.path));
                }
            }
        }
    }
    for field in unknown {
        match strictness {
            Strictness::Strict if later(&field.path) => {
                errors.push(Invalid::new(field.path, NOT_YET));
            }
            Strictness::Lenient if !is_within(&field.path, T::EXACT) => left_out.push(field.path),
            _ => errors.push(stranger(field, T::LATER)),
        }
    }
    decoded(value, errors, left_out)
}

/// Takes the member at the end of a path out; the path leads through mappings only.
fn take_out(value: &mut Value, path: &str) {
    match (value, path.split_once('.')) {
        (Value::Object(members), None) => drop(members.shift_remove(path)),
        (Value::Object(members), Some((name, rest))) => {
            if let Some(inner) = members.get_mut(name) {
                take_out(inner, rest);
            }
        }
        _ => {}
    }
}

/// Whether a path leads into one of these lists.
fn is_within(path: &str, lists: &[&str]) -> bool {
    let mut rests = lists.iter().filter_map(|list| path.strip_prefix(list));
    rests.any(|rest| rest.starts_with('['))
}

/// Validates and decodes the settings of a plugin.
pub(super) fn settings<T: DeserializeOwned>(
    checker: &Checker,
    value: Value,
    strictness: Strictness,
) -> Result<(T, Vec<String>), Vec<Invalid>> {
    let Checked {
        value,
        unknown,
        mut errors,
        mut left_out,
    } = check(checker, value, strictness)?;
    for field in unknown {
        match strictness {
            Strictness::Strict => errors.push(stranger(field, &[])),
            Strictness::Lenient => left_out.push(field.path),
        }
    }
    decoded(value, errors, left_out)
}

/// A document as its schema sees it.
struct Checked {
    value: Value,
    unknown: Vec<Unknown>,
    errors: Vec<Invalid>,
    left_out: Vec<String>,
}

fn check(
    checker: &Checker,
    mut value: Value,
    strictness: Strictness,
) -> Result<Checked, Vec<Invalid>> {
    if !value.is_object() {
        let message = format!("must be a mapping, not {}", type_name(&value));
        return Err(vec![Invalid::new("", message)]);
    }
    let mut unknown = Vec::new();
    tidy::tidy(&mut value, &checker.schema, "", &mut unknown);
    let (mut errors, mut left_out) = (Vec::new(), Vec::new());
    for error in checker.validator.iter_errors(&value) {
        let (invalid, is_soft) = invalid(&error);
        match strictness {
            Strictness::Lenient if is_soft => {
                left_out.push(format!("inapplicable:{}", without_indices(&invalid.path)));
            }
            _ => errors.push(invalid),
        }
    }
    Ok(Checked {
        value,
        unknown,
        errors,
        left_out,
    })
}

fn decoded<T: DeserializeOwned>(
    value: Value,
    mut errors: Vec<Invalid>,
    left_out: Vec<String>,
) -> Result<(T, Vec<String>), Vec<Invalid>> {
    if !errors.is_empty() {
        errors.sort();
        errors.dedup();
        return Err(errors);
    }
    // The message of a failed decoding might repeat a value, and the schema should have said it.
    let decoded = serde_json::from_value(value).map_err(|_| vec![Invalid::new("", UNREADABLE)])?;
    Ok((decoded, bounded(left_out)))
}

const REQUIRED: &str = "is required";

/// Reports an unknown field, with what may have been meant: a known one, or at the root one of `later`.
fn stranger(field: Unknown, later: &[&str]) -> Invalid {
    let at_root = field.path == field.name;
    let later = later.iter().filter(|_| at_root);
    let known = field.known.iter().map(String::as_str).chain(later.copied());
    Invalid::new(field.path, suggest::unknown(&field.name, known))
}

fn bounded(mut paths: Vec<String>) -> Vec<String> {
    paths.sort();
    paths.dedup();
    if paths.len() > MAX_UNKNOWN {
        paths.truncate(MAX_UNKNOWN);
        paths.push("...truncated".to_owned());
    }
    paths
}

/// Says what the validator found, and whether leaving the element out would do.
fn invalid(error: &ValidationError<'_>) -> (Invalid, bool) {
    use ValidationErrorKind as K;
    let mut path = path(error.instance_path());
    let mut is_soft = false;
    let message = match error.kind() {
        K::Required { property } => {
            path = tidy::join(&path, property.as_str().unwrap_or_default());
            REQUIRED.to_owned()
        }
        K::Type { kind } => {
            let actual = type_name(error.instance());
            format!("must be {}, not {actual}", expected(kind))
        }
        K::Enum { options } => format!("must be {}", one_of(options)),
        K::Constant { expected_value } => match expected_value.as_str() {
            Some(text) => format!("must be `{text}`"),
            None => format!("must be `{expected_value}`"),
        },
        K::Minimum { limit } => format!("must be at least {limit}"),
        K::Maximum { limit } => format!("must be at most {limit}"),
        K::MinLength { limit: 1 } | K::MinItems { limit: 1 } => "must not be empty".to_owned(),
        K::MinLength { limit } => format!("must have at least {limit} characters"),
        K::MaxLength { limit } => format!("must have at most {limit} characters"),
        K::Pattern { pattern } => format!("must match {pattern}"),
        K::Format { format } => {
            let format = format::named(format);
            is_soft = format.is_some_and(|format| format.is_soft);
            format
                .zip(error.instance().as_str())
                .and_then(|(format, text)| (format.check)(text).err())
                .unwrap_or_else(|| "has the wrong form".to_owned())
        }
        K::PropertyNames { error: inner } => {
            let (of_name, soft) = invalid(inner);
            path = tidy::join(&path, inner.instance().as_str().unwrap_or_default());
            is_soft = soft;
            match inner.kind() {
                K::MinLength { .. } => "has an empty name".to_owned(),
                _ => of_name.message,
            }
        }
        other => format!("breaks the rule `{}`", other.keyword()),
    };
    (Invalid::new(path, message), is_soft)
}

fn path(location: &Location) -> String {
    location
        .segments()
        .fold(String::new(), |path, segment| match segment {
            LocationSegment::Property(name) => tidy::join(&path, &name),
            LocationSegment::Index(index) => format!("{path}[{index}]"),
        })
}

fn without_indices(path: &str) -> String {
    let mut plain = String::new();
    for (number, piece) in path.split('[').enumerate() {
        match piece.split_once(']') {
            Some((_, rest)) if number > 0 => {
                plain.push_str("[]");
                plain.push_str(rest);
            }
            _ => plain.push_str(piece),
        }
    }
    plain
}

fn one_of(options: &Value) -> String {
    let names: Vec<_> = options
        .as_array()
        .into_iter()
        .flatten()
        .map(|name| format!("`{}`", name.as_str().unwrap_or_default()))
        .collect();
    match names.as_slice() {
        [] => "something else".to_owned(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

fn expected(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(one) => article(&one.to_string()).to_owned(),
        TypeKind::Multiple(several) => several
            .iter()
            .map(|one| article(&one.to_string()))
            .collect::<Vec<_>>()
            .join(" or "),
    }
}

fn type_name(value: &Value) -> &'static str {
    article(match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    })
}

fn article(name: &str) -> &'static str {
    match name {
        "null" => "null",
        "boolean" => "true or false",
        "number" => "a number",
        "integer" => "a whole number",
        "string" => "a string",
        "array" => "a list",
        _ => "a mapping",
    }
}
