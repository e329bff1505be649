//! Patterns with one `*`.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer};

/// A pattern with at most one `*`, which stands for any text, also for none.
///
/// Without a `*` it matches exactly itself. A text with several `*` is no pattern: it matches only
/// itself too, so that a mistake never allows more than was meant.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Glob {
    text: Arc<str>,
    star: Option<usize>,
}

// === impl Glob ===

impl Glob {
    /// Reads a pattern. Every text is one.
    pub fn new(text: &str) -> Self {
        let star = text
            .find('*')
            .filter(|&first| text.rfind('*') == Some(first));
        Self {
            text: text.into(),
            star,
        }
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the pattern has a `*`.
    pub fn is_wildcard(&self) -> bool {
        self.star.is_some()
    }

    /// Whether the pattern matches the whole text. Case matters.
    pub fn matches(&self, text: &str) -> bool {
        match self.star {
            Some(_) => self.capture(text).is_some(),
            None => *self.text == *text,
        }
    }

    /// What the `*` stands for in a text that matches; `None` without a match or without a `*`.
    pub fn capture<'t>(&self, text: &'t str) -> Option<&'t str> {
        let star = self.star?;
        text.strip_prefix(&self.text[..star])?
            .strip_suffix(&self.text[star + 1..])
    }

    /// The length of the pattern without its `*`, in bytes: the longer, the more specific.
    pub fn literal_len(&self) -> usize {
        self.text.len() - usize::from(self.is_wildcard())
    }
}

impl From<&str> for Glob {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Glob {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl<'de> Deserialize<'de> for Glob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::Glob;

    #[test]
    fn a_pattern_without_a_star_matches_only_itself() {
        assert!(Glob::new("gpt-4o").matches("gpt-4o"));
        assert!(!Glob::new("gpt-4o").matches("gpt-4o-mini"));
        assert_eq!(Glob::new("gpt-4o").capture("gpt-4o"), None);
    }

    #[test]
    fn the_star_stands_for_any_text() {
        let glob = Glob::new("gpt-*-mini");
        assert_eq!(glob.capture("gpt-4o-mini"), Some("4o"));
        assert_eq!(glob.capture("gpt--mini"), Some(""));
        assert_eq!(glob.literal_len(), 9);
        assert!(Glob::new("*").matches(""));
    }

    #[test]
    fn prefix_and_suffix_do_not_share_characters() {
        assert!(!Glob::new("aba*aba").matches("aba"));
        assert!(!Glob::new("ab*ba").matches("aba"));
        assert!(Glob::new("ab*ba").matches("abba"));
    }

    #[test]
    fn several_stars_match_only_literally() {
        assert!(!Glob::new("*gpt*").matches("a-gpt-b"));
        assert!(Glob::new("*gpt*").matches("*gpt*"));
    }
}
