//! The test house of AISIX: a scripted provider, the real binary, and the official SDKs.
//!
//! A test names what the provider answers ([`upstream::Upstream`]), starts the gateway in front of it
//! ([`gateway::Gateway`]) and calls it as a caller would, by hand ([`client::Client`]) or through an
//! SDK ([`sdk::Sdk`]). Nothing here sleeps: a test holds the provider back with a
//! [`Gate`](upstream::Gate) and waits for what the other side has *seen*. Every wait is bounded, and
//! panics with what was awaited.
//!
//! ```no_run
//! # async fn example() {
//! use aisix_tests::{client::Client, gateway::{Gateway, Setup}, upstream::{Answer, Flavour, Upstream}};
//!
//! let upstream = Upstream::start(Flavour::OpenAi).await;
//! upstream.on("text", Answer::text(["Hello", " there"]));
//! let gateway = Gateway::start(Setup::new().provider(&upstream).models(["text"])).await;
//! let answer = Client::new(gateway.proxy()).chat("text", "hi").await;
//! assert_eq!(answer.status, 200);
//! # }
//! ```

pub mod client;
pub mod etcd;
pub mod exposition;
pub mod gateway;
pub mod journey;
pub mod redis;
pub mod sdk;
pub mod tls;
pub mod upstream;

mod wait;

pub use wait::{left_in_minute, patiently, room_in_minute, within};
