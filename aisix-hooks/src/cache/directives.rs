//! What a caller says about caches.

use std::time::Duration;

use http::{HeaderMap, header::CACHE_CONTROL};

/// The directives of `Cache-Control` that a request can have; others are not looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Directives {
    /// What is known must not be the answer; the answer may be kept all the same.
    pub(super) no_cache: bool,
    /// The answer must not be kept.
    pub(super) no_store: bool,
    /// How old an answer may be.
    pub(super) max_age: Option<Duration>,
}

// === impl Directives ===

impl Directives {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut directives = Self::default();
        let values = headers.get_all(CACHE_CONTROL).into_iter();
        let words = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','));
        for word in words {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            let (name, value) = (name.trim(), value.trim().trim_matches('"'));
            directives.no_cache |= name.eq_ignore_ascii_case("no-cache");
            directives.no_store |= name.eq_ignore_ascii_case("no-store");
            if name.eq_ignore_ascii_case("max-age") {
                // What is no number is taken for the strictest one.
                let seconds = value.parse().unwrap_or(0);
                directives.max_age = Some(Duration::from_secs(seconds));
            }
        }
        directives
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn directives_are_found_in_all_their_writings() {
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CACHE_CONTROL, value.parse().unwrap());
            }
            let Directives {
                no_cache,
                no_store,
                max_age,
            } = Directives::of(&headers);
            (no_cache, no_store, max_age.map(|age| age.as_secs()))
        };
        assert_eq!(of(&[]), (false, false, None));
        assert_eq!(of(&["public, max-age=60"]), (false, false, Some(60)));
        assert_eq!(of(&["No-Cache", "no-store"]), (true, true, None));
        assert_eq!(of(&["max-age = \"5\" ,no-cache"]), (true, false, Some(5)));
        assert_eq!(of(&["max-age=soon"]), (false, false, Some(0)));
        assert_eq!(of(&["no-cached"]), (false, false, None));
    }
}
