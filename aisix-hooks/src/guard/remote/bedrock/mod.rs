//! `bedrock_guardrail`: asks a guardrail of Amazon Bedrock.
//!
//! The format is that of
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ApplyGuardrail.html>.

mod settings;
mod sign;

use aisix_core::{
    config::resource::{Invalid, Stage},
    hook::{Built, Context, PluginFactory, Stages},
    observe::Phase,
};
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderName, Request, Uri, header::AUTHORIZATION};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::settings::{AwsCredentials, BedrockGuardrailSettings, LatencyMode};
use self::sign::Signer;
use super::{
    ask::{Asker, post},
    driver::Driver,
    service::{Failure, Judgement, Piece, Service},
};

/// The kind of guardrails that it serves.
const KIND: &str = "bedrock";
/// How many texts are asked about one by one.
const MAX_ALONE: usize = 32;

/// Refuses requests and answers in which a guardrail of Amazon Bedrock intervenes; where it has taken something
/// out and refused nothing, they go on without that.
///
/// The service is sent every text of the request and of the answer, and nothing else. It stands behind hooks
/// that cost less.
#[derive(Clone, Copy, Debug)]
pub struct BedrockGuardrail;

struct Guardrail {
    uri: Uri,
    signer: Signer,
}

#[derive(Serialize)]
struct Question<'a> {
    source: &'static str,
    content: Vec<Block<'a>>,
}

#[derive(Serialize)]
struct Block<'a> {
    text: Text<'a>,
}

#[derive(Serialize)]
struct Text<'a> {
    text: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    action: Action,
    #[serde(default)]
    outputs: Vec<Output>,
    #[serde(default)]
    assessments: Vec<Value>,
}

#[derive(Deserialize, PartialEq, Eq)]
enum Action {
    #[serde(rename = "NONE")]
    None,
    #[serde(rename = "GUARDRAIL_INTERVENED")]
    Intervened,
}

#[derive(Deserialize)]
struct Output {
    text: String,
}

/// How an intervention is meant.
enum Meaning {
    Blocks(Vec<String>),
    Masks,
}

// === impl BedrockGuardrail ===

impl PluginFactory for BedrockGuardrail {
    type Settings = BedrockGuardrailSettings;

    fn name(&self) -> &'static str {
        "bedrock_guardrail"
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
        settings: BedrockGuardrailSettings,
        context: &Context<'_>,
    ) -> Result<Built, Vec<Invalid>> {
        let service = Guardrail {
            uri: settings.address()?,
            signer: Signer::new(&settings.aws_credentials, &settings.region),
        };
        let timeout = settings.latency_mode.timeout();
        Ok(Driver::new(KIND, service, settings.common, timeout, context).built())
    }
}

// === impl Guardrail ===

#[async_trait]
impl Service for Guardrail {
    async fn judge(
        &self,
        asker: &Asker,
        pieces: &[Piece<'_>],
        phase: Phase,
    ) -> Result<Judgement, Failure> {
        let question = self.question(pieces, phase);
        let answer: Answer = asker.ask(question).await?;
        if answer.action == Action::None {
            return Ok(Judgement::Allow);
        }
        match (meaning(&answer), pieces) {
            (Meaning::Blocks(reasons), _) => Ok(Judgement::block(reasons)),
            (Meaning::Masks, _) if answer.outputs.len() == pieces.len() => {
                let outputs = answer.outputs.into_iter().zip(pieces);
                let masks = outputs
                    .map(|(output, piece)| (output.text != piece.text).then_some(output.text));
                Ok(Judgement::Mask(masks.collect()))
            }
            // Which of them was changed is only told when each is asked about alone.
            (Meaning::Masks, [_, _, ..]) if pieces.len() <= MAX_ALONE => {
                self.judge_each(asker, pieces, phase).await
            }
            (Meaning::Masks, _) => Ok(Judgement::block(["outputs"])),
        }
    }
}

impl Guardrail {
    async fn judge_each(
        &self,
        asker: &Asker,
        pieces: &[Piece<'_>],
        phase: Phase,
    ) -> Result<Judgement, Failure> {
        let mut masks = Vec::with_capacity(pieces.len());
        for piece in pieces {
            match self
                .judge(asker, std::slice::from_ref(piece), phase)
                .await?
            {
                Judgement::Allow => masks.push(None),
                Judgement::Mask(mask) => masks.extend(mask),
                block @ Judgement::Block(_) => return Ok(block),
            }
        }
        Ok(Judgement::Mask(masks))
    }

    fn question(&self, pieces: &[Piece<'_>], phase: Phase) -> Request<Bytes> {
        let content = pieces.iter().map(|piece| Block {
            text: Text { text: piece.text },
        });
        let question = Question {
            source: match phase {
                Phase::Input => "INPUT",
                Phase::Output => "OUTPUT",
            },
            content: content.collect(),
        };
        let mut question = post(&self.uri, [], &question);
        let now = Timestamp::now();
        let signed = self.signer.sign(&self.uri, question.body(), now);
        let date = HeaderName::from_static("x-amz-date");
        question.headers_mut().insert(date, signed.date);
        question
            .headers_mut()
            .insert(AUTHORIZATION, signed.authorization);
        question
    }
}

/// Whether an intervention refuses or changes. What cannot be told is refused.
fn meaning(answer: &Answer) -> Meaning {
    let (mut blocked, mut masked) = (Vec::new(), false);
    for policies in answer.assessments.iter().filter_map(Value::as_object) {
        for (policy, findings) in policies {
            let lists = findings.as_object().into_iter().flat_map(|it| it.values());
            for finding in lists.filter_map(Value::as_array).flatten() {
                match finding["action"].as_str() {
                    Some("BLOCKED") => blocked.push(policy.clone()),
                    Some("ANONYMIZED") => masked = true,
                    _ => {}
                }
            }
        }
    }
    blocked.dedup();
    match blocked.is_empty() && masked {
        true => Meaning::Masks,
        false => Meaning::Blocks(blocked),
    }
}
