//! Models that ask several others.

use std::{sync::Arc, time::Duration};

use aisix_wire::chat::Draw;
use serde_json::json;

use super::Compiler;
use crate::{
    config::resource,
    models::{Ensemble, Member, Model, Voice},
};

/// The temperature at which a judge makes one answer of several.
const JUDGE_TEMPERATURE: f64 = 0.2;

impl Compiler {
    /// A panel and its judge. Those that do not exist, or are groups themselves, are left out.
    pub(super) fn ensemble(
        ensemble: &resource::Ensemble,
        find: &dyn Fn(&str) -> Option<Arc<Model>>,
    ) -> Ensemble {
        let voice = |name: &str, draw| {
            let member = Member::of(&find(name)?, name)?;
            let name = name.into();
            Some(Voice { name, member, draw })
        };
        let panel = ensemble.panel.iter().filter_map(|asked| {
            let draw = Draw {
                temperature: asked.temperature,
                seed: asked.seed,
            };
            voice(&asked.model, draw)
        });
        let sober = Draw {
            temperature: Some(JUDGE_TEMPERATURE),
            seed: None,
        };
        let judge = &ensemble.judge;
        let prompt = judge
            .synthesis_prompt
            .as_deref()
            .unwrap_or(Ensemble::PROMPT);
        let least = ensemble.min_responses.map(|least| least.get() as usize);
        let least = least.unwrap_or_else(|| ensemble.panel.len().min(2));
        let timeout = ensemble.timeout_ms.filter(|millis| *millis > 0);
        Ensemble {
            panel: panel.collect(),
            judge: voice(&judge.model, sober),
            prompt: prompt.into(),
            least,
            timeout: timeout.map(Duration::from_millis),
            recipe: recipe(ensemble, prompt, least),
        }
    }
}

/// What is asked how, in one text.
fn recipe(ensemble: &resource::Ensemble, prompt: &str, least: usize) -> Box<str> {
    let panel = ensemble.panel.iter();
    let panel: Vec<_> = panel
        .map(|asked| json!([asked.model, asked.temperature, asked.seed]))
        .collect();
    let recipe = json!([
        panel,
        ensemble.judge.model,
        prompt,
        least,
        JUDGE_TEMPERATURE
    ]);
    recipe.to_string().into()
}
