//! The texts of requests, answers and events, in every dialect, each with its place.
//!
//! Nothing is decoded but the texts themselves, so that who looks at them pays for them alone, and who replaces
//! one leaves every other byte as it came. Texts are what is said, what tools are called with and what they
//! answer; images, files and ids are none.

mod places;
mod replace;
mod walk;

use std::borrow::Cow;

use aisix_core::wire::{Dialect, Envelope, ScanError, Span};

pub use self::replace::replace;
pub use self::walk::Track;

/// One text of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    /// Where it stands in the document: a JSON string with its quotes.
    pub place: Span,
    /// What it says, escapes decoded.
    pub text: Cow<'a, str>,
    /// Texts of one track in the events of a stream are pieces of one longer text.
    pub track: Track,
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
    match data.trim_ascii() {
        b"" | b"[DONE]" => Ok(Vec::new()),
        _ => find(data, places::of_event(dialect)),
    }
}

fn find<'a>(document: &'a [u8], places: &[&'static str]) -> Result<Vec<Text<'a>>, ScanError> {
    let envelope = Envelope::scan(document, &[])?;
    walk::texts(document, envelope.object(), places)
}

#[cfg(test)]
mod tests;
