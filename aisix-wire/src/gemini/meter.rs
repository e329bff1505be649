//! What passes in a stream, and what a whole answer tells.

use super::{errors, usage};
use crate::json::Object;
use crate::openai::{Mark, ResponseFacts};
use crate::{Kind, ResponseError, ScanErrorKind, Usage};

/// Looks on while a stream of answers passes, and keeps count.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    usage: Option<Usage>,
    finished: bool,
    text_bytes: u64,
}

// === impl Meter ===

impl Meter {
    /// Nothing has passed yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the data of one event into account and says what it is.
    ///
    /// An event with content and a finish reason is [`Mark::Content`]; [`finished`](Self::finished) tells.
    /// There is never a [`Mark::UsageOnly`], since usage stands in events that every reader needs, nor a
    /// [`Mark::Done`], since nothing but the end of the connection ends the stream. Thoughts are content.
    pub fn observe(&mut self, data: &[u8]) -> Mark {
        let Ok(event) = Object::scan(data) else {
            return errors::of_array(data).map_or(Mark::Malformed, Mark::Error);
        };
        if let Some(refusal) = errors::of_answer(&event) {
            return Mark::Error(refusal);
        }
        let usage = event.try_object("usageMetadata");
        self.usage = usage.as_ref().and_then(usage::read).or(self.usage);
        let (mut content, mut finish) = (false, false);
        for candidate in event.try_items("candidates").filter_map(|c| c.as_object()) {
            finish |= candidate.has("finishReason");
            let parts = candidate.try_object("content");
            for part in parts.iter().flat_map(|content| content.try_items("parts")) {
                content |= part.as_object().is_some_and(|part| self.part(&part));
            }
        }
        finish |= block_reason(&event).is_some();
        self.finished |= finish;
        match (content, finish) {
            (true, _) => Mark::Content,
            (_, true) => Mark::Finish,
            _ => Mark::Preamble,
        }
    }

    /// The latest usage that passed; it counts everything from the start.
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// Whether a candidate has given its finish reason, or the prompt was blocked.
    pub fn finished(&self) -> bool {
        self.finished
    }

    /// Whether the stream may end here; the same as [`finished`](Self::finished).
    pub fn done(&self) -> bool {
        self.finished
    }

    /// How many bytes of content have passed, escapes as they came; for estimates when usage never comes.
    pub fn text_bytes(&self) -> u64 {
        self.text_bytes
    }

    /// Counts a part; says whether it holds something.
    fn part(&mut self, part: &Object<'_>) -> bool {
        if let Some(text) = part.get("text") {
            return self.count(text.size().saturating_sub(2));
        }
        if let Some(call) = part.get("functionCall") {
            self.count(call.size());
            return true;
        }
        part.members()
            .any(|(name, value)| name != "thoughtSignature" && value.kind() == Kind::Object)
    }

    fn count(&mut self, bytes: usize) -> bool {
        self.text_bytes = self.text_bytes.saturating_add(bytes as u64);
        bytes > 0
    }
}

/// Reads what the gateway wants to know of an answer; white space before it is skipped.
///
/// The finish reason of a prompt that was blocked is the `blockReason`.
///
/// # Errors
/// See [`ResponseError`].
pub fn read_facts(body: &[u8]) -> Result<ResponseFacts, ResponseError> {
    let answer = scan(body)?;
    let mut candidates = answer.try_items("candidates").filter_map(|c| c.as_object());
    let finish = candidates
        .next()
        .and_then(|first| first.try_string("finishReason"));
    Ok(ResponseFacts {
        usage: answer
            .try_object("usageMetadata")
            .as_ref()
            .and_then(usage::read),
        id: answer.try_string("responseId"),
        model: answer.try_string("modelVersion"),
        finish_reason: finish.or_else(|| block_reason(&answer)),
    })
}

/// Validates a whole answer.
pub(super) fn scan(body: &[u8]) -> Result<Object<'_>, ResponseError> {
    let answer = Object::scan(body).map_err(|error| {
        let blank = error.kind == ScanErrorKind::Syntax && error.at == body.len();
        match blank && body.iter().all(u8::is_ascii_whitespace) {
            true => ResponseError::Empty,
            false => errors::of_array(body).map_or(ResponseError::NotJson, ResponseError::InBand),
        }
    })?;
    match errors::of_answer(&answer) {
        Some(refusal) => Err(ResponseError::InBand(refusal)),
        None => Ok(answer),
    }
}

/// Why the prompt was not looked at.
pub(super) fn block_reason(answer: &Object<'_>) -> Option<String> {
    answer
        .try_object("promptFeedback")?
        .try_string("blockReason")
        .filter(|reason| reason != "BLOCK_REASON_UNSPECIFIED")
}
