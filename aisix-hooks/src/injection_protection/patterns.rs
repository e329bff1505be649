//! The patterns that are looked for in a place, compiled together.

use aisix_core::config::resource::Invalid;
use regex::bytes::{RegexSet, RegexSetBuilder};

use super::{
    predefined::{PREDEFINED, Predefined},
    settings::{CustomInjection, InjectionContent, InjectionProtectionSettings},
};

/// How much memory the patterns of one place may take, compiled, in bytes.
const MAX_SIZE: usize = 8 * 1024 * 1024;

/// A place that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Headers,
    PathAndQuery,
    Body,
}

/// The patterns that are looked for in a place.
pub(super) struct Patterns {
    predefined: RegexSet,
    custom: RegexSet,
    /// The names of the predefined ones, then those of the others.
    names: Vec<String>,
}

// === impl Place ===

impl Place {
    fn content(self) -> InjectionContent {
        match self {
            Self::Headers => InjectionContent::Headers,
            Self::PathAndQuery => InjectionContent::PathAndQuery,
            Self::Body => InjectionContent::Body,
        }
    }
}

// === impl Patterns ===

impl Patterns {
    /// The patterns for a place; `None` when nothing is looked for there.
    pub(super) fn of(
        settings: &InjectionProtectionSettings,
        place: Place,
    ) -> Result<Option<Self>, Vec<Invalid>> {
        let is_listed = |listed: &InjectionContent| listed.covers(place.content());
        let is_looked_at = settings.content_to_check.iter().any(is_listed);
        let predefined: Vec<&Predefined> = PREDEFINED
            .iter()
            .filter(|it| is_looked_at && it.places.contains(&place) && settings.looks_for(it.kind))
            .collect();
        let custom: Vec<&CustomInjection> = settings
            .custom()
            .map(|(_, custom)| custom)
            .filter(|custom| match custom.content_to_check {
                Some(content) => content.covers(place.content()),
                None => is_looked_at,
            })
            .collect();
        if predefined.is_empty() && custom.is_empty() {
            return Ok(None);
        }
        let too_large = |_| vec![Invalid::new("custom_injections", "take too much memory")];
        let names = predefined.iter().map(|it| it.kind.name().to_owned());
        Ok(Some(Self {
            names: names
                .chain(custom.iter().map(|it| it.name.clone()))
                .collect(),
            // They are written in ASCII, which makes them small.
            predefined: RegexSetBuilder::new(predefined.iter().map(|it| it.pattern))
                .case_insensitive(true)
                .unicode(false)
                .size_limit(MAX_SIZE)
                .build()
                .map_err(too_large)?,
            custom: RegexSetBuilder::new(custom.iter().map(|it| &it.pattern))
                .size_limit(MAX_SIZE)
                .build()
                .map_err(too_large)?,
        }))
    }

    /// Which pattern occurs.
    pub(super) fn find(&self, text: &[u8]) -> Option<usize> {
        let predefined = self.predefined.matches(text).into_iter().next();
        predefined.or_else(|| {
            let custom = self.custom.matches(text).into_iter().next();
            custom.map(|index| self.predefined.len() + index)
        })
    }

    /// What a pattern is called.
    pub(super) fn name(&self, index: usize) -> &str {
        &self.names[index]
    }
}
