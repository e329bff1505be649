//! What the gateway puts into `encrypted_content`: signatures of providers, which come back with the next request.
//!
//! Callers pass `encrypted_content` on without looking into it, so it carries what no other member can: who
//! signed the thinking, what was thought behind closed doors, and the signature of a tool call. It begins with a
//! prefix of our own, so that what another server encrypted is never taken for a signature.

use bytes::BytesMut;

use crate::Dialect;
use crate::json::{Object, Writer};

const PREFIX: &str = "aisix:";

/// What is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sealed {
    /// The signature of the item's thinking, if it has one.
    Thinking(Option<String>),
    /// Thinking that the provider encrypted.
    Redacted(String),
    /// The signature of a tool call.
    Call { call: String, signature: String },
}

// === impl Sealed ===

impl Sealed {
    /// Writes it; `from` is the dialect of the provider it comes from.
    pub(super) fn write(&self, from: Dialect) -> String {
        let mut out = BytesMut::new();
        Writer::new(&mut out).object(|w| {
            w.name("from").string(from.as_str());
            match self {
                Sealed::Thinking(signature) => w.maybe_string("signature", signature.as_deref()),
                Sealed::Redacted(data) => w.name("redacted").string(data),
                Sealed::Call { call, signature } => {
                    w.name("call").string(call);
                    w.name("signature").string(signature);
                }
            }
        });
        let json = std::str::from_utf8(&out).unwrap_or("{}");
        format!("{PREFIX}{json}")
    }

    /// Reads what [`write`](Self::write) has written; `None` for what others have.
    ///
    /// A signature of thinking is left out unless it is of the one dialect that checks them, because a
    /// provider refuses the signatures of others.
    pub(super) fn read(text: &str) -> Option<Self> {
        let o = Object::scan(text.strip_prefix(PREFIX)?.as_bytes()).ok()?;
        let checked = o.try_text("from").as_deref() == Some(Dialect::Anthropic.as_str());
        let filled = |name| o.try_string(name).filter(|text| !text.is_empty());
        if let Some(call) = filled("call") {
            let signature = filled("signature")?;
            return Some(Sealed::Call { call, signature });
        }
        Some(match filled("redacted") {
            Some(data) => Sealed::Redacted(data),
            None => Sealed::Thinking(filled("signature").filter(|_| checked)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_is_read_again_and_what_others_encrypted_is_not() {
        for sealed in [
            Sealed::Thinking(Some("Ep\"=\n".to_owned())),
            Sealed::Thinking(None),
            Sealed::Redacted("x🦀".to_owned()),
            Sealed::Call {
                call: "c".to_owned(),
                signature: "s".to_owned(),
            },
        ] {
            let text = sealed.write(Dialect::Anthropic);
            assert_eq!(Sealed::read(&text), Some(sealed), "{text}");
        }
        for foreign in [
            "",
            "gAAAA",
            "aisix",
            "aisix:",
            "aisix:[]",
            "{\"from\":\"anthropic\"}",
        ] {
            assert_eq!(Sealed::read(foreign), None, "{foreign}");
        }
        let gemini = Sealed::Thinking(Some("s".to_owned())).write(Dialect::Gemini);
        assert_eq!(Sealed::read(&gemini), Some(Sealed::Thinking(None)));
    }
}
