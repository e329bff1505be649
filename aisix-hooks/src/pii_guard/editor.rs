//! What the guard does to a text.

use crate::{
    edit::{Editor, Seen, Stop},
    mask::{Entity, Finder},
};

/// Something that is looked for, and what becomes of it.
pub(super) struct Wanted {
    pub(super) entity: Entity,
    pub(super) action: Action,
}

/// What becomes of something that is found.
pub(super) enum Action {
    /// This is written in its place.
    Mask(String),
    /// The text must not go on.
    Block,
}

/// Finds what must not go on, or not as it is.
pub(super) struct PiiEditor {
    blocked: Finder,
    masked: Finder,
    /// What is written in the place of each entity of `masked`.
    replacements: Vec<String>,
}

// === impl PiiEditor ===

impl PiiEditor {
    pub(super) fn compile(wanted: Vec<Wanted>) -> Result<Self, regex::Error> {
        let (mut blocked, mut masked, mut replacements) = (Vec::new(), Vec::new(), Vec::new());
        for Wanted { entity, action } in wanted {
            match action {
                Action::Block => blocked.push(entity),
                Action::Mask(replacement) => {
                    masked.push(entity);
                    replacements.push(replacement);
                }
            }
        }
        Ok(Self {
            blocked: Finder::compile(blocked)?,
            masked: Finder::compile(masked)?,
            replacements,
        })
    }

    /// Whether it looks for nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.blocked.is_empty() && self.masked.is_empty()
    }
}

impl Editor for PiiEditor {
    fn look(&self, text: &str, from: usize, is_whole: bool) -> Result<Seen, Stop> {
        let mut is_blocked = false;
        let Seen { free, .. } = self.blocked.look(text, from, text.len(), is_whole, |_, _| {
            is_blocked = true;
            None
        });
        if is_blocked {
            return Err(Stop::Match);
        }
        // What is masked must not hide what could still be blocked.
        let replacement = |entity: usize, _: &str| self.replacements.get(entity).cloned();
        Ok(self.masked.look(text, from, free, is_whole, replacement))
    }
}
