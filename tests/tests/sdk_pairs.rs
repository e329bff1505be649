//! Official SDKs of every dialect at every provider, through the running binary.

use aisix_tests::{
    journey::{self, Provider},
    sdk::{Dialect, Family},
};

/// A module per pair with a test per family of SDKs: `pair: Dialect at Provider by Family…;`.
macro_rules! pairs {
    ($($pair:ident: $dialect:ident at $provider:ident;)*) => {$(
        mod $pair {
            use super::{Dialect, Family, Provider, journey};

            #[tokio::test]
            async fn by_python() {
                journey::speaks_through_the_gateway(Family::Python, Dialect::$dialect, Provider::$provider).await;
            }

            #[tokio::test]
            async fn by_node() {
                journey::speaks_through_the_gateway(Family::Node, Dialect::$dialect, Provider::$provider).await;
            }

            #[tokio::test]
            async fn by_vercel() {
                journey::speaks_through_the_gateway(Family::Vercel, Dialect::$dialect, Provider::$provider).await;
            }
        }
    )*};
}

pairs! {
    chat_at_openai: Chat at OpenAi;
    chat_at_deepseek: Chat at DeepSeek;
    chat_at_anthropic: Chat at Anthropic;
    chat_at_gemini: Chat at Gemini;

    messages_at_openai: Messages at OpenAi;
    messages_at_deepseek: Messages at DeepSeek;
    messages_at_anthropic: Messages at Anthropic;
    messages_at_gemini: Messages at Gemini;

    responses_at_openai: Responses at OpenAi;
    responses_at_deepseek: Responses at DeepSeek;
    responses_at_anthropic: Responses at Anthropic;
    responses_at_gemini: Responses at Gemini;

    gemini_at_openai: Gemini at OpenAi;
    gemini_at_deepseek: Gemini at DeepSeek;
    gemini_at_anthropic: Gemini at Anthropic;
    gemini_at_gemini: Gemini at Gemini;
}
