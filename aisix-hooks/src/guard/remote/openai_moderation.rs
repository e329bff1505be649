//! `openai_moderation`: asks OpenAI's moderation whether texts are harmful.
//!
//! The format is that of <https://platform.openai.com/docs/api-reference/moderations>.

use std::collections::BTreeMap;

use aisix_core::{
    config::{
        Secret,
        resource::{Invalid, Stage},
    },
    hook::{Built, Context, PluginFactory, Stages},
    observe::Phase,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt;
use http::{HeaderValue, Request, Uri, header::AUTHORIZATION};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    ask::{Asker, post},
    cut::cut,
    driver::Driver,
    service::{Failure, Judgement, Piece, Service},
    settings::{RemoteGuardSettings, address, bearer, millis, timeout_ms},
};

/// Its name, and the kind of guardrails that it serves.
const KIND: &str = "openai_moderation";

/// How long one input is, in characters, and how much of it is in the next one too.
const INPUT: usize = 10_000;
const OVERLAP: usize = 256;
/// How many inputs one question has.
const INPUTS: usize = 16;

/// Refuses requests and answers that OpenAI's moderation flags, or that reach a threshold in a category.
///
/// The service is sent every text of the request and of the answer, and nothing else. Texts of more than
/// 10,000 characters are cut. It changes nothing, and stands behind hooks that cost less.
#[derive(Clone, Copy, Debug)]
pub struct OpenaiModeration;

/// Settings of [`OpenaiModeration`].
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenaiModerationSettings {
    /// What all remote guards have.
    #[serde(flatten)]
    pub common: RemoteGuardSettings,
    /// The credential.
    pub api_key: Secret,
    /// The base URL; `/moderations` is added. Default: `https://api.openai.com/v1`.
    #[serde(default = "endpoint")]
    pub endpoint: String,
    /// The model. Default: `omni-moderation-latest`.
    #[serde(default = "model")]
    #[schemars(length(min = 1, max = 256))]
    pub model: String,
    /// Scores from which on a text is refused, by category. With any, only these categories count;
    /// without, whatever the service flags is refused.
    #[serde(default)]
    pub category_thresholds: BTreeMap<String, f64>,
    /// The deadline of a question, in milliseconds. Default: 5000.
    #[serde(default = "timeout_ms")]
    #[schemars(range(min = 100, max = 60_000))]
    pub timeout_ms: u32,
}

struct Moderation {
    uri: Uri,
    authorization: HeaderValue,
    model: String,
    thresholds: BTreeMap<String, f64>,
}

#[derive(Serialize)]
struct Question<'a> {
    model: &'a str,
    input: &'a [&'a str],
}

#[derive(Deserialize)]
struct Answer {
    results: Vec<Verdict>,
}

#[derive(Deserialize)]
struct Verdict {
    flagged: bool,
    #[serde(default)]
    categories: BTreeMap<String, Option<bool>>,
    #[serde(default)]
    category_scores: BTreeMap<String, Option<f64>>,
}

fn endpoint() -> String {
    "https://api.openai.com/v1".to_owned()
}

fn model() -> String {
    "omni-moderation-latest".to_owned()
}

// === impl OpenaiModeration ===

impl PluginFactory for OpenaiModeration {
    type Settings = OpenaiModerationSettings;

    fn name(&self) -> &'static str {
        KIND
    }

    fn stages(&self) -> Stages {
        Stages::Fixed(&[Stage::PreRequest, Stage::PreResponse])
    }

    fn guardrail(&self) -> Option<&'static str> {
        Some(KIND)
    }

    fn observes(&self) -> bool {
        true
    }

    fn build(
        &self,
        settings: OpenaiModerationSettings,
        context: &Context<'_>,
    ) -> Result<Built, Vec<Invalid>> {
        let service = Moderation {
            uri: address("endpoint", &settings.endpoint, "/moderations")?,
            authorization: bearer("api_key", &settings.api_key)?,
            model: settings.model,
            thresholds: settings.category_thresholds,
        };
        let timeout = millis(settings.timeout_ms);
        Ok(Driver::new(KIND, service, settings.common, timeout, context).built())
    }
}

// === impl Moderation ===

#[async_trait]
impl Service for Moderation {
    async fn judge(
        &self,
        asker: &Asker,
        pieces: &[Piece<'_>],
        _: Phase,
    ) -> Result<Judgement, Failure> {
        let inputs = pieces
            .iter()
            .flat_map(|piece| cut(piece.text, INPUT, OVERLAP));
        let inputs: Vec<&str> = inputs.collect();
        let questions = inputs.chunks(INPUTS);
        let expected: Vec<usize> = questions.clone().map(<[_]>::len).collect();
        let questions: Vec<_> = questions.map(|inputs| self.question(inputs)).collect();
        let answers = asker.ask_each::<Answer>(questions);
        let mut answers = std::pin::pin!(answers);
        let mut expected = expected.into_iter();
        while let Some(answer) = answers.try_next().await? {
            if expected.next() != Some(answer.results.len()) {
                return Err(Failure::Unreadable);
            }
            if let Some(block) = answer.results.iter().find_map(|it| self.blocks(it)) {
                return Ok(block);
            }
        }
        Ok(Judgement::Allow)
    }
}

impl Moderation {
    fn question(&self, input: &[&str]) -> Request<Bytes> {
        let model = &self.model;
        let headers = [(AUTHORIZATION, &self.authorization)];
        post(&self.uri, headers, &Question { model, input })
    }

    fn blocks(&self, verdict: &Verdict) -> Option<Judgement> {
        if self.thresholds.is_empty() {
            let named = verdict
                .categories
                .iter()
                .filter(|(_, is)| **is == Some(true));
            return verdict
                .flagged
                .then(|| Judgement::block(named.map(|(name, _)| name)));
        }
        let score = |name: &String| verdict.category_scores.get(name).copied().flatten();
        let reached = |(name, threshold): &(&String, &f64)| {
            score(name).is_some_and(|score| score >= **threshold)
        };
        let mut reached = self.thresholds.iter().filter(reached).peekable();
        reached.peek().is_some().then_some(())?;
        Some(Judgement::block(reached.map(|(name, _)| name)))
    }
}
