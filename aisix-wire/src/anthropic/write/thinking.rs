//! How much to think.

use super::turns::Plan;
use crate::anthropic::models::{Generation, Off};
use crate::chat::{
    Effort, Losses, Member, Reasoning, ReasoningMode, Request, ToolChoice, WriteOptions,
};
use crate::json::Writer;
use crate::{Dialect, Invalid};

/// The smallest budget that the dialect accepts.
const SMALLEST: u64 = 1024;

/// How the model is told to think, and how long the answer may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Thinking {
    mode: ReasoningMode,
    /// The word for [`ReasoningMode::Off`].
    off: &'static str,
    effort: Option<&'static str>,
    own_effort: Option<String>,
    visible: Option<bool>,
    /// The output limit, in which thinking is counted.
    pub(super) max_tokens: u64,
}

// === impl Thinking ===

impl Thinking {
    /// Finds the words for what the caller asked for.
    ///
    /// What an effort or a foreign budget stands for depends on the generation of the model: an effort, or
    /// a budget with the output limit raised by it where it would not fit.
    ///
    /// # Errors
    /// A budget of this dialect that does not fit below `max_tokens`; thinking that the rest of the
    /// request rules out, as `losses` decides.
    pub(super) fn new(
        request: &Request,
        options: &WriteOptions<'_>,
        plan: &Plan<'_>,
        losses: &mut Losses,
    ) -> Result<Self, Invalid> {
        let limit = request.output_limit.map(|limit| limit.tokens);
        let mut thinking = Thinking {
            mode: ReasoningMode::Unsaid,
            off: "disabled",
            effort: None,
            own_effort: None,
            visible: None,
            max_tokens: limit.unwrap_or(options.default_output_limit),
        };
        let Some(reasoning) = &request.reasoning else {
            return Ok(thinking);
        };
        let generation = Generation::of(options.model);
        if request.dialect == Dialect::Anthropic {
            thinking.mode = reasoning.mode;
            thinking.own_effort = reasoning.effort.as_ref().map(|e| e.as_str().to_owned());
            thinking.visible = reasoning.visible;
            if let Off::Word(word) = generation.off() {
                thinking.off = word;
            }
            thinking.check()?;
        } else {
            thinking.translate(reasoning, generation);
            if thinking.mode == ReasoningMode::Off && !thinking.stop(generation) {
                losses.hint(request.member(Member::Reasoning))?;
            }
        }
        let choice = request.tool_choice.as_ref();
        let forced = generation.takes_force() && choice.is_some_and(ToolChoice::forces);
        let budget = matches!(thinking.mode, ReasoningMode::Budget(_));
        let ruled_out = forced || budget && plan.lacks_thinking() || !generation.thinks();
        if thinking.thinks() && ruled_out {
            losses.hint(request.member(Member::Reasoning))?;
            thinking.mode = ReasoningMode::Unsaid;
            thinking.max_tokens = limit.unwrap_or(options.default_output_limit);
        }
        Ok(thinking)
    }

    /// Whether the model is to think, which rules out other settings.
    pub(super) fn thinks(&self) -> bool {
        matches!(
            self.mode,
            ReasoningMode::Adaptive | ReasoningMode::Budget(_)
        )
    }

    /// The word for how hard.
    pub(super) fn effort(&self) -> Option<&str> {
        self.own_effort.as_deref().or(self.effort)
    }

    /// Writes `thinking`, if there is something to say.
    pub(super) fn write(&self, w: &mut Writer<'_>, more: &[(&str, &str)]) {
        let (kind, budget) = match self.mode {
            ReasoningMode::Unsaid => return,
            ReasoningMode::Off => (self.off, None),
            ReasoningMode::Adaptive => ("adaptive", None),
            ReasoningMode::Budget(tokens) => ("enabled", Some(tokens)),
        };
        w.name("thinking").object(|w| {
            w.name("type").string(kind);
            w.maybe_number("budget_tokens", budget);
            if let Some(visible) = self.visible.filter(|_| self.thinks()) {
                let display = if visible { "summarized" } else { "omitted" };
                w.name("display").string(display);
            }
            for (name, value) in more {
                w.name(name).raw(value);
            }
        });
    }

    fn check(&self) -> Result<(), Invalid> {
        let ReasoningMode::Budget(tokens) = self.mode else {
            return Ok(());
        };
        let wrong = if tokens < SMALLEST {
            "\"thinking.budget_tokens\" must be at least 1024"
        } else if tokens >= self.max_tokens {
            "\"thinking.budget_tokens\" must be less than \"max_tokens\""
        } else {
            return Ok(());
        };
        Err(Invalid::new("thinking.budget_tokens", wrong.to_owned()))
    }

    /// Finds the words for not thinking; false when the model always thinks, and is told to do little of it.
    fn stop(&mut self, generation: Generation) -> bool {
        match generation.off() {
            _ if !generation.thinks() => self.mode = ReasoningMode::Unsaid,
            Off::Word(word) => self.off = word,
            Off::Never => {
                self.mode = ReasoningMode::Unsaid;
                self.effort = Some("low");
                return false;
            }
        }
        true
    }

    fn translate(&mut self, reasoning: &Reasoning, generation: Generation) {
        let effort = match (&reasoning.effort, reasoning.mode) {
            (_, ReasoningMode::Off) => {
                self.mode = ReasoningMode::Off;
                return;
            }
            (Some(effort), _) => effort.clone(),
            (None, ReasoningMode::Budget(tokens)) => Effort::of_budget(tokens),
            (None, ReasoningMode::Adaptive) => Effort::Medium,
            (None, ReasoningMode::Unsaid) => return,
        };
        let said = reasoning.effort.is_some() || !matches!(reasoning.mode, ReasoningMode::Adaptive);
        if generation.thinks_adaptively() {
            self.mode = ReasoningMode::Adaptive;
            self.visible = reasoning.visible;
            self.effort = said.then(|| word(&effort, generation)).flatten();
            return;
        }
        let tokens = match reasoning.mode {
            ReasoningMode::Budget(tokens) => tokens.max(SMALLEST),
            _ => effort.budget(),
        };
        self.mode = ReasoningMode::Budget(tokens);
        if tokens >= self.max_tokens {
            self.max_tokens = self.max_tokens.saturating_add(tokens);
        }
    }
}

/// The dialect's word for an effort; `None` leaves it to the model.
fn word(effort: &Effort, generation: Generation) -> Option<&'static str> {
    match effort {
        Effort::Minimal | Effort::Low => Some("low"),
        Effort::Medium => Some("medium"),
        Effort::High => Some("high"),
        Effort::ExtraHigh if generation.knows_extra_high() => Some("xhigh"),
        Effort::ExtraHigh => Some("high"),
        Effort::Max => Some("max"),
        Effort::Other(_) => None,
    }
}
