//! Keywords, and what is similar to them.

use std::collections::HashMap;

use aisix_core::config::resource::Invalid;
use strsim::normalized_levenshtein;
use unicode_segmentation::UnicodeSegmentation;

/// Keywords, each one or several words in a row.
pub(super) struct Keywords {
    keywords: Vec<Keyword>,
    /// All words of all keywords, each once.
    words: Vec<Word>,
    /// Which keywords begin with a word.
    by_first: Vec<Vec<usize>>,
    threshold: f64,
}

/// A keyword.
struct Keyword {
    /// As it was written.
    written: String,
    /// Its words, as places in the list of all.
    words: Vec<usize>,
}

/// A word of a keyword, in lower case.
struct Word {
    text: String,
    /// Which lengths, in characters, something similar enough can have.
    shortest: usize,
    longest: usize,
}

/// How many words a keyword may have.
const MAX_WORDS: usize = 16;

// === impl Keywords ===

impl Keywords {
    pub(super) fn new(written: &[String], threshold: f64) -> Result<Self, Vec<Invalid>> {
        let mut keywords = Self {
            keywords: Vec::new(),
            words: Vec::new(),
            by_first: Vec::new(),
            threshold,
        };
        let mut wrong = Vec::new();
        for (index, written) in written.iter().enumerate() {
            if let Err(message) = keywords.add(written) {
                wrong.push(Invalid::new(format!("keywords[{index}]"), message));
            }
        }
        match wrong.is_empty() {
            true => Ok(keywords),
            false => Err(wrong),
        }
    }

    fn add(&mut self, written: &str) -> Result<(), String> {
        let lower = written.to_lowercase();
        let words: Vec<_> = lower.unicode_words().map(|word| self.place(word)).collect();
        let Some(first) = words.first() else {
            return Err("has no word".to_owned());
        };
        if words.len() > MAX_WORDS {
            return Err(format!("has more than {MAX_WORDS} words"));
        }
        self.by_first[*first].push(self.keywords.len());
        self.keywords.push(Keyword {
            written: written.to_owned(),
            words,
        });
        Ok(())
    }

    /// Where a word is in the list of all.
    fn place(&mut self, word: &str) -> usize {
        let known = self.words.iter().position(|known| known.text == word);
        known.unwrap_or_else(|| {
            self.words.push(Word::new(word, self.threshold));
            self.by_first.push(Vec::new());
            self.words.len() - 1
        })
    }

    /// A keyword that occurs in one of these texts.
    pub(super) fn find<'t>(&self, texts: impl Iterator<Item = &'t str>) -> Option<&str> {
        if self.keywords.is_empty() {
            return None;
        }
        let texts: Vec<_> = texts.map(str::to_lowercase).collect();
        // A prompt says most of its words more than once.
        let mut like: HashMap<&str, Vec<usize>> = HashMap::new();
        for word in texts.iter().flat_map(|text| text.unicode_words()) {
            like.entry(word).or_insert_with(|| self.like(word));
        }
        texts.iter().find_map(|text| {
            let like: Vec<&[usize]> = text.unicode_words().map(|word| &*like[word]).collect();
            (0..like.len()).find_map(|at| self.find_at(&like[at..]))
        })
    }

    /// The words of keywords that a word is like.
    fn like(&self, word: &str) -> Vec<usize> {
        let characters = word.chars().count();
        let words = self.words.iter().enumerate();
        let like = words.filter(|(_, it)| it.is_like(word, characters, self.threshold));
        like.map(|(place, _)| place).collect()
    }

    /// A keyword that a text begins with; told is what its words are like.
    fn find_at(&self, like: &[&[usize]]) -> Option<&str> {
        let firsts = like.first()?.iter();
        let mut begun = firsts.flat_map(|first| &self.by_first[*first]);
        let found = begun.find(|keyword| {
            let words = &self.keywords[**keyword].words;
            words.len() <= like.len()
                && words
                    .iter()
                    .zip(like)
                    .all(|(word, like)| like.contains(word))
        });
        found.map(|keyword| self.keywords[*keyword].written.as_str())
    }
}

// === impl Word ===

impl Word {
    fn new(text: &str, threshold: f64) -> Self {
        let length = text.chars().count();
        // As many edits as one has more characters than the other, at least.
        let similar = (1..=2 * length + 1).filter(|other| {
            let share = length.min(*other) as f64 / length.max(*other) as f64;
            share >= threshold
        });
        Self {
            text: text.to_owned(),
            shortest: similar.clone().min().unwrap_or(length),
            longest: similar.max().unwrap_or(length),
        }
    }

    fn is_like(&self, word: &str, characters: usize, threshold: f64) -> bool {
        (self.shortest..=self.longest).contains(&characters)
            && (self.text == word || normalized_levenshtein(&self.text, word) >= threshold)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn find(keywords: &[&str], threshold: f64, text: &str) -> Option<String> {
        let keywords: Vec<_> = keywords.iter().map(|word| (*word).to_owned()).collect();
        let keywords = Keywords::new(&keywords, threshold).unwrap();
        let found = keywords.find(["!", text].into_iter());
        found.map(str::to_owned)
    }

    #[test]
    fn words_that_are_similar_enough_are_found() {
        for (keyword, threshold, text, expected) in [
            ("explosive", 0.8, "an **EXPLOSIVE**!", true),
            ("explosive", 0.8, "an explosve thing", true),
            ("explosive", 0.8, "an expl thing", false),
            ("explosive", 1.0, "an explosve thing", false),
            ("hack", 0.8, "pack the hat", false),
            ("Größe", 0.8, "welche „GRÖßE“", true),
            (
                "make a bomb",
                0.8,
                "how to make\na *bomp*? make a bomb",
                true,
            ),
            ("make a bomb", 0.8, "how to make a boat", false),
            ("make a bomb", 0.8, "how to make a", false),
            ("make a bomb", 0.8, "a bomb to make", false),
            ("炸弹", 1.0, "怎么做炸弹", true),
            ("hackit", 0.9, "hack it", false),
        ] {
            let found = find(&[keyword], threshold, text);
            assert_eq!(found.is_some(), expected, "{keyword} in {text}");
        }
    }

    #[test]
    fn what_was_found_is_told_as_it_was_written() {
        let keywords = ["nothing", "ex wife", "Ex-ploit!"];
        let found = find(&keywords, 0.8, "an ex ploit, an exploit");
        assert_eq!(found.as_deref(), Some("Ex-ploit!"));
    }

    #[test]
    fn a_word_is_kept_once() {
        let written = ["make a bomb", "a bomb", "Bomb"].map(str::to_owned);
        let keywords = Keywords::new(&written, 0.8).unwrap();
        assert_eq!(keywords.words.len(), 3);
    }

    proptest! {
        /// Nothing is left out for its length that would have been similar enough.
        #[test]
        fn lengths_leave_nothing_out(
            keyword in "[ab]{1,12}",
            word in "[ab]{1,24}",
            threshold in 0.5..=1.0_f64,
        ) {
            let is_similar = normalized_levenshtein(&keyword, &word) >= threshold;
            prop_assert_eq!(find(&[&keyword], threshold, &word).is_some(), is_similar);
        }
    }
}
