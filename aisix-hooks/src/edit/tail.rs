//! The end of a text that comes in pieces.

use super::{Edit, Editor, Seen, Stop};

/// From which length on a text that is held back is only looked at again when it has grown by an eighth.
const LONG: usize = 4_096;

/// The end of a text: what is not decided, and a character before it.
#[derive(Debug, Default)]
pub(super) struct Tail {
    text: String,
    /// From where it is looked at.
    from: usize,
    /// What has not been looked at since the last time.
    fresh: usize,
    /// How much of the text stood before `text`.
    gone: usize,
}

// === impl Tail ===

impl Tail {
    /// Adds a piece. Edits are added to `edits`; their places are those of the text from its beginning.
    pub(super) fn push(
        &mut self,
        piece: &str,
        editor: &dyn Editor,
        edits: &mut Vec<Edit>,
    ) -> Result<(), Stop> {
        self.text.push_str(piece);
        self.fresh += piece.len();
        // Else a long text in small pieces would be looked at as often as there are pieces.
        if self.text.len() > LONG && self.fresh < self.text.len() / 8 {
            return Ok(());
        }
        let free = self.look(false, editor, edits)?;
        let last = self.text[..free].chars().next_back();
        let before = free - last.map_or(0, char::len_utf8);
        self.text.drain(..before);
        self.gone += before;
        self.from = free - before;
        Ok(())
    }

    /// No more comes. What is pushed after this is another text.
    pub(super) fn end(&mut self, editor: &dyn Editor, edits: &mut Vec<Edit>) -> Result<(), Stop> {
        if self.from < self.text.len() {
            self.look(true, editor, edits)?;
        }
        self.gone = self.end_at();
        self.text.clear();
        self.from = 0;
        Ok(())
    }

    /// The end of the text so far.
    pub(super) fn end_at(&self) -> usize {
        self.gone + self.text.len()
    }

    /// Up to where all is decided.
    pub(super) fn free(&self) -> usize {
        self.gone + self.from
    }

    /// How much of it is kept, in bytes.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    fn look(
        &mut self,
        is_whole: bool,
        editor: &dyn Editor,
        edits: &mut Vec<Edit>,
    ) -> Result<usize, Stop> {
        self.fresh = 0;
        let Seen { free, edits: found } = editor.look(&self.text, self.from, is_whole)?;
        edits.extend(found.into_iter().map(|Edit { place, text }| Edit {
            place: self.gone + place.start..self.gone + place.end,
            text,
        }));
        Ok(free)
    }
}
