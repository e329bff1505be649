//! `lakera`: asks Lakera Guard about attacks, harmful content and personal data.
//!
//! The format is that of <https://docs.lakera.ai/api-reference/api/endpoints/guard/screen-content>.

use std::collections::HashMap;

use aisix_core::{
    config::{
        Secret,
        resource::{Invalid, Stage},
    },
    hook::{Built, Context, PluginFactory, Stages},
    observe::Phase,
};
use async_trait::async_trait;
use http::{HeaderValue, Uri, header::AUTHORIZATION};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    ask::{Asker, post},
    driver::Driver,
    mask::{Finding, redacted},
    service::{Failure, Judgement, Piece, Service},
    settings::{RemoteGuardSettings, address, bearer, millis, timeout_ms},
};
use crate::text::Speaker;

/// Its name, and the kind of guardrails that it serves.
const KIND: &str = "lakera";

/// Refuses requests and answers that Lakera Guard flags; where it has found nothing but personal data, takes that
/// out.
///
/// The service is sent every text of the request with the role of who says it, or those of the answer, and
/// nothing else. It stands behind hooks that cost less.
#[derive(Clone, Copy, Debug)]
pub struct Lakera;

/// Settings of [`Lakera`].
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LakeraSettings {
    /// What all remote guards have.
    #[serde(flatten)]
    pub common: RemoteGuardSettings,
    /// The credential.
    pub api_key: Secret,
    /// The base URL; `/v2/guard` is added. Default: `https://api.lakera.ai`.
    #[serde(default = "endpoint")]
    pub endpoint: String,
    /// The project whose policy counts. Default: the policy of the account.
    #[serde(default)]
    #[schemars(length(min = 1, max = 256))]
    pub project_id: Option<String>,
    /// The deadline of a question, in milliseconds. Default: 5000.
    #[serde(default = "timeout_ms")]
    #[schemars(range(min = 100, max = 60_000))]
    pub timeout_ms: u32,
}

struct Guard {
    uri: Uri,
    authorization: HeaderValue,
    project_id: Option<String>,
}

#[derive(Serialize)]
struct Question<'a> {
    messages: &'a [Message],
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<&'a str>,
    /// Which detectors have found something.
    breakdown: bool,
    /// Where they have.
    payload: bool,
}

#[derive(Serialize)]
struct Message {
    role: &'static str,
    content: String,
    /// The texts that it was made of, and where they begin in it, in characters.
    #[serde(skip)]
    texts: Vec<(usize, usize)>,
}

#[derive(Deserialize)]
struct Answer {
    flagged: bool,
    breakdown: Option<Vec<Detector>>,
    payload: Option<Vec<Match>>,
}

#[derive(Deserialize)]
struct Detector {
    detector_type: String,
    detected: bool,
}

#[derive(Deserialize)]
struct Match {
    start: usize,
    end: usize,
    detector_type: String,
    message_id: Option<usize>,
}

fn endpoint() -> String {
    "https://api.lakera.ai".to_owned()
}

/// Whether a detector looks for personal data.
fn is_personal(detector: &str) -> bool {
    detector == "pii" || detector.starts_with("pii/")
}

/// Texts that one speaker says one after another are one message.
fn messages(pieces: &[Piece<'_>]) -> Vec<Message> {
    let turns = pieces.chunk_by(|a, b| a.speaker == b.speaker);
    let mut index = 0;
    let messages = turns.map(|turn| {
        let mut message = Message {
            role: role(turn[0].speaker),
            content: String::new(),
            texts: Vec::with_capacity(turn.len()),
        };
        let mut at = 0;
        for piece in turn {
            if !message.texts.is_empty() {
                message.content.push('\n');
                at += 1;
            }
            message.texts.push((index, at));
            message.content.push_str(piece.text);
            at += piece.text.chars().count();
            index += 1;
        }
        message
    });
    messages.collect()
}

fn role(speaker: Speaker) -> &'static str {
    match speaker {
        Speaker::System => "system",
        Speaker::User => "user",
        Speaker::Assistant => "assistant",
        Speaker::Tool => "tool",
    }
}

/// The texts without what was found; `None` when that is not where it is said to be.
fn mask(pieces: &[Piece<'_>], messages: &[Message], found: &[&Match]) -> Option<Judgement> {
    let mut findings: HashMap<usize, Vec<Finding>> = HashMap::new();
    for found in found {
        let message = match (found.message_id, messages) {
            (None, [only]) => only,
            (id, _) => messages.get(id?)?,
        };
        let mut is_somewhere = false;
        for (index, at) in &message.texts {
            let end = at + pieces[*index].text.chars().count();
            let (start, end) = (found.start.max(*at), found.end.min(end));
            if start < end {
                is_somewhere = true;
                let name = found.detector_type.rsplit('/').next().unwrap_or_default();
                findings.entry(*index).or_default().push(Finding {
                    start: start - at,
                    end: end - at,
                    name: name.to_owned(),
                });
            }
        }
        let length = message.content.chars().count();
        (is_somewhere && found.end <= length).then_some(())?;
    }
    let masks = pieces.iter().enumerate().map(|(index, piece)| {
        let found = findings.remove(&index);
        found.map(|found| redacted(piece.text, found)).map_or(
            Some(None), // nothing was found in this one
            |redacted| redacted.map(Some),
        )
    });
    masks.collect::<Option<Vec<_>>>().map(Judgement::Mask)
}

// === impl Lakera ===

impl PluginFactory for Lakera {
    type Settings = LakeraSettings;

    fn name(&self) -> &'static str {
        KIND
    }

    fn stages(&self) -> Stages {
        Stages::Fixed(&[Stage::PreRequest, Stage::PreResponse])
    }

    fn guardrail(&self) -> Option<&'static str> {
        Some(KIND)
    }

    fn masks(&self) -> bool {
        true
    }

    fn observes(&self) -> bool {
        true
    }

    fn build(
        &self,
        settings: LakeraSettings,
        context: &Context<'_>,
    ) -> Result<Built, Vec<Invalid>> {
        let service = Guard {
            uri: address("endpoint", &settings.endpoint, "/v2/guard")?,
            authorization: bearer("api_key", &settings.api_key)?,
            project_id: settings.project_id,
        };
        let timeout = millis(settings.timeout_ms);
        Ok(Driver::new(KIND, service, settings.common, timeout, context).built())
    }
}

// === impl Guard ===

#[async_trait]
impl Service for Guard {
    async fn judge(
        &self,
        asker: &Asker,
        pieces: &[Piece<'_>],
        _: Phase,
    ) -> Result<Judgement, Failure> {
        let messages = messages(pieces);
        let question = Question {
            messages: &messages,
            project_id: self.project_id.as_deref(),
            breakdown: true,
            payload: true,
        };
        let question = post(&self.uri, [(AUTHORIZATION, &self.authorization)], &question);
        let answer: Answer = asker.ask(question).await?;
        if !answer.flagged {
            return Ok(Judgement::Allow);
        }
        let detectors = answer.breakdown.unwrap_or_default().into_iter();
        let detectors = detectors.filter(|detector| detector.detected);
        let mut names: Vec<String> = detectors.map(|it| it.detector_type).collect();
        names.dedup();
        let matches = answer.payload.unwrap_or_default();
        let found: Vec<&Match> = matches
            .iter()
            .filter(|found| is_personal(&found.detector_type))
            .collect();
        let only_personal = !names.is_empty() && names.iter().all(|name| is_personal(name));
        let masked = (only_personal && !found.is_empty())
            .then(|| mask(pieces, &messages, &found))
            .flatten();
        Ok(masked.unwrap_or_else(|| Judgement::block(names)))
    }
}
