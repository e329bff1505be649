//! What is written in the place of what.

use crate::{
    edit::{Editor, Seen, Stop},
    mask::{Entity, Finder},
};

/// What is written in the place of an entity.
#[derive(Debug)]
pub(super) struct Mask {
    /// What tokens call it.
    pub(super) label: String,
    pub(super) with: String,
    pub(super) preserve_len: bool,
}

/// Entities, and what is written in their places.
pub(super) struct Masks {
    finder: Finder,
    masks: Vec<Mask>,
}

// === impl Mask ===

impl Mask {
    pub(super) fn hide(&self, value: &str) -> String {
        match self.preserve_len {
            true => self
                .with
                .chars()
                .cycle()
                .take(value.chars().count())
                .collect(),
            false => self.with.clone(),
        }
    }
}

// === impl Masks ===

impl Masks {
    pub(super) fn compile(wanted: Vec<(Entity, Mask)>) -> Result<Self, regex::Error> {
        let (entities, masks) = wanted.into_iter().unzip();
        let finder = Finder::compile(entities)?;
        Ok(Self { finder, masks })
    }

    /// Looks at a text; `hide` says what is written in the place of a value.
    pub(super) fn look_with(
        &self,
        text: &str,
        from: usize,
        is_whole: bool,
        hide: impl Fn(&Mask, &str) -> String,
    ) -> Seen {
        let write = |entity: usize, value: &str| {
            let mask = self.masks.get(entity)?;
            Some(hide(mask, value))
        };
        self.finder.look(text, from, text.len(), is_whole, write)
    }
}

impl Editor for Masks {
    fn look(&self, text: &str, from: usize, is_whole: bool) -> Result<Seen, Stop> {
        Ok(self.look_with(text, from, is_whole, Mask::hide))
    }
}
