//! What a text repeats of the one that it goes on with.

/// How much of the text before may be repeated, in bytes.
const MAX: usize = 4 * 1024;
/// How much has to be the same to count as repeated, in bytes: a word may well follow itself.
const MIN: usize = 12;

/// Finds out what the beginning of a text repeats of the end of the one before, and holds it back meanwhile.
pub(super) struct Overlap {
    /// The end of the text before.
    before: String,
    /// The length of that without the white space at its end, which the next one is not given.
    given: usize,
    held: String,
}

// === impl Overlap ===

impl Overlap {
    pub(super) fn new(before: &str) -> Self {
        let start = before.len().saturating_sub(MAX);
        let start = (start..).find(|at| before.is_char_boundary(*at));
        let before = &before[start.unwrap_or_default()..];
        Self {
            before: before.to_owned(),
            given: before.trim_end().len(),
            held: String::new(),
        }
    }

    /// Takes a piece; what is new of all so far when that is certain.
    pub(super) fn push(&mut self, piece: &str) -> Option<String> {
        self.held.push_str(piece);
        let may_be_longer =
            |rest: &str| rest.len() > self.held.len() && rest.starts_with(&self.held);
        let is_open = self.ends().any(may_be_longer) || may_be_longer(&self.before[self.given..]);
        (!is_open).then(|| self.new_of_held())
    }

    /// Whether anything has come.
    pub(super) fn has_begun(&self) -> bool {
        !self.held.is_empty()
    }

    /// What is new when nothing more comes.
    pub(super) fn settle(self) -> String {
        self.new_of_held()
    }

    fn new_of_held(&self) -> String {
        let held = &self.held;
        let repeated = self.ends().find(|end| held.starts_with(end));
        let repeated = repeated.map(str::len).unwrap_or_else(|| {
            let space = self.before[self.given..].chars();
            let same = held.chars().zip(space).take_while(|(a, b)| a == b);
            same.map(|(char, _)| char.len_utf8()).sum()
        });
        held[repeated..].to_owned()
    }

    /// The ends of the text before that count, the longest first.
    fn ends(&self) -> impl Iterator<Item = &str> {
        let starts = self.before.char_indices().map(|(at, _)| at);
        let ends = starts.map(|at| &self.before[at..]);
        ends.take_while(|end| end.len() >= MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What goes out of a text that comes in pieces of so many characters.
    fn new_of(before: &str, next: &str, piece: usize) -> String {
        let mut overlap = Some(Overlap::new(before));
        let mut out = String::new();
        let next: Vec<char> = next.chars().collect();
        for piece in next.chunks(piece) {
            let piece: String = piece.iter().collect();
            match &mut overlap {
                None => out += &piece,
                Some(open) => {
                    if let Some(new) = open.push(&piece) {
                        out += &new;
                        overlap = None;
                    }
                }
            }
        }
        out + &overlap.map(Overlap::settle).unwrap_or_default()
    }

    #[test]
    fn what_is_repeated_is_taken_out_however_it_is_cut() {
        let long = format!("{}tail of the text", "é".repeat(5_000));
        for (before, next, new) in [
            ("The quick brown fox", " jumps", " jumps"),
            ("The quick brown fox", "quick brown fox jumps", " jumps"),
            ("The quick brown fox", "The quick brown fox jumps", " jumps"),
            ("The quick brown fox", "The quick brown fox", ""),
            ("The quick brown fox", "quick brown cat", "quick brown cat"),
            // Too short to tell.
            ("The quick brown fox", "fox fox", "fox fox"),
            // White space that was not given.
            ("The quick brown\n ", "fox", "fox"),
            ("The quick brown\n ", "\n fox", "fox"),
            ("The quick brown\n ", "\nfox", "fox"),
            ("The quick brown\n ", " fox", " fox"),
            ("The quick brown\n ", "quick brown\n fox", "fox"),
            ("The quick brown\n ", "\n ", ""),
            ("", "anything", "anything"),
            (&long, "tail of the text, and more", ", and more"),
        ] {
            for piece in 1..=next.len() {
                assert_eq!(
                    new_of(before, next, piece),
                    new,
                    "{before:?} {next:?} {piece}"
                );
            }
        }
    }
}
