//! The four kinds of call that are measured, and how many of each make a window.

use crate::client::Expect;
use crate::crew::Call;
use crate::prompt;
use bytes::Bytes;
use clap::ValueEnum;
use serde::Serialize;
use std::net::SocketAddr;

/// The caller's key, sent with every call.
pub(crate) const CALLER_KEY: &str = "sk-load-0123456789abcdef0123456789abcdef";

/// The models the mock upstream has a script for.
pub(crate) const MODELS: [&str; 3] = ["chat", "stream-200-0", "stream-200-5"];

/// A kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scenario {
    /// A chat of 1 KB
    Small,
    /// A chat of 100 KB
    Large,
    /// A stream of 200 chunks, as fast as they come
    Burst,
    /// A stream of 200 chunks, 5 ms apart
    Paced,
}

impl Scenario {
    /// Its name in the table.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Small => "1 KB chat",
            Self::Large => "100 KB chat",
            Self::Burst => "200-chunk stream, burst",
            Self::Paced => "200-chunk stream, 5 ms apart",
        }
    }

    /// Whether the reply is a stream, whose first token has a time of its own.
    pub(crate) fn is_stream(self) -> bool {
        matches!(self, Self::Burst | Self::Paced)
    }

    /// The CPU per call that is aimed at, as a multiple of the bare proxy's.
    pub(crate) fn aim(self) -> f64 {
        match self {
            Self::Small => 2.0,
            Self::Large => 1.8,
            Self::Burst => 1.3,
            Self::Paced => 1.2,
        }
    }

    /// How many calls a window at the fixed concurrency has; a second or two of work.
    pub(crate) fn busy_calls(self) -> usize {
        match self {
            Self::Small => 20_000,
            Self::Large => 4_000,
            Self::Burst => 1_000,
            Self::Paced => 24,
        }
    }

    /// How many calls a window at concurrency 1 has.
    pub(crate) fn alone_calls(self) -> usize {
        match self {
            Self::Small => 4_000,
            Self::Large => 1_000,
            Self::Burst => 400,
            Self::Paced => 3,
        }
    }

    /// The call, written out for a host.
    pub(crate) fn call(self, host: SocketAddr) -> Call {
        let (model, size) = match self {
            Self::Small => (MODELS[0], 1 << 10),
            Self::Large => (MODELS[0], 100 << 10),
            Self::Burst => (MODELS[1], 1 << 10),
            Self::Paced => (MODELS[2], 1 << 10),
        };
        let expect = match self.is_stream() {
            true => Expect::Chunks(200),
            false => Expect::Chat,
        };
        let body = prompt::chat(model, self.is_stream(), size);
        let mut request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\n\
             Host: {host}\r\n\
             Accept: application/json\r\n\
             Content-Type: application/json\r\n\
             User-Agent: OpenAI/Python 2.8.0\r\n\
             X-Stainless-Lang: python\r\n\
             Authorization: Bearer {CALLER_KEY}\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend(body);
        Call {
            request: Bytes::from(request),
            expect,
        }
    }
}
