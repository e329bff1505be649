//! Scripted peers for the tests of hooks, observers and providers. Feature `test-util`.
//!
//! An [`Upstream`] plays the provider: it answers what it is told to, in order, records what it is
//! sent, and sees when the gateway hangs up. [`gateway`] makes a gateway in front of it, with one
//! model ([`MODEL`]) and one caller ([`API_KEY`]); [`Setup`] makes the same gateway with changes.
//!
//! ```
//! use aisix_core::{call::Call, hook, hook::Next, testing::{self, Answer, Setup, Upstream}};
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let upstream = Upstream::new();
//! upstream.answer(Answer::chat("hello"));
//! let gateway = Setup::new()
//!     .builder(&upstream)
//!     .hook(hook::from_fn(async |call: Call, next: Next| {
//!         let mut reply = next.run(call).await?;
//!         reply.headers_mut().insert("x-seen", http::HeaderValue::from_static("yes"));
//!         Ok(reply)
//!     }))
//!     .build()
//!     .unwrap();
//!
//! let response = gateway.oneshot(testing::chat_request("hi")).await.unwrap();
//! assert_eq!(response.headers()["x-seen"], "yes");
//! assert_eq!(testing::text(response).await, testing::chat_answer("hello"));
//! # }
//! ```
//!
//! Time is Tokio's, except for limits, which go by the wall clock: in tests with
//! `#[tokio::test(start_paused = true)]` delays, heartbeats and deadlines take no real time.

mod answer;
mod body;
mod endings;
mod exchange;
mod gate;
mod provider;
mod setup;
mod upstream;

pub use self::{
    answer::{Answer, chat_answer, chunk},
    body::{json, next_text, text},
    endings::{Ending, Endings},
    exchange::{Ended, Exchange, Recorded},
    gate::Gate,
    provider::Plain,
    setup::{API_KEY, MODEL, Setup, UPSTREAM_KEY, UPSTREAM_MODEL, chat_request, gateway, request},
    upstream::Upstream,
};
