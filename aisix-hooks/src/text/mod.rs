//! The texts of requests, answers and events, in every dialect, each with its place.
//!
//! Nothing is decoded but the texts themselves, so that who looks at them pays for them alone, and who replaces
//! one leaves every other byte as it came. Texts are what is said, what tools are called with and what they
//! answer; images, files and ids are none.

mod places;
mod replace;
mod speaker;
mod spread;
mod walk;

use std::borrow::Cow;

use aisix_core::wire::{Dialect, Envelope, ScanError, Span};

pub(crate) use self::replace::replace_said;
pub use self::{
    replace::replace,
    speaker::{Speaker, speakers},
    spread::spread,
    walk::Track,
};

/// One text of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    /// Where it stands in the document: a JSON string with its quotes, or a number that a tool is called with.
    pub place: Span,
    /// What it says, escapes decoded.
    pub text: Cow<'a, str>,
    /// Pieces of one track in the events of a stream are one longer text.
    pub track: Track,
    /// Whether more of it may stand in other events. Other texts of a stream are whole, as those of requests and answers are.
    pub is_piece: bool,
    /// Whether it is, or is a piece of, a JSON document: what a tool is called with.
    pub is_arguments: bool,
}

/// The texts of one event, and which texts it ends.
#[derive(Debug, Default)]
pub(crate) struct Pieces<'a> {
    pub(crate) texts: Vec<Text<'a>>,
    /// Of these tracks, and of all that stand inside of them, no more comes.
    pub(crate) ended: Vec<Track>,
}

/// The texts of a request that has been scanned, in order.
///
/// # Errors
///
/// When an object on the way to a text has more members than can be looked at.
pub fn of_request(dialect: Dialect, request: &[u8]) -> Result<Vec<Text<'_>>, ScanError> {
    find(request, places::of_request(dialect))
}

/// The texts of a whole answer, in order.
///
/// # Errors
///
/// When it is not JSON, or an object on the way to a text has more members than can be looked at.
pub fn of_answer(dialect: Dialect, answer: &[u8]) -> Result<Vec<Text<'_>>, ScanError> {
    find(answer, places::of_answer(dialect))
}

/// The texts of the data of one event, in order. The last event of OpenAI's streams has none.
///
/// # Errors
///
/// When it is not JSON, or an object on the way to a text has more members than can be looked at.
pub fn of_event(dialect: Dialect, data: &[u8]) -> Result<Vec<Text<'_>>, ScanError> {
    Ok(pieces(dialect, data)?.texts)
}

/// The same, and which texts end with this event.
pub(crate) fn pieces(dialect: Dialect, data: &[u8]) -> Result<Pieces<'_>, ScanError> {
    if matches!(data.trim_ascii(), b"" | b"[DONE]") {
        return Ok(Pieces::default());
    }
    let envelope = Envelope::scan(data, &[])?;
    let found = walk::texts(data, envelope.object(), places::of_event(dialect))?;
    let is_end = |text: &Text<'_>| places::is_end(text.track.name());
    let (ends, mut texts): (Vec<_>, Vec<_>) = found.into_iter().partition(is_end);
    // Some say why it has ended, in an empty word, while it goes on.
    let ends = ends.into_iter().filter(|end| !end.text.is_empty());
    let mut ended: Vec<Track> = ends.map(|end| end.track).collect();
    let kind = envelope.member(data, "type");
    let kind = kind.and_then(|kind| kind.as_str(data)).unwrap_or_default();
    for text in &mut texts {
        text.is_piece = places::is_piece(dialect, text.track.name());
        text.is_arguments |= text.is_piece && kind.contains("_arguments.");
        // What Responses say in pieces, they say again when it has come to its end.
        if dialect == Dialect::Responses && !text.is_piece {
            ended.push(text.track.clone());
        }
    }
    Ok(Pieces { texts, ended })
}

fn find<'a>(document: &'a [u8], places: &[&'static str]) -> Result<Vec<Text<'a>>, ScanError> {
    let envelope = Envelope::scan(document, &[])?;
    walk::texts(document, envelope.object(), places)
}

#[cfg(test)]
mod tests;
