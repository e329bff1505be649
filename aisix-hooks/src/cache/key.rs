//! What makes two calls the same.

use std::fmt;

use aisix_core::{
    call::Call,
    models::Model,
    wire::{Dialect, Form as Work, Kind},
};

use super::{
    canonical,
    form::Form,
    semantic::{self, Question},
    settings::CacheScope,
};

/// What makes two calls the same: a hash of everything that the answer depends on but its form.
///
/// 256 bits of BLAKE3, so that nobody finds two requests that share one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint([u8; 32]);

/// What an answer is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) fingerprint: Fingerprint,
    pub(super) form: Form,
}

/// What fingerprints of one cache have in common.
#[derive(Debug)]
pub(super) struct Prints {
    /// Which cache it is: what stands behind it in the chain may differ from what stands behind another.
    pub(super) identity: String,
    pub(super) scope: CacheScope,
    pub(super) purge_generation: u64,
}

/// Which version of the gateway's own ideas a fingerprint is of.
const VERSION: &[u8] = b"aisix-cache 1";
/// What tells the rest of a call from a whole one.
const REST: &[u8] = b"rest";

// === impl Prints ===

impl Prints {
    /// The fingerprint of a call; `None` when the answer depends on what the request does not tell.
    pub(super) fn of(&self, call: &Call) -> Option<Fingerprint> {
        if is_stateful(call) {
            return None;
        }
        let mut out = Vec::with_capacity(call.bytes().len() + 512);
        self.write_place(call, &mut out);
        write_headers(call, &mut out);
        write_members(call, None, &mut out);
        Some(Fingerprint::of(&out))
    }

    /// The fingerprint of all but what a call asks last, which this model has made a vector of: vectors of calls that share
    /// it can be compared. It is no fingerprint of a whole call.
    pub(super) fn of_rest(&self, call: &Call, question: &Question, model: &Model) -> Fingerprint {
        let bytes = call.bytes();
        let mut out = Vec::with_capacity(bytes.len() + 512);
        canonical::write_text(REST, &mut out);
        for part in semantic::origin(model) {
            canonical::write_text(part.as_bytes(), &mut out);
        }
        self.write_place(call, &mut out);
        write_headers(call, &mut out);
        out.extend_from_slice(&(question.before.len() as u64).to_le_bytes());
        for message in &question.before {
            canonical::write(bytes.get(message.clone()).unwrap_or_default(), &mut out);
        }
        write_members(call, Some(question.conversation), &mut out);
        Fingerprint::of(&out)
    }

    /// Whose call it is, and where it goes.
    fn write_place(&self, call: &Call, out: &mut Vec<u8>) {
        let operation = call.inbound.operation;
        let caller = match self.scope {
            CacheScope::ApiKey => call.caller().id(),
            CacheScope::Env => "",
        };
        let parts: [&[u8]; 9] = [
            VERSION,
            self.identity.as_bytes(),
            &self.purge_generation.to_le_bytes(),
            &[u8::from(self.scope == CacheScope::Env)],
            caller.as_bytes(),
            operation.dialect.as_str().as_bytes(),
            work(operation.form).as_bytes(),
            call.model.id().as_bytes(),
            call.requested_model().as_bytes(),
        ];
        for part in parts {
            canonical::write_text(part, out);
        }
        for target in call.model.targets() {
            canonical::write_text(target.model_name().as_bytes(), out);
            canonical::write_text(target.key().id().as_bytes(), out);
        }
        if let Some(recipe) = call.model.recipe() {
            canonical::write_text(recipe.as_bytes(), out);
        }
    }
}

/// Headers by which an upstream may answer.
fn write_headers(call: &Call, out: &mut Vec<u8>) {
    let headers = &call.inbound.head.headers;
    let protocol = ["anthropic-version", "anthropic-beta", "openai-beta"];
    let protocol = protocol.into_iter().flat_map(|name| {
        let values = headers.get_all(name).into_iter();
        values.map(move |value| (name, value))
    });
    let targets = call.model.targets();
    let forwarded = targets.flat_map(|target| target.forwarded(headers));
    let forwarded = forwarded.map(|(name, value)| (name.as_str(), value));
    let mut all: Vec<_> = protocol.chain(forwarded).collect();
    all.sort_by_key(|(name, _)| *name);
    out.extend_from_slice(&(all.len() as u64).to_le_bytes());
    for (name, value) in all {
        canonical::write_text(name.as_bytes(), out);
        canonical::write_text(value.as_bytes(), out);
    }
}

/// The members that count, but for one that is written elsewhere.
fn write_members(call: &Call, without: Option<&str>, out: &mut Vec<u8>) {
    let (bytes, payload) = (call.bytes(), &call.inbound.payload);
    let ignored = ignored(call.inbound.operation.dialect);
    let members = payload.envelope().members().iter();
    let mut members: Vec<_> = members
        .filter_map(|member| {
            let name = member.decoded_name(bytes)?;
            let counts = !ignored.contains(&&*name) && without != Some(&*name);
            counts.then_some((name, member))
        })
        .collect();
    members.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (name, member) in members {
        canonical::write_text(name.as_bytes(), out);
        canonical::write(member.raw(bytes), out);
    }
}

/// Members on which the answer does not depend: what makes it a stream, and who asks. The model is named elsewhere.
fn ignored(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::OpenAi => &[
            "model",
            "stream",
            "stream_options",
            "user",
            "metadata",
            "safety_identifier",
            "prompt_cache_key",
            "prompt_cache_retention",
        ],
        // Here answers repeat what the request says.
        Dialect::Responses => &["model", "stream", "stream_options"],
        Dialect::Anthropic => &["model", "stream", "metadata"],
        Dialect::Gemini => &["labels"],
        _ => &[],
    }
}

/// Whether the answer depends on more than the request, or is not there yet when it comes.
fn is_stateful(call: &Call) -> bool {
    let payload = &call.inbound.payload;
    let is_set = |name| payload.member(name).is_some_and(|it| it.kind != Kind::Null);
    call.inbound.operation.dialect == Dialect::Responses
        && (is_set("conversation") || payload.flag("background"))
}

fn work(form: Work) -> &'static str {
    match form {
        Work::Chat => "chat",
        Work::Complete => "complete",
        Work::Embed => "embed",
        _ => "other",
    }
}

// === impl Fingerprint ===

impl Fingerprint {
    pub(super) fn of(facts: &[u8]) -> Self {
        Self(blake3::hash(facts).into())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
