//! Providers for `aisix-core`: where the dialects are hosted, and the way there.
//!
//! | provider | dialect | default address |
//! | --- | --- | --- |
//! | [`OpenAi`] | OpenAI | `https://api.openai.com/v1` |
//! | [`DeepSeek`] | OpenAI, with DeepSeek's deviations | `https://api.deepseek.com` |
//! | [`Anthropic`] | Anthropic | `https://api.anthropic.com` |
//! | [`Gemini`] | Gemini | `https://generativelanguage.googleapis.com/v1beta` |
//! | [`Compatible`] | OpenAI | none: `api_base` is required |
//! | [`Mock`] | OpenAI | in this process |
//!
//! [`registry`] has all of them. [`http::Client`] is the transport of the `aisix` binary;
//! `reqwest::Client` can be used instead with the feature `reqwest`.
#![forbid(unsafe_code)]

mod address;
mod anthropic;
mod bearer;
mod compatible;
mod deepseek;
mod front;
mod gemini;
#[cfg(feature = "http")]
pub mod http;
mod mock;
mod openai;
#[cfg(feature = "reqwest")]
mod reqwest;

use aisix_core::upstream::Registry;

#[cfg(feature = "reqwest")]
pub use self::reqwest::Reqwest;
pub use self::{
    anthropic::Anthropic,
    compatible::Compatible,
    deepseek::DeepSeek,
    gemini::Gemini,
    mock::{Mock, MockServer},
    openai::OpenAi,
};

/// All providers of this crate, under their names.
pub fn registry() -> Registry {
    Registry::new()
        .provider(OpenAi)
        .provider(DeepSeek)
        .provider(Anthropic)
        .provider(Gemini)
        .provider(Mock)
        .adapter(Compatible)
        .adapter(Anthropic)
}
