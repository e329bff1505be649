//! Reading what an upstream says went wrong.

use crate::{Envelope, Kind, Member, elements};

/// How many characters of an upstream's message are kept.
const MAX_MESSAGE: usize = 4096;

/// How many characters of an upstream's type, code or parameter are kept.
const MAX_WORD: usize = 256;

/// What an upstream said went wrong, cut to bounded lengths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// What went wrong, in the upstream's words; at most 4096 characters, possibly none.
    pub message: String,
    /// Its `type`, or its `status` where that is a word.
    pub kind: Option<String>,
    /// Its `code`, or the `error_code` of its `details`; numbers as text.
    pub code: Option<String>,
    /// Its `param`.
    pub param: Option<String>,
}

/// Finds an error in the body of an upstream's refusal.
///
/// Understands the envelopes of OpenAI and Anthropic, Gemini's object and array, `{"error": "text"}`, and
/// bare `{"message": …}` and `{"detail": …}`. `None` when the body is not JSON or says nothing of the kind.
pub fn read_error(body: &[u8]) -> Option<Refusal> {
    let start = body.iter().position(|byte| !byte.is_ascii_whitespace())?;
    let envelope = if body[start] == b'[' {
        let (first, _) = elements(body, start..body.len()).next()?;
        Envelope::scan_at(body, first).ok()?
    } else {
        Envelope::scan(body, &[]).ok()?
    };
    if let Some(error) = error_member(body, &envelope) {
        return Some(refusal(body, error));
    }
    let said = ["message", "detail"]
        .iter()
        .any(|name| envelope.member(body, name).is_some());
    said.then(|| read_object(body, &envelope))
}

/// The member that tells of an error: `error`, when it is an object or a text that is not empty.
pub(crate) fn error_member<'a>(body: &[u8], envelope: &'a Envelope) -> Option<&'a Member> {
    envelope
        .member(body, "error")
        .filter(|error| match error.kind {
            Kind::Object => true,
            Kind::String => error.value.len() > 2,
            _ => false,
        })
}

/// Reads the member that [`error_member`] found.
pub(crate) fn refusal(body: &[u8], error: &Member) -> Refusal {
    match Envelope::scan_at(body, error.value.clone()) {
        Ok(object) => read_object(body, &object),
        Err(_) => Refusal {
            message: text(body, error, MAX_MESSAGE).unwrap_or_default(),
            ..Refusal::default()
        },
    }
}

fn read_object(body: &[u8], object: &Envelope) -> Refusal {
    let find = |names: &[&str], max| {
        names
            .iter()
            .find_map(|name| text(body, object.member(body, name)?, max))
    };
    // Anthropic has no codes of its own but where its SDKs go on by them.
    let detail = || {
        let details = object.member(body, "details")?;
        let details = Envelope::scan_at(body, details.value.clone()).ok()?;
        text(body, details.member(body, "error_code")?, MAX_WORD)
    };
    Refusal {
        message: find(&["message", "detail"], MAX_MESSAGE).unwrap_or_default(),
        kind: find(&["type", "status"], MAX_WORD),
        code: find(&["code"], MAX_WORD).or_else(detail),
        param: find(&["param"], MAX_WORD),
    }
}

/// The text of a string or number, cut; empty strings say nothing.
fn text(body: &[u8], member: &Member, max: usize) -> Option<String> {
    let text = match member.kind {
        Kind::String => member.as_str(body)?,
        Kind::Number => String::from_utf8_lossy(member.raw(body)),
        _ => return None,
    };
    if text.is_empty() {
        return None;
    }
    let end = text
        .char_indices()
        .nth(max)
        .map_or(text.len(), |(end, _)| end);
    Some(text[..end].to_owned())
}
