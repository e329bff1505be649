//! What a service is asked, and what it may say.

use aisix_core::observe::Phase;
use async_trait::async_trait;

use super::ask::Asker;
pub(super) use crate::ask::Failure;
use crate::text::Speaker;

/// A service that judges texts.
#[async_trait]
pub(super) trait Service: Send + Sync + 'static {
    /// Judges texts, of which none is empty. Dropping the future drops what is asked.
    ///
    /// # Errors
    ///
    /// Why there is no judgement.
    async fn judge(
        &self,
        asker: &Asker,
        pieces: &[Piece<'_>],
        phase: Phase,
    ) -> Result<Judgement, Failure>;
}

/// One text, and who says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    pub(super) speaker: Speaker,
}

/// What becomes of the texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// They go on.
    Allow,
    /// They do not. The reason is for the operator.
    Block(String),
    /// They go on changed: one for each text, `None` for those that stay.
    Mask(Vec<Option<String>>),
}

/// How much of a reason is kept, in characters.
const MAX_REASON: usize = 200;

// === impl Judgement ===

impl Judgement {
    /// A block for these reasons.
    pub(super) fn block<R: AsRef<str>>(reasons: impl IntoIterator<Item = R>) -> Self {
        let mut told = String::new();
        for reason in reasons {
            if !told.is_empty() {
                told.push(',');
            }
            told.extend(reason.as_ref().chars().filter(|char| !char.is_control()));
            if let Some((end, _)) = told.char_indices().nth(MAX_REASON) {
                told.truncate(end);
                break;
            }
        }
        Self::Block(told)
    }
}
