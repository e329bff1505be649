//! Cutting texts into what a service takes at once.

/// Cuts a text into parts of at most `size` characters, each of which begins with the last `overlap`
/// characters of the one before. The overlap is at most half of the size.
pub(super) fn cut(text: &str, size: usize, overlap: usize) -> impl Iterator<Item = &str> + Send {
    let size = size.max(1);
    let step = size - overlap.min(size / 2);
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let at = |count| text.char_indices().nth(count).map(|(at, _)| at);
        let Some(end) = at(size) else {
            rest = None;
            return Some(text);
        };
        rest = at(step).map(|next| &text[next..]);
        Some(&text[..end])
    })
}

/// The last `count` characters of a text.
pub(super) fn last(text: &str, count: usize) -> &str {
    let Some(before) = count.checked_sub(1) else {
        return "";
    };
    let begin = text.char_indices().rev().nth(before);
    begin.map_or(text, |(begin, _)| &text[begin..])
}

#[cfg(test)]
mod tests {
    use super::{cut, last};

    #[test]
    fn parts_overlap_and_leave_nothing_out() {
        let parts = |text, size, overlap| cut(text, size, overlap).collect::<Vec<_>>();
        assert_eq!(parts("", 4, 1), [""]);
        assert_eq!(parts("äbcd", 4, 1), ["äbcd"]);
        assert_eq!(parts("äbcdefg", 4, 1), ["äbcd", "defg"]);
        assert_eq!(parts("äbcdefgh", 4, 1), ["äbcd", "defg", "gh"]);
        assert_eq!(parts("abcd", 2, 9), ["ab", "bc", "cd"]);
        assert_eq!(parts("ab", 0, 0), ["a", "b"]);
    }

    #[test]
    fn the_last_characters_are_characters() {
        assert_eq!(last("aäö", 2), "äö");
        assert_eq!(last("aä", 9), "aä");
        assert_eq!(last("aä", 0), "");
    }
}
