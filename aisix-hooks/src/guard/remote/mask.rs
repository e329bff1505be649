//! Taking spans out of texts.

/// A part of a text, in characters, and what it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) name: String,
}

/// How long a name may be in what takes the place of a span, in characters.
const MAX_NAME: usize = 64;

/// The text with `[NAME_REDACTED]` in the place of every finding; every other byte stays. Findings that
/// overlap are one. `None` when one of them is no part of the text.
pub(super) fn redacted(text: &str, mut findings: Vec<Finding>) -> Option<String> {
    findings.sort_by_key(|finding| finding.start);
    let bounds: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    let at = |character: usize| match character == bounds.len() {
        true => Some(text.len()),
        false => bounds.get(character).copied(),
    };
    let (mut new, mut done) = (String::with_capacity(text.len()), 0);
    for finding in findings {
        let (start, end) = (at(finding.start)?, at(finding.end)?);
        if start >= end {
            return None;
        }
        if start >= done {
            new.push_str(&text[done..start]);
            new.push_str(&token(&finding.name));
        }
        done = done.max(end);
    }
    new.push_str(&text[done..]);
    Some(new)
}

fn token(name: &str) -> String {
    let name = name.chars().take(MAX_NAME).map(|char| match char {
        char if char.is_ascii_alphanumeric() => char.to_ascii_uppercase(),
        _ => '_',
    });
    format!("[{}_REDACTED]", name.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::{Finding, redacted};

    fn of(text: &str, findings: &[(usize, usize, &str)]) -> Option<String> {
        let findings = findings.iter().map(|&(start, end, name)| Finding {
            start,
            end,
            name: name.to_owned(),
        });
        redacted(text, findings.collect())
    }

    #[test]
    fn offsets_are_characters_and_everything_else_stays() {
        let text = "ä 👋 me@a.b, 1-2";
        let expected = "ä 👋 [EMAIL_REDACTED], [US_SSN_REDACTED]";
        let found = [(12, 15, "us-ssn"), (4, 10, "email")];
        assert_eq!(of(text, &found).as_deref(), Some(expected));
        assert_eq!(of(text, &[]).as_deref(), Some(text));
    }

    #[test]
    fn findings_that_overlap_are_one() {
        let found = [(0, 2, "a"), (1, 3, "b"), (1, 2, "c"), (3, 4, "d")];
        let expected = "[A_REDACTED][D_REDACTED]e";
        assert_eq!(of("abcde", &found).as_deref(), Some(expected));
    }

    #[test]
    fn what_is_no_part_of_the_text_is_told() {
        for (start, end) in [(0, 4), (4, 5), (2, 2), (2, 1), (usize::MAX, usize::MAX)] {
            assert_eq!(of("äbc", &[(start, end, "a")]), None, "{start}..{end}");
        }
    }
}
