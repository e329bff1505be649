//! What somebody may have meant.

/// The known name that is nearest to `name`, if one is near enough to be a slip of the pen.
pub fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    // Longer texts are no typing mistakes, and the distance costs the product of the lengths.
    if name.len() > 64 {
        return None;
    }
    known
        .into_iter()
        .map(|candidate| (strsim::osa_distance(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A sentence about an unknown name: that it is one, and what may have been meant.
pub(super) fn unknown<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    match nearest(name, known) {
        Some(known) => format!("is not a known field; did you mean `{known}`?"),
        None => "is not a known field".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_found_and_a_stranger_is_not() {
        let known = ["timeout", "stream_timeout", "provider"];
        assert_eq!(nearest("timout", known), Some("timeout"));
        assert_eq!(nearest("provdier", known), Some("provider"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest(&"timeout".repeat(100), known), None);
    }
}
