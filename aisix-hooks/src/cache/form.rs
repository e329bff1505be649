//! The forms in which an answer is kept.

use aisix_core::{
    call::Call,
    reply::Reply,
    wire::{Dialect, chat::AnswerForm},
};

/// How an answer is written. Answers to one request in several forms are kept beside one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// As one document.
    Whole,
    /// As a stream of events.
    Stream {
        /// Whether it has the usage, where the dialect leaves the choice.
        with_usage: bool,
    },
}

// === impl Form ===

impl Form {
    /// What the caller asks for.
    pub(super) fn wanted(call: &Call) -> Self {
        match call.streams() {
            false => Self::Whole,
            true => Self::Stream {
                with_usage: wants_usage(call),
            },
        }
    }

    /// What was answered: an upstream may leave the wish for a stream unheard.
    pub(super) fn given(self, reply: &Reply) -> Self {
        match (reply.is_event_stream(), self) {
            (false, _) => Self::Whole,
            (true, Self::Stream { with_usage }) => Self::Stream { with_usage },
            (true, Self::Whole) => Self::Stream { with_usage: false },
        }
    }

    pub(super) fn is_stream(self) -> bool {
        matches!(self, Self::Stream { .. })
    }

    pub(super) fn has_usage(self) -> bool {
        self == Self::Stream { with_usage: true }
    }

    /// The same in the words of the formats.
    pub(super) fn of_answer(self) -> AnswerForm {
        match self {
            Self::Whole => AnswerForm::Whole,
            Self::Stream { .. } => AnswerForm::Stream,
        }
    }

    /// What tells it from others in names.
    #[cfg(feature = "redis")]
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Whole => "",
            Self::Stream { with_usage: false } => ":stream",
            Self::Stream { with_usage: true } => ":stream+usage",
        }
    }

    /// The other forms, those first that are closer.
    pub(super) fn others(self) -> [Self; 2] {
        let stream = |with_usage| Self::Stream { with_usage };
        match self {
            Self::Whole => [stream(true), stream(false)],
            Self::Stream { with_usage } => [stream(!with_usage), Self::Whole],
        }
    }
}

/// Whether the caller asked for usage at the end of the stream. Only OpenAI's chats leave the choice.
fn wants_usage(call: &Call) -> bool {
    call.inbound.operation.dialect == Dialect::OpenAi
        && call.inbound.payload.flag_at("stream_options.include_usage")
}
