//! JSON that comes in pieces: what tools are called with.

use aisix_core::wire::json_string;
use serde::de::IgnoredAny;

use super::{Edit, Editor, Stop, tail::Tail, written};

/// Reads a JSON document that comes in pieces. Each of its strings is a text by itself, escapes decoded; names of
/// members are, too. A number in which something is edited becomes a string, so that the document stays one.
///
/// What is no JSON is read all the same: nothing of it is left out.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    /// How much has been read.
    at: usize,
    state: State,
    /// The string that is being read, decoded, and what of it `tail` does not have yet.
    tail: Tail,
    decoded: String,
    /// Places of `tail`, and where these stand as written. Between two of them, both go on alike.
    marks: Vec<(usize, usize)>,
}

#[derive(Debug, Default)]
enum State {
    /// Between strings and numbers.
    #[default]
    Between,
    /// In a string; in an escape, as far as it has come.
    String { escape: String },
    /// In a number, or whatever else stands outside of strings.
    Bare { start: usize, text: String },
}

// === impl Arguments ===

impl Arguments {
    pub(super) fn push(
        &mut self,
        piece: &str,
        editor: &dyn Editor,
        edits: &mut Vec<Edit>,
    ) -> Result<(), Stop> {
        for character in piece.chars() {
            self.step(character, editor, edits)?;
            self.at += character.len_utf8();
        }
        self.look(false, editor, edits)
    }

    pub(super) fn end(&mut self, editor: &dyn Editor, edits: &mut Vec<Edit>) -> Result<(), Stop> {
        while self.escape().is_some() {
            self.unescape(0);
        }
        match self.state {
            State::Between => Ok(()),
            State::String { .. } => self.close(editor, edits),
            State::Bare { .. } => self.close_bare(editor, edits),
        }
    }

    pub(super) fn end_at(&self) -> usize {
        self.at
    }

    pub(super) fn free(&self) -> usize {
        match self.state {
            State::Between => self.at,
            State::String { .. } => self.place(self.tail.free()),
            State::Bare { start, .. } => start,
        }
    }

    pub(super) fn len(&self) -> usize {
        match &self.state {
            State::Bare { text, .. } => text.len(),
            _ => self.tail.len(),
        }
    }

    fn step(
        &mut self,
        character: char,
        editor: &dyn Editor,
        edits: &mut Vec<Edit>,
    ) -> Result<(), Stop> {
        let is_between = matches!(character, '{' | '}' | '[' | ']' | ':' | ',' | '"');
        match &mut self.state {
            State::String { .. } => return self.step_in_string(character, editor, edits),
            State::Bare { text, .. } if !is_between => text.push(character),
            State::Bare { .. } => self.close_bare(editor, edits)?,
            State::Between if is_between || character.is_whitespace() => {}
            State::Between => {
                let (start, text) = (self.at, character.into());
                self.state = State::Bare { start, text };
            }
        }
        if character == '"' {
            self.marks.push((self.tail.end_at(), self.at + 1));
            let escape = String::new();
            self.state = State::String { escape };
        }
        Ok(())
    }

    fn step_in_string(
        &mut self,
        character: char,
        editor: &dyn Editor,
        edits: &mut Vec<Edit>,
    ) -> Result<(), Stop> {
        while self
            .escape()
            .is_some_and(|escape| !goes_on(escape, character))
        {
            self.unescape(0);
        }
        let State::String { escape } = &mut self.state else {
            return Ok(());
        };
        match character {
            '"' if escape.is_empty() => return self.close(editor, edits),
            '\\' => escape.push(character),
            _ if escape.is_empty() => self.decoded.push(character),
            _ => escape.push(character),
        }
        if is_complete(escape) {
            self.unescape(1);
        }
        Ok(())
    }

    /// The escape that has begun.
    fn escape(&self) -> Option<&str> {
        match &self.state {
            State::String { escape } if !escape.is_empty() => Some(escape),
            _ => None,
        }
    }

    /// Decodes the escape that has been read, its last `more` bytes being ahead of what counts as read. What is none stands for
    /// itself, and half of a surrogate pair for a character that is not known; what follows it is an escape of its own.
    fn unescape(&mut self, more: usize) {
        let State::String { escape } = &mut self.state else {
            return;
        };
        let escape = std::mem::take(escape);
        let end = self.at + more;
        if self.decode(&escape, end) {
            return;
        }
        let Some((_, rest)) = escape.split_at_checked(6) else {
            self.decoded.push_str(&escape);
            return;
        };
        self.decoded.push(char::REPLACEMENT_CHARACTER);
        self.mark(end - rest.len());
        if !is_complete(rest) || !self.decode(rest, end) {
            let escape = rest.to_owned();
            self.state = State::String { escape };
        }
    }

    /// Adds what an escape that ends here means, if it means something.
    fn decode(&mut self, escape: &str, end: usize) -> bool {
        let text = serde_json::from_str::<String>(&format!("\"{escape}\""));
        let is_known = text.is_ok();
        if let Ok(text) = text {
            self.decoded.push_str(&text);
            self.mark(end);
        }
        is_known
    }

    /// Remembers where what has been decoded so far ends as written.
    fn mark(&mut self, end: usize) {
        let decoded = self.tail.end_at() + self.decoded.len();
        self.marks.push((decoded, end));
    }

    /// Looks at what has been read of a string.
    fn look(
        &mut self,
        is_whole: bool,
        editor: &dyn Editor,
        edits: &mut Vec<Edit>,
    ) -> Result<(), Stop> {
        let mut found = Vec::new();
        if !self.decoded.is_empty() {
            let decoded = std::mem::take(&mut self.decoded);
            self.tail.push(&decoded, editor, &mut found)?;
        }
        if is_whole {
            self.tail.end(editor, &mut found)?;
        }
        edits.extend(found.into_iter().map(|Edit { place, text }| Edit {
            place: self.place(place.start)..self.place(place.end),
            text: escaped(&text),
        }));
        let free = self.tail.free();
        let known = self.marks.partition_point(|(place, _)| *place <= free);
        self.marks.drain(..known.saturating_sub(1));
        Ok(())
    }

    /// Ends a string.
    fn close(&mut self, editor: &dyn Editor, edits: &mut Vec<Edit>) -> Result<(), Stop> {
        self.look(true, editor, edits)?;
        self.marks.clear();
        self.state = State::Between;
        Ok(())
    }

    /// Ends what stands outside of strings.
    fn close_bare(&mut self, editor: &dyn Editor, edits: &mut Vec<Edit>) -> Result<(), Stop> {
        let State::Bare { start, text } = std::mem::take(&mut self.state) else {
            return Ok(());
        };
        let text = text.trim_end();
        let found = editor.look(text, 0, true)?.edits;
        if found.is_empty() {
            return Ok(());
        }
        let said = written(text, 0, &found);
        let is_json = serde_json::from_str::<IgnoredAny>(text).is_ok();
        edits.push(Edit {
            place: start..start + text.len(),
            text: match is_json {
                true => format!("\"{}\"", escaped(&said)),
                false => said,
            },
        });
        Ok(())
    }

    /// Where a place of `tail` stands as written.
    fn place(&self, decoded: usize) -> usize {
        let next = self.marks.partition_point(|(place, _)| *place <= decoded);
        let mark = next.checked_sub(1).and_then(|last| self.marks.get(last));
        mark.map_or(self.at, |(place, at)| at + (decoded - place))
    }
}

/// Whether a character belongs to an escape that has begun.
fn goes_on(escape: &str, character: char) -> bool {
    match escape.len() {
        1 => "\"\\/bfnrtu".contains(character),
        6 => character == '\\',
        7 => character == 'u',
        _ => character.is_ascii_hexdigit(),
    }
}

/// Whether an escape has come to its end. Half of a surrogate pair has not.
fn is_complete(escape: &str) -> bool {
    match escape.len() {
        2 => !escape.ends_with('u'),
        6 => {
            let code = escape.get(2..).map(|code| u32::from_str_radix(code, 16));
            !matches!(code, Some(Ok(0xD800..=0xDBFF)))
        }
        12 => true,
        _ => false,
    }
}

/// A text as it stands in a JSON string.
fn escaped(text: &str) -> String {
    let quoted = json_string(text);
    let inner = quoted.get(1..quoted.len() - 1).unwrap_or_default();
    String::from_utf8_lossy(inner).into_owned()
}
