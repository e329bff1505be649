//! A hook with a name and settings, which configuration switches on.

use aisix_core::{
    Error, ErrorKind,
    call::Call,
    config::resource::{Invalid, Stage},
    hook::{Built, Check, Context, PluginFactory, Stages},
};
use async_trait::async_trait;

// ANCHOR: plugin
/// Refuses calls that hold one of some words.
pub struct BannedWords;

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The words, in any case.
    words: Vec<String>,
}

impl PluginFactory for BannedWords {
    type Settings = Settings;

    fn name(&self) -> &'static str {
        "banned_words"
    }

    fn stages(&self) -> Stages {
        Stages::Fixed(&[Stage::PreRequest])
    }

    fn build(&self, settings: Settings, _: &Context<'_>) -> Result<Built, Vec<Invalid>> {
        if settings.words.iter().any(String::is_empty) {
            return Err(vec![Invalid::new("words", "must not hold an empty word")]);
        }
        let words = settings.words.iter().map(|word| word.to_lowercase());
        Ok(Built::check(Banned(words.collect())))
    }
}

/// What is built once, when the configuration is compiled.
struct Banned(Vec<String>);

#[async_trait]
impl Check for Banned {
    async fn check(&self, call: &Call) -> Result<(), Error> {
        let text = String::from_utf8_lossy(call.bytes()).to_lowercase();
        match self.0.iter().any(|word| text.contains(word)) {
            true => Err(Error::new(ErrorKind::Blocked, "that word is banned")),
            false => Ok(()),
        }
    }
}
// ANCHOR_END: plugin
