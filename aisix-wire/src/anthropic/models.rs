//! What generations of models accept.
//!
//! Told from the name alone, since the dialect has no other way to ask. A name that tells nothing is taken
//! for a model that accepts what most servers of the dialect do: thinking within a budget, sampling,
//! schemas, forced tools.
//!
//! The facts are those of Anthropic's documentation in November 2026, by the name of the page:
//!
//! | what | page |
//! | --- | --- |
//! | which kind of thinking, and whether it can be switched off | “Troubleshooting thinking”, “What's new in Claude Opus 5.5”, “… Sonnet 5.5”, “… Haiku 5.5” |
//! | words for effort | “Effort” |
//! | sampling | “Migration guide”, from Opus 4.7 on |
//! | forced tools | “What's new in Claude Fable 5.1”, “… Opus 5.5”, “… Sonnet 5.5” |
//! | schemas | “Structured outputs” |

/// The generation of a model, like 4.5, and its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Generation {
    number: Option<(u32, u32)>,
    line: Line,
}

/// The lines of models, as far as they differ within a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Sonnet,
    Opus,
    /// Mythos and Fable, which think before all they say.
    Mythos,
    Other,
}

/// How a model is told not to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Off {
    /// Not at all: it always thinks.
    Never,
    /// With this word.
    Word(&'static str),
}

/// Whether the model of this name takes a temperature.
pub(crate) fn takes_temperature(model: &str) -> bool {
    Generation::of(model).takes_sampling()
}

// === impl Generation ===

impl Generation {
    /// Reads it from a name like `claude-sonnet-4-5-20250929`, `claude-3-7-sonnet-latest` or
    /// `us.anthropic.claude-opus-4-1-20250805-v1:0`.
    pub(super) fn of(model: &str) -> Self {
        let Some((_, name)) = model.split_once("claude-") else {
            return Self::unknown();
        };
        let mut words = name.split(['-', '@', ':', '.']);
        // Longer numbers are dates.
        let number = |word: &str| (word.len() <= 2).then(|| word.parse().ok()).flatten();
        let major = words.by_ref().take(2).find_map(number);
        let minor = words.next().and_then(number);
        let line = Line::of(name);
        // Mythos Preview has no number, and is between 4.6 and 4.7.
        let unnumbered = (line == Line::Mythos).then_some((4, 6));
        Self {
            number: major
                .map(|major| (major, minor.unwrap_or(0)))
                .or(unnumbered),
            line,
        }
    }

    /// Whether the model decides by itself how long to think, and is told how hard instead of how long.
    pub(super) fn thinks_adaptively(self) -> bool {
        self.number >= Some((4, 6))
    }

    /// Whether the model can think at all.
    pub(super) fn thinks(self) -> bool {
        self.number.is_none_or(|number| number >= (3, 7))
    }

    /// How the model is told not to think.
    pub(super) fn off(self) -> Off {
        let newest = self.number >= Some((5, 5));
        match self.line {
            Line::Mythos => Off::Never,
            Line::Opus if newest => Off::Never,
            Line::Sonnet if newest => Off::Word("between_tools"),
            _ => Off::Word("disabled"),
        }
    }

    /// Whether the model knows the effort `xhigh`; older ones know `max`, but nothing between that and `high`.
    pub(super) fn knows_extra_high(self) -> bool {
        self.number >= Some((4, 7))
    }

    /// Whether the model takes `temperature`, `top_p` and `top_k`.
    pub(super) fn takes_sampling(self) -> bool {
        self.line != Line::Mythos && self.number.is_none_or(|number| number < (4, 7))
    }

    /// Whether the model can be forced to call a tool.
    pub(super) fn takes_force(self) -> bool {
        match self.line {
            Line::Mythos => self.number < Some((5, 1)),
            Line::Opus | Line::Sonnet => self.number < Some((5, 5)),
            Line::Other => true,
        }
    }

    /// Whether the model can be held to a JSON schema.
    pub(super) fn takes_schemas(self) -> bool {
        self.number.is_none_or(|number| number >= (4, 1))
    }

    fn unknown() -> Self {
        Self {
            number: None,
            line: Line::Other,
        }
    }
}

// === impl Line ===

impl Line {
    fn of(name: &str) -> Self {
        let is = |line| name.split(['-', '@', ':', '.']).any(|word| word == line);
        match () {
            () if is("mythos") || is("fable") => Line::Mythos,
            () if is("opus") => Line::Opus,
            () if is("sonnet") => Line::Sonnet,
            () => Line::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_are_read_from_names_of_every_fashion() {
        for (name, number, line) in [
            ("claude-sonnet-4-5-20250929", Some((4, 5)), Line::Sonnet),
            ("claude-3-7-sonnet-latest", Some((3, 7)), Line::Sonnet),
            (
                "us.anthropic.claude-opus-4-1-20250805-v1:0",
                Some((4, 1)),
                Line::Opus,
            ),
            ("claude-sonnet-4-20250514", Some((4, 0)), Line::Sonnet),
            ("claude-sonnet-4@20250514", Some((4, 0)), Line::Sonnet),
            ("anthropic/claude-4.7-opus", Some((4, 7)), Line::Opus),
            ("claude-opus-5", Some((5, 0)), Line::Opus),
            ("claude-fable-5-1", Some((5, 1)), Line::Mythos),
            ("claude-mythos-preview", Some((4, 6)), Line::Mythos),
            ("claude-haiku-5-5", Some((5, 5)), Line::Other),
            ("claude-2.1", Some((2, 1)), Line::Other),
            ("claude-instant", None, Line::Other),
            ("claude-", None, Line::Other),
            ("deepseek-chat", None, Line::Other),
            ("", None, Line::Other),
        ] {
            assert_eq!(Generation::of(name), Generation { number, line }, "{name}");
        }
    }

    #[test]
    fn generations_differ_as_their_pages_say() {
        // Adaptive, how it is switched off, `xhigh`, sampling, force.
        let facts = |name| {
            let g = Generation::of(name);
            (
                g.thinks_adaptively(),
                g.off(),
                g.knows_extra_high(),
                g.takes_sampling(),
                g.takes_force(),
            )
        };
        let disabled = Off::Word("disabled");
        for (name, expected) in [
            ("some-server", (false, disabled, false, true, true)),
            ("claude-haiku-4-5", (false, disabled, false, true, true)),
            ("claude-opus-4-5", (false, disabled, false, true, true)),
            ("claude-sonnet-4-6", (true, disabled, false, true, true)),
            ("claude-opus-4-7", (true, disabled, true, false, true)),
            (
                "claude-mythos-preview",
                (true, Off::Never, false, false, true),
            ),
            ("claude-opus-5", (true, disabled, true, false, true)),
            ("claude-sonnet-5", (true, disabled, true, false, true)),
            ("claude-fable-5", (true, Off::Never, true, false, true)),
            ("claude-fable-5-1", (true, Off::Never, true, false, false)),
            ("claude-opus-5-5", (true, Off::Never, true, false, false)),
            (
                "claude-sonnet-5-5",
                (true, Off::Word("between_tools"), true, false, false),
            ),
            ("claude-haiku-5-5", (true, disabled, true, false, true)),
        ] {
            assert_eq!(facts(name), expected, "{name}");
        }
    }
}
