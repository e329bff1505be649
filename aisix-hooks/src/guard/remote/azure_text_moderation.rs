//! `azure_content_safety_text_moderation`: asks Azure AI Content Safety how harmful texts are.
//!
//! The format is that of
//! <https://learn.microsoft.com/rest/api/contentsafety/text-operations/analyze-text>.

use std::{collections::BTreeMap, pin::pin};

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
use http::Request;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    ask::Asker,
    azure::{MAX_TEXT, Resource, joined},
    cut::cut,
    driver::{Driver, Window},
    service::{Failure, Judgement, Piece, Service},
    settings::{RemoteGuardSettings, millis, timeout_ms},
};
use crate::text::Speaker;

/// Its name, and the kind of guardrails that it serves.
const KIND: &str = "azure_content_safety_text_moderation";

/// Refuses requests and answers that are too harmful in a category, or in which a term of a blocklist occurs.
///
/// The service is sent what users say, or all texts of the request, and those of the answer; nothing else. A
/// stream is asked about window by window, and each goes on when it has been judged.
#[derive(Clone, Copy, Debug)]
pub struct AzureTextModeration;

/// Settings of [`AzureTextModeration`].
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AzureTextModerationSettings {
    /// What all remote guards have.
    #[serde(flatten)]
    pub common: RemoteGuardSettings,
    /// The resource, such as `https://my-resource.cognitiveservices.azure.com`.
    pub endpoint: String,
    /// The credential.
    pub api_key: Secret,
    /// What harm is looked for. Default: all categories.
    #[serde(default = "categories")]
    #[schemars(length(min = 1, max = 4))]
    pub categories: Vec<HarmCategory>,
    /// The severity from which on a text is refused. Default: 2.
    #[serde(default = "severity_threshold")]
    #[schemars(range(max = 7))]
    pub severity_threshold: u8,
    /// Other severities for some categories.
    #[serde(default)]
    pub severity_threshold_by_category: BTreeMap<String, u8>,
    /// How finely severities are told. Default: `FourSeverityLevels`, which are 0, 2, 4 and 6.
    #[serde(default)]
    pub output_type: SeverityLevels,
    /// Blocklists of the resource.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub blocklist_names: Vec<String>,
    /// Whether the service stops at the first term of a blocklist. Default: false.
    #[serde(default)]
    pub halt_on_blocklist_hit: bool,
    /// Which texts of a request are judged. Default: `concatenate_user_content`.
    #[serde(default)]
    pub text_source: TextSource,
    /// When a stream is judged. Default: `window`.
    #[serde(default)]
    pub stream_processing_mode: StreamProcessing,
    /// How much is asked about at once, in characters. Default: 10000.
    #[serde(default = "window_size")]
    #[schemars(range(min = 1, max = 10_000))]
    pub window_size: usize,
    /// How much of a window is asked about again with the next one, in characters; at most half of it.
    /// Default: 256.
    #[serde(default = "window_overlap_size")]
    pub window_overlap_size: usize,
    /// The deadline of a question, in milliseconds. Default: 5000.
    #[serde(default = "timeout_ms")]
    #[schemars(range(min = 100, max = 60_000))]
    pub timeout_ms: u32,
}

/// A category of harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum HarmCategory {
    /// Hate and unfairness.
    Hate,
    /// Sexual content.
    Sexual,
    /// Harm to oneself.
    SelfHarm,
    /// Violence.
    Violence,
}

/// How finely severities are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum SeverityLevels {
    /// 0, 2, 4 and 6.
    #[default]
    FourSeverityLevels,
    /// 0 to 7.
    EightSeverityLevels,
}

/// Which texts of a request are judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TextSource {
    /// What users say.
    #[default]
    ConcatenateUserContent,
    /// What anybody says.
    ConcatenateAllContent,
}

/// When a stream is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StreamProcessing {
    /// As often as there is enough for a window, and at the end.
    #[default]
    Window,
    /// At the end.
    BufferFull,
}

struct Moderation {
    resource: Resource,
    settings: AzureTextModerationSettings,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Question<'a> {
    text: &'a str,
    categories: &'a [HarmCategory],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    blocklist_names: &'a [String],
    halt_on_blocklist_hit: bool,
    output_type: SeverityLevels,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    blocklists_match: Option<Vec<BlocklistMatch>>,
    categories_analysis: Vec<Analysis>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlocklistMatch {
    blocklist_name: String,
}

#[derive(Deserialize)]
struct Analysis {
    category: String,
    severity: u8,
}

fn categories() -> Vec<HarmCategory> {
    use HarmCategory::{Hate, SelfHarm, Sexual, Violence};
    vec![Hate, Sexual, SelfHarm, Violence]
}

fn severity_threshold() -> u8 {
    2
}

fn window_size() -> usize {
    MAX_TEXT
}

fn window_overlap_size() -> usize {
    256
}

// === impl HarmCategory ===

impl HarmCategory {
    fn as_str(self) -> &'static str {
        match self {
            Self::Hate => "Hate",
            Self::Sexual => "Sexual",
            Self::SelfHarm => "SelfHarm",
            Self::Violence => "Violence",
        }
    }
}

// === impl AzureTextModeration ===

impl PluginFactory for AzureTextModeration {
    type Settings = AzureTextModerationSettings;

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
        settings: AzureTextModerationSettings,
        context: &Context<'_>,
    ) -> Result<Built, Vec<Invalid>> {
        let resource = Resource::new(&settings.endpoint, "text:analyze", &settings.api_key)?;
        let windows = settings.stream_processing_mode == StreamProcessing::Window;
        let size = settings.window_size;
        let window = windows.then(|| Window {
            size,
            overlap: settings.window_overlap_size.min(size / 2),
        });
        let (common, timeout) = (settings.common.clone(), millis(settings.timeout_ms));
        let service = Moderation { resource, settings };
        let driver = Driver::new(KIND, service, common, timeout, context);
        Ok(driver.with_window(window).built())
    }
}

// === impl Moderation ===

#[async_trait]
impl Service for Moderation {
    async fn judge(
        &self,
        asker: &Asker,
        pieces: &[Piece<'_>],
        phase: Phase,
    ) -> Result<Judgement, Failure> {
        let Self { settings, .. } = self;
        let users_only =
            phase == Phase::Input && settings.text_source == TextSource::ConcatenateUserContent;
        let counts = |piece: &&Piece<'_>| !users_only || piece.speaker == Speaker::User;
        let text = joined(pieces.iter().filter(counts));
        if text.is_empty() {
            return Ok(Judgement::Allow);
        }
        let windows = cut(&text, settings.window_size, settings.window_overlap_size);
        let questions: Vec<_> = windows.map(|text| self.question(text)).collect();
        let mut answers = pin!(asker.ask_each::<Answer>(questions));
        while let Some(answer) = answers.try_next().await? {
            if let Some(block) = self.blocks(&answer)? {
                return Ok(block);
            }
        }
        Ok(Judgement::Allow)
    }
}

impl Moderation {
    fn question(&self, text: &str) -> Request<Bytes> {
        self.resource.question(&Question {
            text,
            categories: &self.settings.categories,
            blocklist_names: &self.settings.blocklist_names,
            halt_on_blocklist_hit: self.settings.halt_on_blocklist_hit,
            output_type: self.settings.output_type,
        })
    }

    /// Whether a window must not pass. An answer that leaves a category out is none, unless the service has
    /// stopped at a blocklist.
    fn blocks(&self, answer: &Answer) -> Result<Option<Judgement>, Failure> {
        let lists = answer.blocklists_match.as_deref().unwrap_or_default();
        if !lists.is_empty() {
            let names = lists.iter().map(|list| &list.blocklist_name);
            return Ok(Some(Judgement::block(names)));
        }
        let mut reached = Vec::new();
        for category in &self.settings.categories {
            let name = category.as_str();
            let mut analysis = answer.categories_analysis.iter();
            let analysis = analysis.find(|analysis| analysis.category == name);
            let severity = analysis.ok_or(Failure::Unreadable)?.severity;
            let thresholds = &self.settings.severity_threshold_by_category;
            let threshold = thresholds.get(name);
            if severity >= *threshold.unwrap_or(&self.settings.severity_threshold) {
                reached.push(name);
            }
        }
        Ok((!reached.is_empty()).then(|| Judgement::block(reached)))
    }
}
