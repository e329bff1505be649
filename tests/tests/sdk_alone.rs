//! Official SDKs straight at the scripted upstream of their own dialect, which shows that it speaks it, and at
//! the gateway for what it says itself.

use aisix_tests::{
    journey,
    sdk::{Dialect, Family},
};

/// A module per dialect with a test per family of SDKs.
macro_rules! providers {
    ($($module:ident: $dialect:ident;)*) => {$(
        mod $module {
            use super::{Dialect, Family, journey};

            #[tokio::test]
            async fn by_python() {
                journey::speaks_to_the_provider(Family::Python, Dialect::$dialect).await;
            }

            #[tokio::test]
            async fn by_node() {
                journey::speaks_to_the_provider(Family::Node, Dialect::$dialect).await;
            }

            #[tokio::test]
            async fn by_vercel() {
                journey::speaks_to_the_provider(Family::Vercel, Dialect::$dialect).await;
            }
        }
    )*};
}

providers! {
    chat_at_the_scripted_provider: Chat;
    responses_at_the_scripted_provider: Responses;
    messages_at_the_scripted_provider: Messages;
    gemini_at_the_scripted_provider: Gemini;
}

#[tokio::test]
async fn chat_of_the_gateway_itself_by_python() {
    journey::hears_the_gateway(Family::Python, Dialect::Chat).await;
}

#[tokio::test]
async fn chat_of_the_gateway_itself_by_node() {
    journey::hears_the_gateway(Family::Node, Dialect::Chat).await;
}

#[tokio::test]
async fn messages_of_the_gateway_itself_by_python() {
    journey::hears_the_gateway(Family::Python, Dialect::Messages).await;
}

#[tokio::test]
async fn messages_of_the_gateway_itself_by_node() {
    journey::hears_the_gateway(Family::Node, Dialect::Messages).await;
}
