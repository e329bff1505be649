//! The pieces of an answer that streams.

use super::{Block, Finish, Opaque};
use crate::{Dialect, Usage};

/// A piece of an answer that streams.
///
/// What an [`EventReader`](super::EventReader) yields is in order, whatever the provider sends:
///
/// 1. one [`Start`](Event::Start);
/// 2. per choice, blocks one after another: [`BlockStart`](Event::BlockStart), any number of
///    [`Delta`](Event::Delta)s that fit its kind, [`BlockEnd`](Event::BlockEnd). At most one block of a
///    choice is open at a time; choices may interleave. Indexes of a choice's blocks count from 0;
/// 3. per choice one [`Finish`](Event::Finish), after its last block;
/// 4. any number of [`Usage`](Event::Usage)s at any place after the start, each in place of the one before;
/// 5. [`End`](Event::End), once and last. It is missing when the stream broke.
///
/// An [`EventWriter`](super::EventWriter) does not rely on any of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The answer begins.
    Start(Start),
    /// A block begins.
    BlockStart {
        /// The choice it belongs to.
        choice: u32,
        /// Its number among the choice's blocks.
        index: u32,
        /// What it is.
        kind: BlockKind,
    },
    /// The open block of a choice grows.
    Delta {
        /// The choice.
        choice: u32,
        /// By what; never empty.
        delta: Delta,
    },
    /// The open block of a choice ends.
    BlockEnd {
        /// The choice.
        choice: u32,
    },
    /// A choice ends.
    Finish {
        /// The choice.
        choice: u32,
        /// Why.
        finish: Finish,
    },
    /// All tokens so far, in place of any usage before.
    Usage(Usage),
    /// Something that only one dialect knows.
    Opaque(Opaque),
    /// The answer is complete.
    End,
}

/// How an answer begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The dialect it is read from.
    pub dialect: Dialect,
    /// The provider's id of it.
    pub id: Option<String>,
    /// The model that answers, in the provider's words.
    pub model: Option<String>,
    /// When, in seconds since 1970.
    pub created: Option<u64>,
}

/// What a block of a stream is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// Text; grows by [`Delta::Text`], [`Delta::Citations`] and [`Delta::Signature`].
    Text,
    /// Thinking; grows by [`Delta::Thinking`] and [`Delta::Signature`].
    Thinking,
    /// A tool call; grows by [`Delta::Arguments`] and [`Delta::Signature`].
    ToolCall {
        /// Links it to its result; never empty.
        id: String,
        /// The tool's name.
        name: String,
    },
    /// A refusal; grows by [`Delta::Refusal`].
    Refusal,
    /// A block that comes all at once, like an image or redacted thinking; does not grow.
    Whole(Box<Block>),
}

/// By what a block grows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delta {
    /// Text.
    Text(String),
    /// Thinking.
    Thinking(String),
    /// A piece of the arguments' JSON; pieces are cut anywhere.
    Arguments(String),
    /// The refusal's words.
    Refusal(String),
    /// The whole signature of the block.
    Signature(String),
    /// Where text was taken from.
    Citations(Opaque),
    /// How likely the tokens of the text were.
    Logprobs(Opaque),
}
