//! The neutral form of a conversation, and what a dialect does with it.
//!
//! A dialect has a [`CallerCodec`], an [`UpstreamCodec`] or both, which read its requests, answers and streams into
//! this form and write them from it, so that any caller can speak with any provider.
//!
//! Nothing here belongs to one provider. What only some dialects can say has a place of its own if two of
//! them share it, and travels as an [`Opaque`] piece of JSON otherwise. Numbers keep their text.
//!
//! | type | what it is |
//! | --- | --- |
//! | [`Request`] | what a caller asks for |
//! | [`Turn`], [`Block`] | who said what |
//! | [`Tool`], [`ToolChoice`] | what the model may call |
//! | [`Response`], [`Choice`] | a whole answer |
//! | [`Event`] | a piece of an answer that streams |
//! | [`reform`] | the same answer whole, or as a stream |
//! | [`said`], [`say_instead`] | a conversation or an answer as one text, and the other way round |
//! | [`Draw`] | another temperature, or another seed |
//! | [`CallerCodec`], [`UpstreamCodec`], [`EventReader`], [`EventWriter`] | what a dialect implements |

mod assembly;
mod block;
mod codec;
mod draw;
mod event;
mod loss;
mod member;
mod names;
mod raw;
mod reform;
mod request;
mod response;
mod tool;
mod transcript;

pub use self::block::{
    Audio, Block, Content, Document, Image, Role, Source, ToolCall, ToolResult, Turn, call_id,
};
pub use self::codec::{
    CallerCodec, EventReader, EventWriter, StreamError, UpstreamCodec, WriteContext, WriteOptions,
    Written, caller_codec, upstream_codec,
};
pub use self::draw::Draw;
pub use self::event::{BlockKind, Delta, Event, Start};
pub use self::loss::{Losses, OnUnsupported};
pub(crate) use self::member::Member;
pub use self::member::Place;
pub use self::names::Names;
pub use self::raw::{Number, Opaque, Raw};
pub use self::reform::{AnswerForm, reform};
pub use self::request::{
    Effort, Extra, Format, LimitName, OutputLimit, Reasoning, ReasoningMode, Request, Sampling,
    Schema,
};
pub use self::response::{Choice, Finish, FinishReason, Response};
pub use self::tool::{Function, Tool, ToolChoice};
pub use self::transcript::{said, say_instead};
