//! From the caller's dialect to the upstream's.

use aisix_wire::{
    Dialect, Form, Operation,
    chat::{CallerCodec, UpstreamCodec, caller_codec, upstream_codec},
};

/// How the upstream's dialect relates to the caller's.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    /// They are the same: bytes are forwarded.
    Same(Dialect),
    /// They differ: what is said is read in one and written in the other.
    Chat {
        caller: &'static dyn CallerCodec,
        upstream: &'static dyn UpstreamCodec,
        /// The upstream's.
        dialect: Dialect,
    },
    /// Embeddings, asked in OpenAI's dialect of Gemini.
    Embed,
}

// === impl Way ===

impl Way {
    /// The way of an operation to an upstream of `dialect`; `None` when there is none.
    pub(crate) fn of(operation: &Operation, dialect: Dialect) -> Option<Self> {
        if operation.dialect == dialect {
            return Some(Self::Same(dialect));
        }
        match operation.form {
            Form::Chat => Some(Self::Chat {
                caller: caller_codec(operation.dialect)?,
                upstream: upstream_codec(dialect)?,
                dialect,
            }),
            Form::Embed if (operation.dialect, dialect) == (Dialect::OpenAi, Dialect::Gemini) => {
                Some(Self::Embed)
            }
            _ => None,
        }
    }
}
