//! Several texts as one, so that many short ones are not as many questions.

use std::{mem, ops::Range};

use serde::{Deserialize, Serialize};

use crate::guard::remote::service::Piece;

/// How long a text is that is made of several, in characters.
const MAX_JOINED: usize = 10_000;
/// What stands between texts: it ends words and sentences, and no text that is joined has its middle.
const BETWEEN: &str = "\n\u{1e}\n";
const MIDDLE: char = '\u{1e}';

/// What was found in a text: offsets are characters.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Finding {
    pub(super) entity_type: String,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) score: f64,
}

/// Several texts as one.
pub(super) struct Batch {
    text: String,
    /// Where each text stands in it, in characters.
    places: Vec<Range<usize>>,
}

/// Texts that are joined. Long ones, and those with the character that stands between texts, are alone.
pub(super) fn batches<'a>(pieces: &[Piece<'a>]) -> impl Iterator<Item = Vec<&'a str>> {
    let (mut batches, mut batch, mut length) = (Vec::new(), Vec::new(), 0);
    for piece in pieces {
        let is_alone = piece.text.contains(MIDDLE);
        let added = piece.text.chars().count() + BETWEEN.len();
        if is_alone || length + added > MAX_JOINED {
            batches.push(mem::take(&mut batch));
            length = 0;
        }
        batch.push(piece.text);
        length += added;
        if is_alone {
            batches.push(mem::take(&mut batch));
            length = 0;
        }
    }
    batches.push(batch);
    batches.into_iter().filter(|batch| !batch.is_empty())
}

/// Whether a text is as it was before the first and after the last finding.
pub(super) fn is_faithful(old: &str, new: &str, found: &[Finding]) -> bool {
    let first = found.iter().map(|found| found.start).min();
    let last = found.iter().map(|found| found.end).max();
    let at = |character: Option<usize>| {
        let mut bounds = old.char_indices().map(|(at, _)| at);
        character.and_then(|it| bounds.nth(it)).unwrap_or(old.len())
    };
    let (before, after) = (&old[..at(first)], &old[at(last)..]);
    new.len() >= before.len() + after.len() && new.starts_with(before) && new.ends_with(after)
}

// === impl Batch ===

impl Batch {
    pub(super) fn of(texts: &[&str]) -> Self {
        let mut end = 0;
        let places = texts.iter().map(|text| {
            let start = end;
            let length = text.chars().count();
            end = start + length + BETWEEN.len();
            start..start + length
        });
        Self {
            places: places.collect(),
            text: texts.join(BETWEEN),
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What was found in each text; `None` when something is in none. What reaches into the next text is two.
    pub(super) fn divide(&self, found: Vec<Finding>) -> Option<Vec<Vec<Finding>>> {
        let length = self.places.last()?.end;
        let fits = |found: &Finding| found.start < found.end && found.end <= length;
        if !found.iter().all(fits) {
            return None;
        }
        let mut divided = vec![Vec::new(); self.places.len()];
        for found in found {
            let first = self.places.partition_point(|it| it.end <= found.start);
            let places = self.places.iter().enumerate().skip(first);
            for (index, place) in places.take_while(|(_, it)| it.start < found.end) {
                divided[index].push(Finding {
                    start: found.start.max(place.start) - place.start,
                    end: found.end.min(place.end) - place.start,
                    ..found.clone()
                });
            }
        }
        Some(divided)
    }

    /// What was found in all of them, from what was found in each.
    pub(super) fn unite(&self, found: &[&Vec<Finding>]) -> Vec<Finding> {
        let found = self.places.iter().zip(found);
        let found = found.flat_map(|(place, found)| {
            found.iter().map(|found| Finding {
                start: found.start + place.start,
                end: found.end + place.start,
                ..found.clone()
            })
        });
        found.collect()
    }

    /// The texts that this one was made of; `None` when it is not as many.
    pub(super) fn split<'t>(&self, text: &'t str) -> Option<Vec<&'t str>> {
        let parts: Vec<_> = match self.places.len() {
            1 => vec![text],
            _ => text.split(BETWEEN).collect(),
        };
        (parts.len() == self.places.len()).then_some(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Speaker;

    fn batched(texts: &[&str]) -> Vec<usize> {
        let speaker = Speaker::User;
        let pieces = texts.iter().map(|text| Piece { text, speaker });
        let pieces: Vec<_> = pieces.collect();
        batches(&pieces).map(|batch| batch.len()).collect()
    }

    fn finding(start: usize, end: usize) -> Finding {
        Finding {
            entity_type: "E".to_owned(),
            start,
            end,
            score: 1.0,
        }
    }

    fn places(found: &[Finding]) -> Vec<(usize, usize)> {
        found.iter().map(|found| (found.start, found.end)).collect()
    }

    #[test]
    fn short_texts_are_joined_and_some_are_alone() {
        let long = "ä".repeat(9_995);
        assert_eq!(batched(&["a", "b", "c"]), [3]);
        assert_eq!(batched(&["a", &long, "b"]), [1, 1, 1]);
        assert_eq!(batched(&["a", "b\u{1e}", "c", "d"]), [1, 1, 2]);
        assert_eq!(batched(&[&long]), [1]);
    }

    #[test]
    fn findings_are_those_of_the_text_they_are_in() {
        let batch = Batch::of(&["äb", "cd", "e"]);
        assert_eq!(batch.text(), "äb\n\u{1e}\ncd\n\u{1e}\ne");
        let found = vec![finding(1, 2), finding(1, 7), finding(10, 11), finding(2, 5)];
        let divided = batch.divide(found).unwrap();
        let divided: Vec<_> = divided.iter().map(|found| places(found)).collect();
        assert_eq!(divided, [vec![(1, 2), (1, 2)], vec![(0, 2)], vec![(0, 1)]]);
        for (start, end) in [(0, 12), (3, 3), (5, 4)] {
            assert!(
                batch.divide(vec![finding(start, end)]).is_none(),
                "{start}..{end}"
            );
        }
        let (first, last) = (vec![finding(1, 2)], vec![finding(0, 1)]);
        let united = batch.unite(&[&first, &vec![], &last]);
        assert_eq!(places(&united), [(1, 2), (10, 11)]);
    }
}
