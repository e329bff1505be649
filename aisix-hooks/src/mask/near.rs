//! Words that are almost the same.

use rapidfuzz::distance::levenshtein::{Args, distance_with_args};

use super::{Check, Entity};

/// How many characters may stand between two words of one keyword.
const MAX_SPACE: usize = 4;
/// A character of a word: letters and digits, and whatever is not ASCII.
const WORD: &str = r"[^\x00-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f]";
/// The edge of an ASCII word, so that letters of other scripts may stand beside a keyword.
const EDGE: &str = r"(?-u:\b)";
/// The same where a word may begin or end with a letter of another script, by mistake or not.
const BEFORE: &str = r"(?-u:\b{start-half})";
const AFTER: &str = r"(?-u:\b{end-half})";

/// A keyword with few typing mistakes.
#[derive(Clone, Debug)]
pub(crate) struct Near {
    /// In lower case, one space between words.
    keyword: String,
    /// How many characters may be wrong, missing, or too many.
    distance: usize,
}

/// The entities that a keyword is found by, in upper or lower case: itself, as a word, and what differs from it in no
/// more than `max_distance` characters, as long as the share of those that are the same is at least `similarity`.
///
/// # Errors
///
/// What is wrong with it, as a message that follows its name.
pub(crate) fn near(
    keyword: &str,
    max_distance: usize,
    similarity: f64,
) -> Result<Vec<Entity>, String> {
    let words: Vec<String> = keyword.split_whitespace().map(str::to_lowercase).collect();
    let keyword = words.join(" ");
    let length = keyword.chars().count();
    if length == 0 {
        return Err("is a text without a word".to_owned());
    }
    let space = format!(r"\s{{1,{MAX_SPACE}}}");
    let is_ascii_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let edge = |is_there: bool| if is_there { EDGE } else { "" };
    let exact: Vec<String> = words
        .iter()
        .map(|word| regex_syntax::escape(word))
        .collect();
    let exact = [
        edge(keyword.starts_with(is_ascii_word)),
        &format!("(?i:{})", exact.join(&space)),
        edge(keyword.ends_with(is_ascii_word)),
    ];
    let mut entities = vec![Entity::read(exact.concat(), Check::None)?];
    let is_similar = |distance: &usize| 1.0 - *distance as f64 / length as f64 >= similarity;
    if let Some(distance) = (1..=max_distance).take_while(is_similar).last() {
        let word = |word: &String| format!("{WORD}{{1,{}}}", word.chars().count() + distance);
        let words: Vec<String> = words.iter().map(word).collect();
        let words = format!("{BEFORE}{}{AFTER}", words.join(&space));
        let check = Check::Near(Near { keyword, distance });
        entities.push(Entity::read(words, check)?);
    }
    Ok(entities)
}

// === impl Near ===

impl Near {
    pub(super) fn accepts(&self, text: &str) -> bool {
        let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
        let words = words.join(" ");
        let differ = words.chars().count().abs_diff(self.keyword.chars().count());
        // No more than what may differ is compared, so that a long keyword takes time linear in its length.
        let most = Args::default().score_cutoff(self.distance);
        differ <= self.distance
            && distance_with_args(words.chars(), self.keyword.chars(), &most).is_some()
    }
}
