//! `presidio`: asks Microsoft Presidio where personal data is, and has it taken out.
//!
//! The formats are those of <https://microsoft.github.io/presidio/api-docs/api-docs.html>.

use aisix_core::{
    config::resource::{Invalid, Stage},
    hook::{Built, Context, PluginFactory, Stages},
    observe::Phase,
};
use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use http::Uri;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    ask::{AT_ONCE, Asker, post},
    driver::Driver,
    service::{Failure, Judgement, Piece, Service},
    settings::{RemoteGuardSettings, address, millis, timeout_ms},
};

/// Its name, and what metrics call its kind.
const KIND: &str = "presidio";

/// Takes personal data out of requests and answers, or refuses them, by the kind of data.
///
/// The analyzer is sent every text of the request and of the answer, the anonymizer those in which something was
/// found that is to be taken out; neither is sent anything else. It stands behind hooks that cost less, and
/// before those that should not see what it takes out.
#[derive(Clone, Copy, Debug)]
pub struct Presidio;

/// Settings of [`Presidio`].
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PresidioSettings {
    /// What all remote guards have.
    #[serde(flatten)]
    pub common: RemoteGuardSettings,
    /// The base URL of the analyzer; `/analyze` is added.
    pub analyzer_url: String,
    /// The base URL of the anonymizer; `/anonymize` is added.
    pub anonymizer_url: String,
    /// What is looked for. Default: everything that the analyzer knows.
    #[serde(default)]
    #[schemars(length(max = 200))]
    pub entities: Vec<PresidioEntity>,
    /// What becomes of what is found, unless its entity says otherwise. Default: `mask`.
    #[serde(default)]
    pub default_action: PresidioAction,
    /// How it is taken out. Default: `replace`.
    #[serde(default)]
    pub operator: PresidioOperator,
    /// The language of the texts. Default: `en`.
    #[serde(default = "language")]
    #[schemars(length(min = 1, max = 32))]
    pub language: String,
    /// How sure the analyzer must be. Default: as sure as each of its recognizers asks for.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub score_threshold: Option<f64>,
    /// The deadline of each question, in milliseconds. Default: 5000.
    #[serde(default = "timeout_ms")]
    #[schemars(range(min = 100, max = 60_000))]
    pub timeout_ms: u32,
}

/// A kind of personal data.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PresidioEntity {
    /// What the analyzer calls it, such as `EMAIL_ADDRESS`.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 128))]
    pub kind: String,
    /// What becomes of it. Default: the `default_action`.
    #[serde(default)]
    pub action: Option<PresidioAction>,
}

/// What becomes of personal data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PresidioAction {
    /// It is taken out.
    #[default]
    Mask,
    /// The request or the answer is refused.
    Block,
}

/// How personal data is taken out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PresidioOperator {
    /// The entity takes its place, such as `<EMAIL_ADDRESS>`.
    #[default]
    Replace,
    /// A `*` takes the place of each character.
    Mask,
    /// Its SHA-256 takes its place.
    Hash,
    /// Nothing takes its place.
    Redact,
}

struct Analyzer {
    analyze: Uri,
    anonymize: Uri,
    settings: PresidioSettings,
}

#[derive(Serialize)]
struct Analyze<'a> {
    text: &'a str,
    language: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    entities: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    score_threshold: Option<f64>,
}

/// What was found: offsets are characters.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Finding {
    entity_type: String,
    start: usize,
    end: usize,
    score: f64,
}

#[derive(Serialize)]
struct Anonymize<'a> {
    text: &'a str,
    analyzer_results: &'a [Finding],
    anonymizers: Value,
}

#[derive(Deserialize)]
struct Anonymized {
    text: String,
}

/// What becomes of one text.
enum Verdict {
    Stays,
    Blocks(Vec<String>),
    Becomes(String),
}

fn language() -> String {
    "en".to_owned()
}

// === impl PresidioOperator ===

impl PresidioOperator {
    fn settings(self) -> Value {
        match self {
            Self::Replace => json!({"type": "replace"}),
            // More characters than any entity has.
            Self::Mask => json!({"type": "mask", "masking_char": "*", "chars_to_mask": 1_000_000,
                "from_end": false}),
            Self::Hash => json!({"type": "hash", "hash_type": "sha256"}),
            Self::Redact => json!({"type": "redact"}),
        }
    }
}

// === impl Presidio ===

impl PluginFactory for Presidio {
    type Settings = PresidioSettings;

    fn name(&self) -> &'static str {
        KIND
    }

    fn stages(&self) -> Stages {
        Stages::Fixed(&[Stage::PreRequest, Stage::PreResponse])
    }

    fn observes(&self) -> bool {
        true
    }

    fn build(
        &self,
        settings: PresidioSettings,
        context: &Context<'_>,
    ) -> Result<Built, Vec<Invalid>> {
        let analyze = address("analyzer_url", &settings.analyzer_url, "/analyze")?;
        let anonymize = address("anonymizer_url", &settings.anonymizer_url, "/anonymize")?;
        let (common, timeout) = (settings.common.clone(), millis(settings.timeout_ms));
        let service = Analyzer {
            analyze,
            anonymize,
            settings,
        };
        Ok(Driver::new(KIND, service, common, timeout, context).built())
    }
}

// === impl Analyzer ===

#[async_trait]
impl Service for Analyzer {
    async fn judge(
        &self,
        asker: &Asker,
        pieces: &[Piece<'_>],
        _: Phase,
    ) -> Result<Judgement, Failure> {
        let texts: Vec<String> = pieces.iter().map(|piece| piece.text.to_owned()).collect();
        let judging = texts.into_iter().map(|text| self.verdict(asker, text));
        let verdicts = stream::iter(judging).buffered(AT_ONCE);
        let verdicts: Vec<Verdict> = verdicts.try_collect().await?;
        let mut masks = Vec::with_capacity(verdicts.len());
        for verdict in verdicts {
            match verdict {
                Verdict::Stays => masks.push(None),
                Verdict::Becomes(text) => masks.push(Some(text)),
                Verdict::Blocks(entities) => return Ok(Judgement::block(entities)),
            }
        }
        Ok(match masks.iter().any(Option::is_some) {
            true => Judgement::Mask(masks),
            false => Judgement::Allow,
        })
    }
}

impl Analyzer {
    async fn verdict(&self, asker: &Asker, text: String) -> Result<Verdict, Failure> {
        let settings = &self.settings;
        let question = Analyze {
            text: &text,
            language: &settings.language,
            entities: settings
                .entities
                .iter()
                .map(|it| it.kind.as_str())
                .collect(),
            score_threshold: settings.score_threshold,
        };
        let found = asker.ask(post(&self.analyze, [], &question)).await?;
        let found = self.counting(found);
        if found.is_empty() {
            return Ok(Verdict::Stays);
        }
        let blocks = |found: &&Finding| self.action(&found.entity_type) == PresidioAction::Block;
        let blocked: Vec<_> = found.iter().filter(blocks).collect();
        if !blocked.is_empty() {
            let entities = blocked.into_iter().map(|found| found.entity_type.clone());
            return Ok(Verdict::Blocks(entities.collect()));
        }
        let question = Anonymize {
            text: &text,
            analyzer_results: &found,
            anonymizers: json!({"DEFAULT": settings.operator.settings()}),
        };
        let question = post(&self.anonymize, [], &question);
        let Anonymized { text: masked } = asker.ask(question).await?;
        match is_faithful(&text, &masked, &found) {
            true => Ok(Verdict::Becomes(masked)),
            false => Err(Failure::Unreadable),
        }
    }

    /// What was found that was looked for.
    fn counting(&self, mut found: Vec<Finding>) -> Vec<Finding> {
        let Self { settings, .. } = self;
        let threshold = settings.score_threshold.unwrap_or(f64::MIN);
        let is_wanted = |found: &Finding| {
            let mut entities = settings.entities.iter();
            settings.entities.is_empty() || entities.any(|it| it.kind == found.entity_type)
        };
        found.retain(|found| found.score >= threshold && is_wanted(found));
        found
    }

    fn action(&self, entity: &str) -> PresidioAction {
        let mut entities = self.settings.entities.iter();
        let entity = entities.find(|known| known.kind == entity);
        let action = entity.and_then(|entity| entity.action);
        action.unwrap_or(self.settings.default_action)
    }
}

/// Whether a text is as it was before the first and after the last finding, and the findings are in it.
fn is_faithful(text: &str, masked: &str, found: &[Finding]) -> bool {
    let length = text.chars().count();
    let fits = |found: &Finding| found.start < found.end && found.end <= length;
    if !found.iter().all(fits) {
        return false;
    }
    let first = found.iter().map(|found| found.start).min();
    let last = found.iter().map(|found| found.end).max();
    let at = |character: Option<usize>| {
        let mut bounds = text.char_indices().map(|(at, _)| at);
        character
            .and_then(|it| bounds.nth(it))
            .unwrap_or(text.len())
    };
    let (before, after) = (&text[..at(first)], &text[at(last)..]);
    masked.len() >= before.len() + after.len()
        && masked.starts_with(before)
        && masked.ends_with(after)
}
