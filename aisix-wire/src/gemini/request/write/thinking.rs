//! `thinkingConfig`: a budget or a level, never both.

use super::Scene;
use super::family::Family;
use crate::Invalid;
use crate::chat::{Effort, Member, Reasoning, ReasoningMode};
use crate::json::Writer;

/// How much to think, in the words of a model.
enum Amount {
    Budget(i64),
    Level(&'static str),
}

/// Writes how much to think; what the model cannot be told is a hint.
pub(super) fn write(w: &mut Writer<'_>, scene: &mut Scene<'_>) -> Result<(), Invalid> {
    let Some(reasoning) = &scene.request.reasoning else {
        return Ok(());
    };
    let amount = match scene.family {
        Family::Thoughtless => {
            let asked = reasoning.effort.is_some() || reasoning.mode != ReasoningMode::Unsaid;
            if asked && reasoning.mode != ReasoningMode::Off {
                scene.losses.hint(scene.request.member(Member::Reasoning))?;
            }
            return Ok(());
        }
        Family::Budget {
            least,
            most,
            can_stop,
        } => {
            if reasoning.mode == ReasoningMode::Off && !can_stop {
                scene.losses.hint(scene.request.member(Member::Reasoning))?;
            }
            budget(reasoning, least, most, can_stop)
        }
        Family::Level { least } => {
            let unknown = matches!(reasoning.effort, Some(Effort::Other(_)));
            if reasoning.mode == ReasoningMode::Off || unknown {
                scene.losses.hint(scene.request.member(Member::Reasoning))?;
            }
            level(reasoning, least).map(Amount::Level)
        }
    };
    // Who asks for thinking in Anthropic's words, expects to see it.
    let asked = matches!(
        reasoning.mode,
        ReasoningMode::Budget(_) | ReasoningMode::Adaptive
    );
    let implied = (asked && !scene.own()).then_some(true);
    let visible = reasoning.visible.or(implied);
    if amount.is_none() && visible.is_none() {
        return Ok(());
    }
    w.name("thinkingConfig").object(|w| {
        match amount {
            Some(Amount::Budget(tokens)) => w.name("thinkingBudget").raw(&tokens.to_string()),
            Some(Amount::Level(level)) => w.name("thinkingLevel").string(level),
            None => {}
        }
        w.maybe_bool("includeThoughts", visible);
    });
    Ok(())
}

fn budget(reasoning: &Reasoning, least: u64, most: u64, can_stop: bool) -> Option<Amount> {
    let within = |tokens: u64| i64::try_from(tokens.clamp(least, most)).unwrap_or(i64::MAX);
    let tokens = match (reasoning.mode, &reasoning.effort) {
        (ReasoningMode::Off, _) if can_stop => 0,
        (ReasoningMode::Off, _) => within(least),
        (ReasoningMode::Budget(tokens), _) => within(tokens),
        (_, Some(effort)) => within(effort.budget()),
        (ReasoningMode::Adaptive, None) => -1,
        (ReasoningMode::Unsaid, None) => return None,
    };
    Some(Amount::Budget(tokens))
}

fn level(reasoning: &Reasoning, least: &'static str) -> Option<&'static str> {
    let effort = match (reasoning.mode, &reasoning.effort) {
        (ReasoningMode::Off, _) => return Some(least),
        (_, Some(effort)) => effort.clone(),
        (ReasoningMode::Budget(tokens), None) => Effort::of_budget(tokens),
        _ => return None,
    };
    match effort {
        Effort::Minimal => Some(least),
        Effort::Low => Some("low"),
        Effort::Medium => Some("medium"),
        Effort::High | Effort::ExtraHigh | Effort::Max => Some("high"),
        Effort::Other(_) => None,
    }
}
