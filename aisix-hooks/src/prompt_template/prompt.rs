//! A text with variables.

use aisix_core::{call::Trail, config::resource::Template};

/// The variable that stands for the user's text.
pub(super) const INPUT: &str = "input";
/// The longest name of a variable.
const MAX_NAME: usize = 64;
/// How long a text may become, in bytes: a variable may stand in it often.
const MAX_TEXT: usize = 16 * 1024 * 1024;

/// A text in which `{{name}}` stands for variables, and `${…}` for facts of the request.
#[derive(Debug)]
pub(super) struct Prompt(Vec<Part>);

#[derive(Debug)]
enum Part {
    Text(Template),
    Variable(String),
}

/// Why a text cannot be filled in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// This variable has no value.
    Missing(String),
    /// It would become too long.
    TooLong,
}

// === impl Prompt ===

impl Prompt {
    /// Reads a text; `\{{` stands for two braces that begin no variable.
    ///
    /// # Errors
    ///
    /// What is wrong with a variable.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let (mut literal, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once("{{") {
            if let Some(before) = before.strip_suffix('\\') {
                literal.push_str(before);
                literal.push_str("{{");
                rest = after;
                continue;
            }
            literal.push_str(before);
            parts.extend(plain(&std::mem::take(&mut literal))?);
            let (name, after) = after.split_once("}}").ok_or("has `{{` without `}}`")?;
            let name = name.trim();
            if !is_name(name) {
                return Err("has `{{…}}` around what is no name of a variable".to_owned());
            }
            parts.push(Part::Variable(name.to_owned()));
            rest = after;
        }
        literal.push_str(rest);
        parts.extend(plain(&literal)?);
        Ok(Self(parts))
    }

    /// The names of the variables in it.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Variable(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The text with its variables filled in. Facts that are not known are empty.
    pub(super) fn fill<'v>(
        &self,
        value: &dyn Fn(&str) -> Option<&'v str>,
        trail: &Trail,
    ) -> Result<String, Flaw> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(template) => {
                    let fact = |variable| Some(trail.variable(variable).unwrap_or_default());
                    text.push_str(&template.render(&fact).unwrap_or_default());
                }
                Part::Variable(name) => {
                    let value = value(name).ok_or_else(|| Flaw::Missing(name.clone()))?;
                    if text.len() + value.len() > MAX_TEXT {
                        return Err(Flaw::TooLong);
                    }
                    text.push_str(value);
                }
            }
        }
        Ok(text)
    }
}

/// Whether a text may name a variable.
pub(super) fn is_name(text: &str) -> bool {
    let letters = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let begins = text
        .bytes()
        .next()
        .is_some_and(|byte| !byte.is_ascii_digit());
    letters && begins && text.len() <= MAX_NAME
}

fn plain(text: &str) -> Result<Option<Part>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let template = Template::of_text(text).map_err(|error| error.to_string())?;
    Ok(Some(Part::Text(template)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn variables_are_found() {
        let names = |text| {
            Prompt::read(text).map(|prompt| prompt.names().map(str::to_owned).collect::<Vec<_>>())
        };
        assert_eq!(names("a {{b}} {{ c_1 }}{{b}}").unwrap(), ["b", "c_1", "b"]);
        assert_eq!(names(r"\{{b}} } }} {").unwrap(), <[String; 0]>::default());
        for wrong in [
            "{{",
            "{{a",
            "{{}}",
            "{{a b}}",
            "{{1a}}",
            "{{a-b}}",
            "${me} {{a}}",
        ] {
            assert!(names(wrong).is_err(), "{wrong}");
        }
        assert!(names(&format!("{{{{{}}}}}", "a".repeat(65))).is_err());
    }
}
