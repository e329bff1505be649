//! `prompt_moderation`: refuses prompts with certain words, also when they are misspelt.

mod keywords;
mod settings;

use aisix_core::{
    Error, ErrorKind,
    call::Call,
    config::resource::{Invalid, Stage},
    hook::{Built, Check, Context, PluginFactory, Stages},
};
use async_trait::async_trait;
use http::StatusCode;
use regex::RegexSet;

use self::keywords::Keywords;
pub use self::settings::{
    PromptModerationAction, PromptModerationActions, PromptModerationSettings,
};
use crate::text::{self, Text};

/// Refuses requests in which a keyword or an expression occurs, with 403 and the type `content_filter`.
///
/// A keyword is found in upper and lower case, and where a word is similar enough: one minus the edits
/// between both, as a share of the longer one's characters. Of several words in a row, each must be similar enough.
/// Words are those of Unicode; signs around and between them do not count. It looks at what is said, what tools are called
/// with and what they answer, in every dialect; a match lies in one text. What cannot be read is refused.
///
/// A prompt takes time linear in its length for a given list: words whose length tells that they
/// cannot be similar enough are not compared, and none is compared twice. It keeps nothing and
/// only looks, so that it can run beside others, and observe.
#[derive(Clone, Copy, Debug, Default)]
pub struct PromptModeration;

/// The check.
struct Moderation {
    name: String,
    keywords: Keywords,
    expressions: RegexSet,
    /// What `expressions` were written as.
    written: Vec<String>,
    message: String,
}

/// What stands for the match in a message.
const SLOT: &str = "%s";

// === impl PromptModeration ===

impl PluginFactory for PromptModeration {
    type Settings = PromptModerationSettings;

    fn name(&self) -> &'static str {
        "prompt_moderation"
    }

    fn stages(&self) -> Stages {
        Stages::Fixed(&[Stage::PreRequest])
    }

    fn build(
        &self,
        settings: PromptModerationSettings,
        context: &Context<'_>,
    ) -> Result<Built, Vec<Invalid>> {
        if settings.keywords.is_empty() && settings.regex.is_empty() {
            let message = "or `regex` must list something";
            return Err(vec![Invalid::new("keywords", message)]);
        }
        Ok(Built::check(Moderation {
            name: context.id().to_owned(),
            keywords: Keywords::new(&settings.keywords, settings.similarity_threshold)?,
            expressions: settings.expressions()?,
            written: settings.regex,
            message: settings.actions.message,
        }))
    }
}

// === impl Moderation ===

impl Moderation {
    /// What of the lists occurs in these texts.
    fn found(&self, texts: &[Text<'_>]) -> Option<&str> {
        let said = texts.iter().map(|text| &*text.text);
        self.keywords.find(said.clone()).or_else(|| {
            let matched = said.flat_map(|text| self.expressions.matches(text));
            matched.map(|index| self.written[index].as_str()).next()
        })
    }
}

#[async_trait]
impl Check for Moderation {
    async fn check(&self, call: &Call) -> Result<(), Error> {
        let dialect = call.inbound.operation.dialect;
        let found = match text::of_request(dialect, call.bytes()) {
            Ok(texts) => match self.found(&texts) {
                Some(found) => found.to_owned(),
                None => return Ok(()),
            },
            Err(_) => "a request that cannot be read".to_owned(),
        };
        call.trail().mark("prompt_moderation", self.name.as_str());
        // What the message says beside its slot is taken as it is.
        let message = self.message.replacen(SLOT, &found, 1);
        Err(Error::new(ErrorKind::Blocked, message).with_status(StatusCode::FORBIDDEN))
    }
}
