//! Official SDKs at the scripted upstream of their own dialect, which shows that it speaks it, and at
//! the gateway for what it says itself.

use aisix_tests::{
    journey::{hears_the_gateway, speaks_to_the_provider},
    sdk::{
        Dialect::{Chat, Gemini, Messages},
        Family::{Node, Python, Vercel},
    },
};

#[tokio::test]
async fn chat_at_the_scripted_provider() {
    tokio::join!(
        speaks_to_the_provider(Python, Chat),
        speaks_to_the_provider(Node, Chat),
        speaks_to_the_provider(Vercel, Chat),
    );
}

#[tokio::test]
async fn messages_at_the_scripted_provider() {
    tokio::join!(
        speaks_to_the_provider(Python, Messages),
        speaks_to_the_provider(Node, Messages),
        speaks_to_the_provider(Vercel, Messages),
    );
}

#[tokio::test]
async fn gemini_at_the_scripted_provider() {
    tokio::join!(
        speaks_to_the_provider(Python, Gemini),
        speaks_to_the_provider(Node, Gemini),
        speaks_to_the_provider(Vercel, Gemini),
    );
}

#[tokio::test]
async fn chat_of_the_gateway_itself() {
    tokio::join!(
        hears_the_gateway(Python, Chat),
        hears_the_gateway(Node, Chat)
    );
}

#[tokio::test]
async fn messages_of_the_gateway_itself() {
    tokio::join!(
        hears_the_gateway(Python, Messages),
        hears_the_gateway(Node, Messages)
    );
}
