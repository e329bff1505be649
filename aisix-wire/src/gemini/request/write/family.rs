//! What a model is able to do, by its name.
//!
//! The facts are those of Google's documentation in November 2026, by the name of the page: “Gemini thinking”
//! (budgets and levels), “What's new in Gemini 3.6 Flash and 3.5 Flash-Lite”, “… 3.8 Flash” (levels, and
//! what became of sampling), “Thought signatures”, “Gemini 3 Developer Guide” (media in results).
//!
//! A name without a known number, like `gemini-flash-latest`, is taken for the newest: it gets the levels
//! that all of them have, and nothing that some of them refuse.

/// The generations of models, as far as requests differ between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// Up to 2.0: these do not think.
    Thoughtless,
    /// 2.5: thinks within a budget of tokens.
    Budget {
        /// The smallest budget that is one.
        least: u64,
        /// The largest budget.
        most: u64,
        /// Whether it can be told not to think.
        can_stop: bool,
    },
    /// 3 and later, and whatever has no known number: thinks on levels, always, and wants to see its
    /// signatures again.
    Level {
        /// The lowest level.
        least: &'static str,
    },
}

// === impl Family ===

impl Family {
    pub(super) fn of(model: &str) -> Self {
        let name = model
            .rsplit('/')
            .next()
            .unwrap_or(model)
            .to_ascii_lowercase();
        let (pro, lite) = (name.contains("-pro"), name.contains("-lite"));
        let version = name.strip_prefix("gemini-").and_then(|rest| {
            let number = rest.split('-').next().unwrap_or(rest);
            let (major, minor) = number.split_once('.').unwrap_or((number, "0"));
            Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
        });
        match version {
            None if name.starts_with("gemma") => Family::Thoughtless,
            Some((2, 5..)) => Family::Budget {
                least: match (pro, lite) {
                    (true, _) => 128,
                    (_, true) => 512,
                    _ => 1,
                },
                most: if pro { 32_768 } else { 24_576 },
                can_stop: !pro,
            },
            Some((0..=2, _)) => Family::Thoughtless,
            // From 3.7 on, only the smallest ones know it.
            Some((3, 0..=6)) if !pro => Family::Level { least: "minimal" },
            Some(_) if lite => Family::Level { least: "minimal" },
            _ => Family::Level { least: "low" },
        }
    }

    /// Whether a history without thought signatures is refused.
    pub(super) fn wants_signatures(self) -> bool {
        matches!(self, Family::Level { .. })
    }

    /// Whether the result of a function may hold media.
    pub(super) fn takes_media_in_results(self) -> bool {
        matches!(self, Family::Level { .. })
    }

    /// Whether several answers and penalties for repetition can be asked for; newer models refuse both.
    pub(super) fn takes_candidates_and_penalties(self) -> bool {
        !matches!(self, Family::Level { .. })
    }
}
