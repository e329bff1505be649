//! Where calls go: providers, transports, and the way back.

mod back;
mod classify;
mod encode;
mod exit;
mod headers;
mod hint;
mod provider;
mod recording;
mod relay;
mod send;
mod shape;
mod tape;
mod transport;
mod way;

pub use self::{
    classify::{MAX_REFUSAL, refusal, refused},
    provider::{Endpoint, Provider, Registry, Spec},
    shape::Shape,
    transport::{Sending, Transport},
};
pub(crate) use self::{
    encode::{Fidelity, invalid, wants_usage, write_context},
    exit::{Considered, Exit, Prepared, Witness},
    send::Upstream,
    way::Way,
};

use std::time::Duration;

pub use crate::config::resource::Tls;

/// What holds for every upstream. Resources may override the deadlines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The deadline of an answer that is not a stream. Default: 6 000 s.
    pub timeout: Option<Duration>,
    /// The longest gap in a stream. Default: `timeout`.
    pub stream_timeout: Option<Duration>,
    /// The deadline of the upstream's head. Default: none.
    pub head_timeout: Option<Duration>,
    /// The deadline of a stream's first content. Default: none.
    pub first_token_timeout: Option<Duration>,
    /// Silence after which a heartbeat comment is sent to the client. Default: 15 s.
    pub heartbeat: Option<Duration>,
    /// How often a failed attempt is made again. Default: 2.
    pub retries: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timeout: Some(Duration::from_secs(6_000)),
            stream_timeout: None,
            head_timeout: None,
            first_token_timeout: None,
            heartbeat: Some(Duration::from_secs(15)),
            retries: 2,
        }
    }
}
