//! What generations of models accept.
//!
//! Told from the name alone, since the dialect has no other way to ask. A name that tells nothing is taken
//! for a model that accepts what most servers of the dialect do.

/// The generation of a model, like 4.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Generation(Option<(u32, u32)>);

// === impl Generation ===

impl Generation {
    /// Reads it from a name like `claude-sonnet-4-5-20250929`, `claude-3-7-sonnet-latest` or
    /// `us.anthropic.claude-opus-4-1-20250805-v1:0`.
    pub(super) fn of(model: &str) -> Self {
        let Some((_, name)) = model.split_once("claude-") else {
            return Self(None);
        };
        let mut words = name.split(['-', '@', ':', '.']);
        // Longer numbers are dates.
        let number = |word: &str| (word.len() <= 2).then(|| word.parse().ok()).flatten();
        let major = words.by_ref().take(2).find_map(number);
        let minor = words.next().and_then(number);
        Self(major.map(|major| (major, minor.unwrap_or(0))))
    }

    /// Whether the model decides by itself how long to think, and is told how hard instead of how long.
    pub(super) fn thinks_adaptively(self) -> bool {
        self.0 >= Some((4, 6))
    }

    /// Whether the model can think at all.
    pub(super) fn thinks(self) -> bool {
        self.0.is_none_or(|generation| generation >= (3, 7))
    }

    /// Whether the model takes `temperature`, `top_p` and `top_k`.
    pub(super) fn takes_sampling(self) -> bool {
        self.0.is_none_or(|generation| generation < (4, 7))
    }

    /// Whether the model can be held to a JSON schema.
    pub(super) fn takes_schemas(self) -> bool {
        self.0.is_none_or(|generation| generation >= (4, 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_are_read_from_names_of_every_fashion() {
        for (name, generation) in [
            ("claude-sonnet-4-5-20250929", Some((4, 5))),
            ("claude-3-7-sonnet-latest", Some((3, 7))),
            ("us.anthropic.claude-opus-4-1-20250805-v1:0", Some((4, 1))),
            ("claude-sonnet-4-20250514", Some((4, 0))),
            ("claude-sonnet-4@20250514", Some((4, 0))),
            ("claude-opus-5", Some((5, 0))),
            ("claude-2.1", Some((2, 1))),
            ("claude-instant", None),
            ("claude-", None),
            ("deepseek-chat", None),
            ("", None),
        ] {
            assert_eq!(Generation::of(name), Generation(generation), "{name}");
        }
    }
}
