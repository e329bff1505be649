//! What the judge of an ensemble is told.

/// How much of a candidate the judge is told, in bytes.
const MAX_CANDIDATE: usize = 8 * 1024;

/// The placeholder for the conversation.
const REQUEST: &str = "{original_request}";
/// The placeholder for the candidates.
const CANDIDATES: &str = "{labeled_candidates}";

/// A prompt with a request and candidates in the places that it has for them. What stands in these is no place itself.
pub(super) fn synthesis(prompt: &str, request: &str, candidates: &[&str]) -> String {
    let candidates = labeled(candidates);
    let mut out = String::with_capacity(prompt.len() + request.len() + candidates.len());
    let mut rest = prompt;
    while let Some(start) = rest.find('{') {
        let (before, from) = rest.split_at(start);
        out.push_str(before);
        let (said, after) = if let Some(after) = from.strip_prefix(REQUEST) {
            (request, after)
        } else if let Some(after) = from.strip_prefix(CANDIDATES) {
            (candidates.as_str(), after)
        } else {
            from.split_at(1)
        };
        out.push_str(said);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The candidates with a number each, which says nothing of who they are from.
fn labeled(candidates: &[&str]) -> String {
    let candidates = candidates.iter().enumerate();
    let labeled = candidates.map(|(place, text)| {
        let number = place + 1;
        format!("Candidate {number}:\n{}", cut(text.trim()))
    });
    labeled.collect::<Vec<_>>().join("\n\n")
}

/// As much of it as the judge is told.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(MAX_CANDIDATE);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_into_a_prompt_is_no_place_for_more() {
        let prompt = "{x} {original_request}|{labeled_candidates}|{original_request}{";
        let told = synthesis(prompt, CANDIDATES, &[" one\n", REQUEST]);
        let candidates = "Candidate 1:\none\n\nCandidate 2:\n{original_request}";
        let expected = format!("{{x}} {CANDIDATES}|{candidates}|{CANDIDATES}{{");
        assert_eq!(told, expected);
        assert_eq!(synthesis("no places", "a", &["b"]), "no places");
    }

    #[test]
    fn a_long_candidate_is_cut_between_two_characters() {
        let told = |text: &str| synthesis(CANDIDATES, "", &[text]).len() - "Candidate 1:\n".len();
        assert_eq!(told(&"a".repeat(MAX_CANDIDATE)), MAX_CANDIDATE);
        assert_eq!(told(&"a".repeat(MAX_CANDIDATE + 1)), MAX_CANDIDATE);
        // Three bytes each: the last one does not fit.
        assert_eq!(told(&"€".repeat(MAX_CANDIDATE)), MAX_CANDIDATE - 2);
    }
}
