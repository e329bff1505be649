//! Choosing targets by their tags.

use std::{collections::BTreeMap, fmt, sync::Arc};

use super::{Candidate, Mask};

/// The tag of targets for requests that ask for none, or for none that exists.
const DEFAULT: &str = "default";

/// Which targets have a tag.
pub(super) struct Tags(BTreeMap<Arc<str>, Mask>);

/// No target has a tag that was asked for, and none is there for everybody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMatch;

// === impl Tags ===

impl Tags {
    pub(super) fn of<'a>(candidates: impl Iterator<Item = (usize, &'a Candidate)>) -> Self {
        let mut tags: BTreeMap<Arc<str>, Mask> = BTreeMap::new();
        for (index, candidate) in candidates {
            for tag in &candidate.tags {
                tags.entry(tag.clone()).or_default().insert(index);
            }
        }
        Self(tags)
    }

    /// Those who have a tag of `requested`; else those who are the default; else, if there was nothing to ask for, `None`: all.
    pub(super) fn choose(&self, requested: &[&str]) -> Result<Option<Mask>, NoMatch> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let mut chosen = Mask::none();
        for mask in requested.iter().filter_map(|tag| self.0.get(*tag)) {
            chosen.insert_all(mask);
        }
        if !chosen.is_empty() {
            return Ok(Some(chosen));
        }
        match self.0.get(DEFAULT) {
            Some(default) => Ok(Some(default.clone())),
            None if requested.is_empty() => Ok(None),
            None => Err(NoMatch),
        }
    }
}

// === impl NoMatch ===

impl fmt::Display for NoMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no target has a tag that is asked for, and none is tagged `default`")
    }
}

impl std::error::Error for NoMatch {}
