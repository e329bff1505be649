//! The kinds of call that are measured, and how many of each make a window.

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

/// The models that another dialect's upstream serves: name, script and provider.
pub(crate) const FOREIGN: [(&str, &str, &str); 4] = [
    ("chat@anthropic", "chat", "anthropic"),
    ("stream-200-0@anthropic", "stream-200-0", "anthropic"),
    ("chat@gemini", "chat", "gemini"),
    ("stream-200-0@gemini", "stream-200-0", "gemini"),
];

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
    /// A chat of 1 KB, answered by Anthropic
    ToAnthropic,
    /// A message of 1 KB, answered by OpenAI
    FromAnthropic,
    /// A chat of 1 KB, answered by Gemini
    ToGemini,
    /// A chat, answered by Anthropic with a stream of 200 events, as fast as they come
    BurstToAnthropic,
    /// A message, answered by OpenAI with such a stream
    BurstFromAnthropic,
    /// A chat, answered by Gemini with such a stream
    BurstToGemini,
}

impl Scenario {
    /// Its name in the table.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Small => "1 KB chat",
            Self::Large => "100 KB chat",
            Self::Burst => "200-chunk stream, burst",
            Self::Paced => "200-chunk stream, 5 ms apart",
            Self::ToAnthropic => "1 KB chat to Anthropic",
            Self::FromAnthropic => "1 KB message to OpenAI",
            Self::ToGemini => "1 KB chat to Gemini",
            Self::BurstToAnthropic => "200-event burst from Anthropic",
            Self::BurstFromAnthropic => "200-chunk burst as messages",
            Self::BurstToGemini => "200-event burst from Gemini",
        }
    }

    /// Whether the reply is a stream, whose first token has a time of its own.
    pub(crate) fn is_stream(self) -> bool {
        !matches!(
            self,
            Self::Small | Self::Large | Self::ToAnthropic | Self::FromAnthropic | Self::ToGemini
        )
    }

    /// The kind of call that says the same and is passed on as it is, if this one is translated.
    pub(crate) fn verbatim(self) -> Option<Self> {
        match self {
            Self::Small | Self::Large | Self::Burst | Self::Paced => None,
            Self::ToAnthropic | Self::FromAnthropic | Self::ToGemini => Some(Self::Small),
            Self::BurstToAnthropic | Self::BurstFromAnthropic | Self::BurstToGemini => {
                Some(Self::Burst)
            }
        }
    }

    /// The CPU per call that is aimed at, as a multiple of the bare proxy's; translations have an aim of their own.
    pub(crate) fn aim(self) -> Option<f64> {
        match self {
            Self::Small => Some(2.0),
            Self::Large => Some(1.8),
            Self::Burst => Some(1.3),
            Self::Paced => Some(1.2),
            _ => None,
        }
    }

    /// How many calls a window at the fixed concurrency has; a second or two of work.
    pub(crate) fn busy_calls(self) -> usize {
        match self.verbatim().unwrap_or(self) {
            Self::Large => 4_000,
            Self::Burst => 1_000,
            Self::Paced => 24,
            _ => 20_000,
        }
    }

    /// How many calls a window at concurrency 1 has.
    pub(crate) fn alone_calls(self) -> usize {
        match self.verbatim().unwrap_or(self) {
            Self::Large => 1_000,
            Self::Burst => 400,
            Self::Paced => 3,
            _ => 4_000,
        }
    }

    /// The call, written out for a host.
    pub(crate) fn call(self, host: SocketAddr) -> Call {
        let model = match self {
            Self::Small | Self::Large | Self::FromAnthropic => MODELS[0],
            Self::Burst | Self::BurstFromAnthropic => MODELS[1],
            Self::Paced => MODELS[2],
            Self::ToAnthropic => FOREIGN[0].0,
            Self::BurstToAnthropic => FOREIGN[1].0,
            Self::ToGemini => FOREIGN[2].0,
            Self::BurstToGemini => FOREIGN[3].0,
        };
        let size = match self {
            Self::Large => 100 << 10,
            _ => 1 << 10,
        };
        let messages = matches!(self, Self::FromAnthropic | Self::BurstFromAnthropic);
        let expect = match (self.is_stream(), messages) {
            (true, true) => Expect::Events(200, r#"{"type":"message_stop"}"#),
            (true, false) if self.verbatim().is_some() => Expect::Events(200, "[DONE]"),
            (true, false) => Expect::Chunks(200),
            (false, true) => Expect::Message,
            (false, false) => Expect::Chat,
        };
        let (path, body) = match messages {
            true => (
                "/v1/messages",
                prompt::message(model, self.is_stream(), size),
            ),
            false => (
                "/v1/chat/completions",
                prompt::chat(model, self.is_stream(), size),
            ),
        };
        let mut request = format!(
            "POST {path} HTTP/1.1\r\n\
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
            callers: None,
        }
    }
}
