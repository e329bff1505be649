//! Looking at texts and writing others in their place: in requests, in whole answers, and in streams, of which
//! no more is held back than could still matter.

mod arguments;
pub(crate) mod begun;
mod body;
pub(crate) mod hold;
mod reader;
pub(crate) mod stream;
mod tail;

use aisix_core::wire::{ScanError, Span};

pub(crate) use self::body::{answer, edit_answer, request};
use self::reader::Reader;
use crate::text::Text;

/// Looks for something in texts.
pub(crate) trait Editor: Send + Sync + 'static {
    /// Looks at a text from `from` on; what stands before was seen already. Unless it is whole, more text may come,
    /// and only that counts which no more text can undo.
    ///
    /// # Errors
    ///
    /// Why the text must not go on.
    fn look(&self, text: &str, from: usize, is_whole: bool) -> Result<Seen, Stop>;

    /// Whether what tools are called with is read as the JSON that it is: each string by itself, decoded.
    /// Else it is a text like any other, as it is written.
    fn reads_arguments(&self) -> bool {
        true
    }
}

/// What an editor says of a text.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Up to where all is decided. The whole text if it is whole.
    pub(crate) free: usize,
    /// What is written in the place of what, in order, and before `free`.
    pub(crate) edits: Vec<Edit>,
}

/// Other words for a part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) place: Span,
    pub(crate) text: String,
}

/// Why a text does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Something is in it that must not be.
    Match,
    /// It cannot be told whether there is.
    Untold,
}

// === impl Seen ===

impl Seen {
    /// Nothing is found, and all is decided up to here.
    pub(crate) fn up_to(free: usize) -> Self {
        let edits = Vec::new();
        Self { free, edits }
    }
}

/// What is written in the places of these texts of a request or a whole answer.
fn texts(
    editor: &dyn Editor,
    texts: Result<Vec<Text<'_>>, ScanError>,
) -> Result<Vec<(Span, String)>, Stop> {
    let mut edited = Vec::new();
    for found in texts.map_err(|_| Stop::Untold)? {
        let text = whole(editor, &found)?;
        edited.extend(text.map(|text| (found.place, text)));
    }
    Ok(edited)
}

/// What becomes of a whole text, if it does not stay as it is.
fn whole(editor: &dyn Editor, text: &Text<'_>) -> Result<Option<String>, Stop> {
    let edits = match text.is_arguments && editor.reads_arguments() {
        true => {
            let mut reader = Reader::of_arguments();
            reader.push(&text.text, editor)?;
            reader.end(editor)?;
            reader.into_edits()
        }
        false => editor.look(&text.text, 0, true)?.edits,
    };
    let is_edited = !edits.is_empty();
    Ok(is_edited.then(|| written(&text.text, 0, &edits)))
}

/// A piece of a text that begins at `start`, with the edits of the text that concern it. An edit is written where it begins.
fn written<'e>(piece: &str, start: usize, edits: impl IntoIterator<Item = &'e Edit>) -> String {
    let mut out = String::with_capacity(piece.len());
    let mut at = 0;
    for Edit { place, text } in edits {
        if place.start >= start {
            let before = piece.get(at..place.start - start);
            out.push_str(before.unwrap_or_default());
            out.push_str(text);
        }
        at = (place.end - start).min(piece.len());
    }
    out.push_str(piece.get(at..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests;
