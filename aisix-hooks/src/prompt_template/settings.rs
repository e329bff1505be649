//! Settings of the template.

use std::collections::BTreeMap;

use aisix_core::config::resource::Invalid;
use schemars::JsonSchema;
use serde::Deserialize;

use super::prompt::{self, Prompt};

/// Settings of [`PromptTemplate`](super::PromptTemplate).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromptTemplateSettings {
    /// What stands around the caller's system prompt, or in its place if there is none.
    #[serde(default)]
    pub system: Around,
    /// What the last text of the user is put into: `{{input}}` stands for it. Default: it stays as it is.
    #[serde(default)]
    #[schemars(length(min = 1, max = 65_536))]
    pub user: Option<String>,
    /// What variables hold that callers do not give.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 64))]
    pub variables: BTreeMap<String, String>,
}

/// Texts around another one.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Around {
    /// What stands before it.
    #[serde(default)]
    #[schemars(length(min = 1, max = 65_536))]
    pub before: Option<String>,
    /// What stands after it.
    #[serde(default)]
    #[schemars(length(min = 1, max = 65_536))]
    pub after: Option<String>,
}

/// The settings, compiled.
#[derive(Debug)]
pub(super) struct Templates {
    pub(super) before: Option<Prompt>,
    pub(super) after: Option<Prompt>,
    pub(super) user: Option<Prompt>,
    pub(super) defaults: BTreeMap<String, String>,
}

// === impl Templates ===

impl Templates {
    pub(super) fn read(settings: PromptTemplateSettings) -> Result<Self, Vec<Invalid>> {
        let mut wrong = Vec::new();
        let mut read = |path: &str, text: Option<String>, takes_input: bool| {
            let prompt = Prompt::read(&text?);
            let prompt = prompt.map_err(|message| wrong.push(Invalid::new(path, message)));
            let prompt = prompt.ok()?;
            if !takes_input && prompt.names().any(|name| name == prompt::INPUT) {
                let message = "cannot hold `{{input}}`: that is the user's text, for `user` alone";
                wrong.push(Invalid::new(path, message));
            }
            Some(prompt)
        };
        let templates = Self {
            before: read("system.before", settings.system.before, false),
            after: read("system.after", settings.system.after, false),
            user: read("user", settings.user, true),
            defaults: settings.variables,
        };
        if wrong.is_empty() {
            templates.check(&mut wrong);
        }
        match wrong.is_empty() {
            true => Ok(templates),
            false => Err(wrong),
        }
    }

    fn check(&self, wrong: &mut Vec<Invalid>) {
        let prompts = [&self.before, &self.after, &self.user];
        let prompts: Vec<_> = prompts.into_iter().flatten().collect();
        if prompts.is_empty() {
            wrong.push(Invalid::new("user", "or `system` must say something"));
        }
        for name in self.defaults.keys() {
            let mut names = prompts.iter().flat_map(|prompt| prompt.names());
            if name == prompt::INPUT || !names.any(|used| used == name) {
                let message = "is a variable of no template";
                wrong.push(Invalid::new(format!("variables.{name}"), message));
            }
        }
    }
}
