//! A model that asks several others, and has one make one answer of theirs.

use std::{sync::Arc, time::Duration};

use aisix_wire::chat::Draw;

use super::Member;

/// A model that asks several others, and has one make one answer of theirs.
pub(crate) struct Ensemble {
    /// Who is asked.
    pub(crate) panel: Box<[Voice]>,
    /// Who makes one answer; `None` when there is no such model.
    pub(crate) judge: Option<Voice>,
    /// What the judge is told, if it is not the gateway's own text.
    pub(crate) prompt: Option<Box<str>>,
    /// How many of the panel must answer.
    pub(crate) least: usize,
    /// The time for each of their answers.
    pub(crate) timeout: Option<Duration>,
}

/// One who is asked.
pub(crate) struct Voice {
    /// The name by which it is named.
    pub(crate) name: Arc<str>,
    pub(crate) member: Member,
    /// What it is asked with, in place of what the request says.
    pub(crate) draw: Draw,
}

// === impl Ensemble ===

impl Ensemble {
    /// Everyone: the panel, then the judge.
    pub(crate) fn voices(&self) -> impl Iterator<Item = &Voice> {
        self.panel.iter().chain(&self.judge)
    }
}
