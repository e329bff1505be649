//! The official Node packages `openai` and `@anthropic-ai/sdk` against the running binary.

use aisix_tests::{journey, sdk::Language::Node};

#[tokio::test]
async fn sdk_speaks_to_the_scripted_upstream() {
    journey::speaks_to_the_scripted_upstream(Node).await;
}

#[tokio::test]
async fn sdk_cannot_tell_the_gateway_from_the_provider() {
    journey::cannot_tell_the_gateway_from_the_provider(Node).await;
}

#[tokio::test]
async fn sdk_understands_what_the_gateway_says() {
    journey::understands_what_the_gateway_says(Node).await;
}

#[tokio::test]
async fn sdk_cancels_at_the_upstream() {
    journey::cancels_at_the_upstream(Node).await;
}

#[tokio::test]
async fn sdk_speaks_to_the_scripted_messages() {
    journey::messages::speaks_to_the_scripted_messages(Node).await;
}

#[tokio::test]
async fn sdk_cannot_tell_the_gateway_from_anthropic() {
    journey::messages::cannot_tell_the_gateway_from_anthropic(Node).await;
}

#[tokio::test]
async fn sdk_cannot_tell_openai_from_anthropic() {
    journey::messages::cannot_tell_openai_from_anthropic(Node).await;
}

#[tokio::test]
async fn sdk_understands_the_gateway_in_messages() {
    journey::messages::understands_the_gateway_in_messages(Node).await;
}

#[tokio::test]
async fn sdk_calls_anthropic_as_if_it_were_openai() {
    journey::messages::calls_anthropic_as_if_it_were_openai(Node).await;
}
