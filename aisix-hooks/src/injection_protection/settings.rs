//! What `injection_protection` can be told.

use aisix_core::config::resource::Invalid;
use schemars::JsonSchema;
use serde::Deserialize;

/// Settings of [`InjectionProtection`](super::InjectionProtection).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InjectionProtectionSettings {
    /// Which kinds of attacks are looked for. An empty list, and `all` in it, is every kind. Default: every kind.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub predefined_injections: Vec<PredefinedInjection>,
    /// Patterns of your own. At most 256, together with `custom_patterns`.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub custom_injections: Vec<CustomInjection>,
    /// Another name for `custom_injections`; both count.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub custom_patterns: Vec<CustomInjection>,
    /// Where it looks.
    #[schemars(length(min = 1, max = 16))]
    pub content_to_check: Vec<InjectionContent>,
    /// What becomes of a match. To refuse nothing, let the element of the chain observe. Default: `block`.
    #[serde(default)]
    pub action: InjectionAction,
    /// The status of a refusal, from 400 to 599. Default: 400.
    #[serde(default = "bad_request")]
    #[schemars(range(min = 400, max = 599))]
    pub status_code: u16,
    /// What a refusal says. Default: `the request looks like an injection`.
    #[serde(default = "message")]
    #[schemars(length(min = 1, max = 1_024))]
    pub error_message: String,
}

/// A kind of attacks.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PredefinedInjection {
    /// Which.
    #[serde(rename = "type")]
    pub kind: InjectionKind,
    /// Whether it is looked for; what is off stays off beside `all`. Default: true.
    #[serde(default = "yes")]
    pub enabled: bool,
}

/// A kind of attacks, by what they attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InjectionKind {
    /// Every kind.
    All,
    /// SQL databases.
    Sql,
    /// Document databases that take JSON or JavaScript.
    Nosql,
    /// Shells.
    Command,
    /// File systems, by paths that leave their directory.
    Path,
    /// Directories that are asked by LDAP filters.
    Ldap,
    /// XML parsers, by entities and inclusions.
    Xml,
    /// Networks, by requests that a server makes on behalf of others.
    Ssrf,
    /// Programs that include files by name.
    File,
    /// Template engines, and log4j's look-ups.
    Template,
    /// Documents that are asked by XPath.
    Xpath,
    /// HTTP heads, by line breaks.
    Header,
    /// Browsers, by scripts in pages.
    Xss,
}

/// A pattern of your own.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomInjection {
    /// What the access log calls it.
    #[schemars(length(min = 1, max = 128))]
    pub name: String,
    /// A regular expression of the `regex` crate; upper and lower case differ unless it begins with `(?i)`.
    #[schemars(length(min = 1, max = 4_096))]
    pub pattern: String,
    /// Where it is looked for. Default: wherever the hook looks.
    #[serde(default)]
    pub content_to_check: Option<InjectionContent>,
}

/// A part of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InjectionContent {
    /// The values of headers.
    Headers,
    /// Path and query, as they came and decoded.
    PathAndQuery,
    /// The texts of the body.
    Body,
    /// All of it.
    All,
}

/// What becomes of a match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InjectionAction {
    /// The request is refused.
    #[default]
    Block,
}

fn yes() -> bool {
    true
}

fn bad_request() -> u16 {
    400
}

fn message() -> String {
    "the request looks like an injection".to_owned()
}

// === impl InjectionProtectionSettings ===

impl InjectionProtectionSettings {
    /// All patterns of the operator's own, each with its path.
    pub(super) fn custom(&self) -> impl Iterator<Item = (String, &CustomInjection)> {
        let lists = [
            ("custom_injections", &self.custom_injections),
            ("custom_patterns", &self.custom_patterns),
        ];
        lists.into_iter().flat_map(|(field, list)| {
            let list = list.iter().enumerate();
            list.map(move |(index, custom)| (format!("{field}[{index}].pattern"), custom))
        })
    }

    /// Whether a kind is looked for.
    pub(super) fn looks_for(&self, kind: InjectionKind) -> bool {
        let list = &self.predefined_injections;
        let named = list.iter().rev().find(|named| named.kind == kind);
        let all = list
            .iter()
            .rev()
            .find(|named| named.kind == InjectionKind::All);
        match (named, all) {
            (Some(named), _) => named.enabled,
            (None, Some(all)) => all.enabled,
            (None, None) => list.is_empty(),
        }
    }

    pub(super) fn check(&self) -> Result<(), Vec<Invalid>> {
        let wrong = self.custom().filter_map(|(path, custom)| {
            let said = match regex_syntax::parse(&custom.pattern) {
                Ok(hir) if hir.properties().minimum_len() == Some(0) => {
                    "matches a text without a character"
                }
                Ok(_) => return None,
                Err(_) => "is not a regular expression that is understood",
            };
            Some(Invalid::new(path, said))
        });
        let wrong: Vec<_> = wrong.collect();
        match wrong.is_empty() {
            true => Ok(()),
            false => Err(wrong),
        }
    }
}

// === impl InjectionContent ===

impl InjectionContent {
    pub(super) fn covers(self, part: Self) -> bool {
        self == Self::All || self == part
    }
}
