//! Telling conversations apart.

use aisix_wire::{
    Envelope, Form, Member,
    envelope::{Kind, Span, elements},
};
use smallvec::SmallVec;

use crate::{balance::hash, call::Call};

/// Of a text that is longer than two of these, in bytes, the first and the last of it are looked at.
const HALF: usize = 256;
/// How many messages, and parts of a message, are looked at.
const MOST: usize = 8;
/// A message that is longer, in bytes, is not taken apart.
const LONGEST: usize = 64 * 1024;
/// The members that hold what the model is told besides the messages, in any dialect.
const INSTRUCTIONS: [&str; 4] = [
    "system",
    "instructions",
    "systemInstruction",
    "system_instruction",
];
/// The members that hold the messages.
const MESSAGES: [&str; 3] = ["messages", "input", "contents"];
/// What moves from message to message while a conversation grows.
const MARKER: &str = "cache_control";
/// Between texts.
const END: &[u8] = &[0xff];

/// What all requests of a conversation have in common, in pieces.
struct Beginning<'b> {
    bytes: &'b [u8],
    pieces: SmallVec<[&'b [u8]; 32]>,
}

/// Tells the conversation of a call from others: a hash of the caller's key, the model, and the instructions, tools and first message of a
/// user as they stand in the body, the same on every node. `None` if the call goes on with none, or does not tell how it has begun.
///
/// At most some 9 KB are hashed. What is quoted stays as it was written, and is not decoded. A part that is a text is the
/// same as that text alone, and `cache_control` does not count, because clients move it as the conversation grows.
pub(super) fn conversation(call: &Call) -> Option<u64> {
    let payload = &call.inbound.payload;
    let is_chat = call.inbound.operation.form == Form::Chat;
    // The rest of it is at the upstream.
    let is_told = ["previous_response_id", "conversation"]
        .iter()
        .all(|name| payload.member(name).is_none_or(|it| it.kind == Kind::Null));
    if !is_chat || !is_told {
        return None;
    }
    let mut beginning = Beginning {
        bytes: payload.bytes(),
        pieces: SmallVec::new(),
    };
    let (caller, model) = (call.caller().id(), call.requested_model());
    beginning
        .pieces
        .extend([caller.as_bytes(), END, model.as_bytes(), END]);
    for name in INSTRUCTIONS {
        if let Some(told) = payload.member(name) {
            beginning.content(told.value.clone(), told.kind);
        }
    }
    if let Some(tools) = payload.member("tools") {
        beginning.text(tools.value.clone());
    }
    let mut messages = MESSAGES.iter().filter_map(|name| payload.member(name));
    beginning.messages(messages.next()?);
    Some(hash(&beginning.pieces))
}

// === impl Beginning ===

impl<'b> Beginning<'b> {
    /// Takes what comes before the first message of a user, and that one.
    fn messages(&mut self, messages: &Member) {
        if messages.kind != Kind::Array {
            return self.text(messages.value.clone());
        }
        for (span, kind) in elements(self.bytes, messages.value.clone()).take(MOST) {
            let is_long = kind != Kind::Object || span.len() > LONGEST;
            let Some(message) = self.open(span.clone(), !is_long) else {
                return self.text(span);
            };
            let role = message.member(self.bytes, "role");
            let role = role.and_then(|role| role.as_str(self.bytes));
            let mut contents = ["content", "parts"].iter();
            match contents.find_map(|name| message.member(self.bytes, name)) {
                Some(content) => self.content(content.value.clone(), content.kind),
                None => self.text(span),
            }
            if !matches!(role.as_deref(), Some("system" | "developer")) {
                return;
            }
        }
    }

    /// Takes a text, or parts that are texts or something else.
    fn content(&mut self, span: Span, kind: Kind) {
        match kind {
            Kind::Array => {
                for (span, kind) in elements(self.bytes, span).take(MOST) {
                    self.part(span, kind);
                }
            }
            kind => self.part(span, kind),
        }
    }

    fn part(&mut self, span: Span, kind: Kind) {
        let is_short = kind == Kind::Object && span.len() <= LONGEST;
        let Some(part) = self.open(span.clone(), is_short) else {
            return self.text(span);
        };
        if let Some(text) = part.member(self.bytes, "text") {
            return self.text(text.value.clone());
        }
        if let Some(parts) = part.member(self.bytes, "parts") {
            for (span, _) in elements(self.bytes, parts.value.clone()).take(MOST) {
                self.text(span);
            }
            return;
        }
        let counts = |member: &&Member| !member.is_named(self.bytes, MARKER);
        let members = part.members().iter().filter(counts);
        let spans: SmallVec<[Span; MOST]> = members.map(|it| it.value.clone()).take(MOST).collect();
        for span in spans {
            self.text(span);
        }
    }

    fn open(&self, object: Span, opens: bool) -> Option<Envelope> {
        opens
            .then(|| Envelope::scan_at(self.bytes, object).ok())
            .flatten()
    }

    /// Takes a value as it is written: the first and the last of it.
    fn text(&mut self, span: Span) {
        let text = self.bytes.get(span).unwrap_or_default();
        match text.len() <= 2 * HALF {
            true => self.pieces.push(text),
            false => {
                let last = &text[text.len() - HALF..];
                self.pieces.extend([&text[..HALF], last]);
            }
        }
        self.pieces.push(END);
    }
}
