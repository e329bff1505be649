//! `presidio`: asks Microsoft Presidio where personal data is, and has it taken out.
//!
//! The formats are those of <https://microsoft.github.io/presidio/api-docs/api-docs.html>.

mod batch;
mod settings;

use aisix_core::{
    config::resource::{Invalid, Stage},
    hook::{Built, Context, PluginFactory, Stages},
    observe::Phase,
};
use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use http::Uri;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::batch::{Batch, Finding, batches, is_faithful};
pub use self::settings::{PresidioAction, PresidioEntity, PresidioOperator, PresidioSettings};

use super::{
    ask::{AT_ONCE, Asker, post},
    driver::Driver,
    service::{Failure, Judgement, Piece, Service},
    settings::{address, millis},
};

/// Its name, and the kind of guardrails that it serves.
const KIND: &str = "presidio";

/// Takes personal data out of requests and answers, or refuses them, by the kind of data.
///
/// The analyzer is sent every text of the request and of the answer, several of them at once, the anonymizer those in
/// which something was found that is to be taken out; neither is sent anything else. It stands behind hooks that cost less, and
/// before those that should not see what it takes out.
#[derive(Clone, Copy, Debug)]
pub struct Presidio;

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

#[derive(Serialize)]
struct Anonymize<'a> {
    text: &'a str,
    analyzer_results: Vec<Finding>,
    anonymizers: Value,
}

#[derive(Deserialize)]
struct Anonymized {
    text: String,
}

/// What becomes of the texts of a batch.
enum Verdict {
    Blocks(Vec<String>),
    Become(Vec<Option<String>>),
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
        let mut judging = Vec::new();
        for batch in batches(pieces) {
            judging.push(self.verdict(asker, batch));
        }
        let verdicts = stream::iter(judging).buffered(AT_ONCE);
        let verdicts: Vec<Verdict> = verdicts.try_collect().await?;
        let mut masks = Vec::with_capacity(pieces.len());
        for verdict in verdicts {
            match verdict {
                Verdict::Become(texts) => masks.extend(texts),
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
    async fn verdict(&self, asker: &Asker, texts: Vec<&str>) -> Result<Verdict, Failure> {
        let settings = &self.settings;
        let batch = Batch::of(&texts);
        let question = Analyze {
            text: batch.text(),
            language: &settings.language,
            entities: settings
                .entities
                .iter()
                .map(|it| it.kind.as_str())
                .collect(),
            score_threshold: settings.score_threshold,
        };
        let mut found: Vec<Finding> = asker.ask(post(&self.analyze, [], &question)).await?;
        let threshold = settings.score_threshold.unwrap_or(f64::MIN);
        found.retain(|found| found.score >= threshold && settings.wants(&found.entity_type));
        let blocks =
            |found: &&Finding| settings.action(&found.entity_type) == PresidioAction::Block;
        let blocked = found.iter().filter(blocks);
        let blocked: Vec<_> = blocked.map(|found| found.entity_type.clone()).collect();
        if !blocked.is_empty() {
            return Ok(Verdict::Blocks(blocked));
        }
        let found = batch.divide(found).ok_or(Failure::Unreadable)?;
        self.anonymized(asker, &texts, &found).await
    }

    /// The texts without what was found in each. The anonymizer is not sent the others.
    async fn anonymized(
        &self,
        asker: &Asker,
        texts: &[&str],
        found: &[Vec<Finding>],
    ) -> Result<Verdict, Failure> {
        let mut masks = vec![None; texts.len()];
        let concerned = found.iter().zip(texts).enumerate();
        let concerned = concerned.filter(|(_, (found, _))| !found.is_empty());
        let (indexes, (found, texts)): (Vec<_>, (Vec<_>, Vec<_>)) = concerned.unzip();
        if texts.is_empty() {
            return Ok(Verdict::Become(masks));
        }
        let batch = Batch::of(&texts);
        let question = Anonymize {
            text: batch.text(),
            analyzer_results: batch.unite(&found),
            anonymizers: json!({"DEFAULT": self.settings.operator.told()}),
        };
        let answer = asker.ask(post(&self.anonymize, [], &question)).await?;
        let Anonymized { text } = answer;
        let parts = batch.split(&text).ok_or(Failure::Unreadable)?;
        for (index, ((old, new), found)) in indexes.iter().zip(texts.iter().zip(parts).zip(found)) {
            if !is_faithful(old, new, found) {
                return Err(Failure::Unreadable);
            }
            masks[*index] = Some(new.to_owned());
        }
        Ok(Verdict::Become(masks))
    }
}
