//! `azure_content_safety`: asks Azure AI Content Safety's Prompt Shields about attacks on the model.
//!
//! The format is that of
//! <https://learn.microsoft.com/rest/api/contentsafety/text-operations/shield-prompt>.

use std::pin::pin;

use aisix_core::{
    config::{
        Secret,
        resource::{Invalid, Stage},
    },
    hook::{Built, Context, PluginFactory, Stages},
    observe::Phase,
};
use async_trait::async_trait;
use futures_util::TryStreamExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    ask::Asker,
    azure::{MAX_TEXT, Resource, joined},
    cut::cut,
    driver::Driver,
    service::{Failure, Judgement, Piece, Service},
    settings::{RemoteGuardSettings, millis, timeout_ms},
};
use crate::text::Speaker;

/// Its name, and the kind of guardrails that it serves.
const KIND: &str = "azure_content_safety";

/// How much of a part is in the next one too, in characters.
const OVERLAP: usize = 256;

/// Refuses requests that attack the model, be it by what users say or by what tools answer, and answers that
/// carry an attack on.
///
/// The service is sent what users say as the prompt, what tools answer as documents, and texts of the answer as
/// documents; nothing else. Texts of more than 10,000 characters are cut. It changes nothing, and stands
/// behind hooks that cost less.
#[derive(Clone, Copy, Debug)]
pub struct AzurePromptShield;

/// Settings of [`AzurePromptShield`].
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AzurePromptShieldSettings {
    /// What all remote guards have.
    #[serde(flatten)]
    pub common: RemoteGuardSettings,
    /// The resource, such as `https://my-resource.cognitiveservices.azure.com`.
    pub endpoint: String,
    /// The credential.
    pub api_key: Secret,
    /// The deadline of a question, in milliseconds. Default: 5000.
    #[serde(default = "timeout_ms")]
    #[schemars(range(min = 100, max = 60_000))]
    pub timeout_ms: u32,
}

struct Shield(Resource);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Question<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_prompt: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    documents: &'a [&'a str],
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    user_prompt_analysis: Option<Analysis>,
    documents_analysis: Option<Vec<Analysis>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Analysis {
    attack_detected: bool,
}

// === impl AzurePromptShield ===

impl PluginFactory for AzurePromptShield {
    type Settings = AzurePromptShieldSettings;

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
        settings: AzurePromptShieldSettings,
        context: &Context<'_>,
    ) -> Result<Built, Vec<Invalid>> {
        let operation = "text:shieldPrompt";
        let service = Shield(Resource::new(
            &settings.endpoint,
            operation,
            &settings.api_key,
        )?);
        let timeout = millis(settings.timeout_ms);
        Ok(Driver::new(KIND, service, settings.common, timeout, context).built())
    }
}

// === impl Shield ===

#[async_trait]
impl Service for Shield {
    async fn judge(
        &self,
        asker: &Asker,
        pieces: &[Piece<'_>],
        phase: Phase,
    ) -> Result<Judgement, Failure> {
        let said = |by: Speaker| joined(pieces.iter().filter(|piece| piece.speaker == by));
        let (prompt, documents) = match phase {
            Phase::Input => (said(Speaker::User), said(Speaker::Tool)),
            Phase::Output => (String::new(), joined(pieces)),
        };
        let parts = |text| cut(text, MAX_TEXT, OVERLAP).filter(|part| !part.is_empty());
        let (mut prompts, mut documents) = (parts(&prompt), parts(&documents));
        let pairs = std::iter::from_fn(|| {
            let pair = (prompts.next(), documents.next());
            (pair != (None, None)).then_some(pair)
        });
        let (mut questions, mut expected) = (Vec::new(), Vec::new());
        for (user_prompt, document) in pairs {
            expected.push((user_prompt.is_some(), document.is_some()));
            let documents = document.as_slice();
            let question = Question {
                user_prompt,
                documents,
            };
            questions.push(self.0.question(&question));
        }
        let mut answers = pin!(asker.ask_each::<Answer>(questions));
        let mut expected = expected.into_iter();
        while let Some(answer) = answers.try_next().await? {
            let (has_prompt, has_document) = expected.next().unwrap_or_default();
            let prompt = answer.user_prompt_analysis;
            if attacks(prompt.as_slice(), has_prompt)? {
                return Ok(Judgement::block(["prompt"]));
            }
            let documents = answer.documents_analysis.unwrap_or_default();
            if attacks(&documents, has_document)? {
                return Ok(Judgement::block(["document"]));
            }
        }
        Ok(Judgement::Allow)
    }
}

/// Whether an attack was found, in what was asked about.
fn attacks(found: &[Analysis], was_asked: bool) -> Result<bool, Failure> {
    match (was_asked, found.is_empty()) {
        (true, true) => Err(Failure::Unreadable),
        _ => Ok(found.iter().any(|analysis| analysis.attack_detected)),
    }
}
