//! A text that comes in pieces.

use aisix_core::wire::Span;

use super::{Edit, Editor, Stop, arguments::Arguments, tail::Tail, written};

/// Reads a text that comes in pieces, and knows what is written in the place of what.
#[derive(Debug)]
pub(super) struct Reader {
    form: Form,
    /// In order. Their places are those of the text from its beginning.
    edits: Vec<Edit>,
}

#[derive(Debug)]
enum Form {
    Prose(Tail),
    Arguments(Arguments),
}

// === impl Reader ===

impl Reader {
    pub(super) fn of_prose() -> Self {
        Self::new(Form::Prose(Tail::default()))
    }

    pub(super) fn of_arguments() -> Self {
        Self::new(Form::Arguments(Arguments::default()))
    }

    fn new(form: Form) -> Self {
        let edits = Vec::new();
        Self { form, edits }
    }

    /// Adds a piece.
    pub(super) fn push(&mut self, piece: &str, editor: &dyn Editor) -> Result<(), Stop> {
        match &mut self.form {
            Form::Prose(tail) => tail.push(piece, editor, &mut self.edits),
            Form::Arguments(arguments) => arguments.push(piece, editor, &mut self.edits),
        }
    }

    /// No more comes, so that all is decided. What is pushed after this is another text.
    pub(super) fn end(&mut self, editor: &dyn Editor) -> Result<(), Stop> {
        match &mut self.form {
            Form::Prose(tail) => tail.end(editor, &mut self.edits),
            Form::Arguments(arguments) => arguments.end(editor, &mut self.edits),
        }
    }

    /// Something else is said now. Prose has ended with that; JSON knows by itself where it ends.
    pub(super) fn pause(&mut self, editor: &dyn Editor) -> Result<(), Stop> {
        match &mut self.form {
            Form::Prose(tail) => tail.end(editor, &mut self.edits),
            Form::Arguments(_) => Ok(()),
        }
    }

    /// The end of the text so far.
    pub(super) fn end_at(&self) -> usize {
        match &self.form {
            Form::Prose(tail) => tail.end_at(),
            Form::Arguments(arguments) => arguments.end_at(),
        }
    }

    /// Up to where all is decided.
    pub(super) fn free(&self) -> usize {
        match &self.form {
            Form::Prose(tail) => tail.free(),
            Form::Arguments(arguments) => arguments.free(),
        }
    }

    /// How much of it is kept, in bytes.
    pub(super) fn len(&self) -> usize {
        match &self.form {
            Form::Prose(tail) => tail.len(),
            Form::Arguments(arguments) => arguments.len(),
        }
    }

    /// Whether anything is edited between these places.
    pub(super) fn edits_in(&self, place: &Span) -> bool {
        self.edits.iter().any(|edit| touches(edit, place))
    }

    /// What becomes of the piece at this place. Edits before its end are forgotten.
    pub(super) fn take(&mut self, piece: &str, place: &Span) -> String {
        let edits = self.edits.iter().filter(|edit| touches(edit, place));
        let text = written(piece, place.start, edits);
        self.edits.retain(|edit| edit.place.end > place.end);
        text
    }

    /// Whether there are edits that nobody has taken.
    pub(super) fn has_edits(&self) -> bool {
        !self.edits.is_empty()
    }

    /// Forgets all edits; tells whether there were any.
    pub(super) fn forget(&mut self) -> bool {
        let had_edits = self.has_edits();
        self.edits.clear();
        had_edits
    }

    pub(super) fn into_edits(self) -> Vec<Edit> {
        self.edits
    }
}

fn touches(edit: &Edit, place: &Span) -> bool {
    edit.place.start < place.end && edit.place.end > place.start
}
