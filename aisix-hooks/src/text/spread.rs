//! Spreading a changed text over the pieces that it came in.

/// What the pieces of a text become when the text becomes `changed`; `None` for those that stay.
///
/// Pieces before the first and after the last difference stay as they are. What lies between goes to the
/// piece in which the first difference is. Together, the pieces are always `changed`.
pub fn spread(pieces: &[&str], changed: &str) -> Vec<Option<String>> {
    let whole = pieces.concat();
    let before = common(whole.chars(), changed.chars());
    let after = common(
        whole[before..].chars().rev(),
        changed[before..].chars().rev(),
    );
    let (end, middle) = (whole.len() - after, &changed[before..changed.len() - after]);
    let mut at = 0;
    let mut middle = Some(middle);
    let last = pieces.len().saturating_sub(1);
    let pieces = pieces.iter().enumerate().map(|(index, piece)| {
        let start = at;
        at += piece.len();
        let mut new = String::new();
        new.push_str(&piece[..before.clamp(start, at) - start]);
        if (before < at || index == last)
            && let Some(middle) = middle.take()
        {
            new.push_str(middle);
        }
        new.push_str(&piece[end.clamp(start, at) - start..]);
        (new != **piece).then_some(new)
    });
    pieces.collect()
}

/// How many bytes are the same at the beginning.
fn common(a: impl Iterator<Item = char>, b: impl Iterator<Item = char>) -> usize {
    let same = a.zip(b).take_while(|(a, b)| a == b);
    same.map(|(a, _)| a.len_utf8()).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::spread;

    fn joined(pieces: &[&str], changed: &str) -> String {
        let new = spread(pieces, changed);
        let pieces = pieces.iter().zip(&new);
        let pieces = pieces.map(|(old, new)| new.as_deref().unwrap_or(old));
        pieces.collect()
    }

    #[test]
    fn only_pieces_with_a_difference_change() {
        let pieces = ["my name", " is Jo", "hn Do", "e, and", " so on"];
        let new = spread(&pieces, "my name is <PERSON>, and so on");
        let expected = [
            None,
            Some(" is <PERSON>".into()),
            Some(String::new()),
            Some(", and".into()),
            None,
        ];
        assert_eq!(new, expected);
        assert_eq!(spread(&["a", "b"], "ab!"), [None, Some("b!".into())]);
    }

    proptest! {
        #[test]
        fn the_pieces_are_the_changed_text(
            pieces in prop::collection::vec("[aäb]{0,4}", 1..6), changed in "[aäb]{0,12}",
        ) {
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            prop_assert_eq!(joined(&pieces, &changed), changed);
        }
    }
}
