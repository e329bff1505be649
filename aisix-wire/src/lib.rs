//! The wire formats of LLM APIs as pure functions over bytes: no I/O, no async runtime.
//!
//! | module | what it knows |
//! | --- | --- |
//! | [`envelope`] | validates a JSON document in one pass and finds its top-level members |
//! | [`splice`] | edits members of a document, leaving every other byte as it came |
//! | [`patch`] | takes the steps of JSON Patch on a document, in the same way |
//! | [`sse`] | cuts a byte stream into server-sent events, and writes events |
//! | [`usage`] | token counts in disjoint buckets |
//! | [`chat`] | the neutral form of conversations, into which and from which dialects are translated |
//! | [`openai`] | reads the answers and streams of OpenAI-dialect providers; Responses, for callers |
//! | [`anthropic`] | the same for the Messages dialect |
//! | [`gemini`] | the same for `generateContent`, and its embeddings |
//! | [`error`] | writes errors for callers, reads refusals of upstreams |
//! | [`models`] | writes model listings |
//! | [`operation`] | the table of endpoints and what a request to each must look like |
//!
//! Everything here is bounded and total: no input makes it panic, recurse or grow without limit.
#![forbid(unsafe_code)]

mod added;
pub mod anthropic;
pub mod chat;
pub mod dialect;
pub mod envelope;
pub mod error;
pub mod gemini;
mod json;
pub mod models;
pub mod openai;
pub mod operation;
pub mod patch;
pub mod splice;
pub mod sse;
pub mod usage;

pub use added::add_usage;
pub use dialect::Dialect;
pub use envelope::{Envelope, Kind, Member, ScanError, ScanErrorKind, Span, elements};
pub use error::{
    ErrorBody, ErrorPolicy, Refusal, ResponseError, read_error, write_error, write_error_event,
    write_policy_error,
};
pub use models::{ModelInfo, write_model, write_models};
pub use operation::{
    CHAT_COMPLETIONS, COMPLETIONS, COUNT_TOKENS, EMBEDDINGS, Form, GENERATE_CONTENT, Invalid,
    MESSAGES, OPERATIONS, Operation, RESPONSES, STREAM_GENERATE_CONTENT, Streaming,
};
pub use patch::{Document, PatchError, Pointer};
pub use splice::{Edits, json_string};
pub use usage::Usage;
