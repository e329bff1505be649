//! Header values with variables.

use std::fmt;

use http::HeaderValue;
use serde::{Deserialize, Deserializer, de};

/// A text, such as the value of a header, in which `${…}` stands for a fact of the request.
///
/// Its literal text may be confidential, so it is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Variable(Variable),
}

/// A fact of the request that a [`Template`] may name. There are no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variable {
    /// `${request.id}`
    RequestId,
    /// `${request.api_key.id}`
    ApiKeyId,
    /// `${request.api_key.name}`
    ApiKeyName,
    /// `${request.api_key.team_id}`
    ApiKeyTeamId,
    /// `${request.api_key.user_id}`
    ApiKeyUserId,
    /// `${model.id}`
    ModelId,
    /// `${model.name}`
    ModelName,
    /// `${provider_key.id}`
    ProviderKeyId,
    /// `${provider_key.name}`
    ProviderKeyName,
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError(String);

// === impl Variable ===

impl Variable {
    /// All variables.
    pub const ALL: [Self; 9] = [
        Self::RequestId,
        Self::ApiKeyId,
        Self::ApiKeyName,
        Self::ApiKeyTeamId,
        Self::ApiKeyUserId,
        Self::ModelId,
        Self::ModelName,
        Self::ProviderKeyId,
        Self::ProviderKeyName,
    ];

    /// The name between `${` and `}`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequestId => "request.id",
            Self::ApiKeyId => "request.api_key.id",
            Self::ApiKeyName => "request.api_key.name",
            Self::ApiKeyTeamId => "request.api_key.team_id",
            Self::ApiKeyUserId => "request.api_key.user_id",
            Self::ModelId => "model.id",
            Self::ModelName => "model.name",
            Self::ProviderKeyId => "provider_key.id",
            Self::ProviderKeyName => "provider_key.name",
        }
    }

    /// The variable of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }
}

// === impl Template ===

impl Template {
    /// Reads the template of a header's value. Variables outside the closed set and text that no header may
    /// hold are errors; a `$` without a brace is text.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let template = Self::read(text, false)?;
        let literals = template.0.iter().filter_map(|part| match part {
            Part::Literal(text) => Some(text),
            Part::Variable(_) => None,
        });
        let mut wrong = literals.filter(|text| HeaderValue::from_str(text).is_err());
        match wrong.next() {
            None => Ok(template),
            Some(_) => Err(TemplateError(
                "holds a character that no header may hold".to_owned(),
            )),
        }
    }

    /// Reads the template of any text, in which `\${` stands for `${` itself.
    ///
    /// # Errors
    ///
    /// As those of [`parse`](Self::parse), but any character may stand in it.
    pub fn of_text(text: &str) -> Result<Self, TemplateError> {
        Self::read(text, true)
    }

    fn read(text: &str, escapes: bool) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            if let Some(before) = before.strip_suffix('\\').filter(|_| escapes) {
                parts.extend(literal(before));
                parts.extend(literal("${"));
                rest = after;
                continue;
            }
            parts.extend(literal(before));
            let end = after
                .find('}')
                .ok_or_else(|| TemplateError("has `${` without `}`".to_owned()))?;
            let name = &after[..end];
            let variable = Variable::named(name).ok_or_else(|| unknown(name))?;
            parts.push(Part::Variable(variable));
            rest = &after[end + 1..];
        }
        parts.extend(literal(rest));
        Ok(Self(parts))
    }

    /// The whole value if it has no variables.
    pub fn as_literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The variables, in order.
    pub fn variables(&self) -> impl Iterator<Item = Variable> + '_ {
        self.0.iter().filter_map(|part| match part {
            Part::Variable(variable) => Some(*variable),
            Part::Literal(_) => None,
        })
    }

    /// Fills in the variables. `None` if one has no value: the header is left out then.
    pub fn render<'v>(&self, value: &dyn Fn(Variable) -> Option<&'v str>) -> Option<String> {
        let mut text = String::new();
        for part in &self.0 {
            text.push_str(match part {
                Part::Literal(literal) => literal,
                Part::Variable(variable) => value(*variable)?,
            });
        }
        Some(text)
    }
}

fn literal(text: &str) -> Option<Part> {
    (!text.is_empty()).then(|| Part::Literal(text.to_owned()))
}

/// Names the variable only if it looks like one: a secret may have strayed here.
fn unknown(name: &str) -> TemplateError {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'.' || byte == b'_';
    TemplateError(if name.len() <= 32 && name.bytes().all(plain) {
        format!("has the unknown variable `${{{name}}}`")
    } else {
        "has an unknown variable".to_owned()
    })
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Template")
            .field(&self.variables().collect::<Vec<_>>())
            .finish()
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

// === impl TemplateError ===

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TemplateError {}

#[cfg(test)]
mod tests {
    use super::{Template, Variable};

    #[test]
    fn variables_are_filled_in() {
        let template = Template::parse("id=${request.id};$5 for ${model.name}").unwrap();
        let shown = template.render(&|variable| match variable {
            Variable::RequestId => Some("r1"),
            Variable::ModelName => Some("gpt"),
            _ => None,
        });
        assert_eq!(shown.as_deref(), Some("id=r1;$5 for gpt"));
    }

    #[test]
    fn one_variable_without_a_value_leaves_the_header_out() {
        let template = Template::parse("a ${request.api_key.team_id}").unwrap();
        assert_eq!(template.render(&|_| None), None);
    }

    #[test]
    fn every_variable_is_read_by_its_name() {
        for variable in Variable::ALL {
            let template = Template::parse(&format!("${{{}}}", variable.as_str())).unwrap();
            assert!(template.variables().eq([variable]));
        }
    }

    #[test]
    fn a_value_without_variables_is_literal() {
        let template = Template::parse("plain $ text").unwrap();
        assert_eq!(template.as_literal(), Some("plain $ text"));
        assert_eq!(Template::parse("").unwrap().as_literal(), Some(""));
    }

    #[test]
    fn mistakes_are_errors_that_do_not_repeat_secrets() {
        let message = |text| Template::parse(text).unwrap_err().to_string();
        assert_eq!(
            message("x ${request.ip}"),
            "has the unknown variable `${request.ip}`"
        );
        assert_eq!(message("${SK-12345}"), "has an unknown variable");
        assert_eq!(message("x ${request.id"), "has `${` without `}`");
        assert_eq!(message("a\nb"), "holds a character that no header may hold");
    }

    #[test]
    fn any_text_may_hold_variables_where_it_is_no_header() {
        let template = Template::of_text("é\n${model.id}").unwrap();
        let shown = template.render(&|_| Some("m"));
        assert_eq!(shown.as_deref(), Some("é\nm"));
        assert!(Template::of_text("${SK-12345}").is_err());
        // Code is full of them.
        let template = Template::of_text(r"\${HOME}\${a${model.id}").unwrap();
        let shown = template.render(&|_| Some("m"));
        assert_eq!(shown.as_deref(), Some("${HOME}${am"));
        assert!(Template::parse(r"\${HOME}").is_err());
    }

    #[test]
    fn debug_shows_no_text() {
        let shown = format!("{:?}", Template::parse("hidden ${model.id}").unwrap());
        assert_eq!(shown, "Template([ModelId])");
    }
}
