//! Limits that several processes share, in Redis.
//!
//! [`Redis`] is a [`LimitStore`](aisix_core::limit::LimitStore): what a limit counts is kept under its
//! key in Redis, and one script, which runs there at once and alone, decides on each limit of a call.
//! Windows are aligned to the clock of Redis, so that nodes need not agree on the time.
//!
//! # How much too many
//!
//! While Redis answers, a window admits no more than its maximum, however many nodes ask. Tokens cross it
//! by one call that was alone, or by what those under way used beyond their estimates, and nothing is
//! admitted then, as in memory. The limits of a call are taken at the same time, and those already taken are given back when another has no room: until then, they may refuse
//! other calls, and never admit one too many.
//!
//! # When Redis is away
//!
//! A call that gets no answer within [`Access::answer_timeout`] is counted by this process alone, and so is
//! every call after it, without asking, until the [`Driver`] has reached Redis again: it tries with
//! pauses of 0.1 s to 1 s. No call fails for it. A window in which Redis was away admits at most its maximum
//! from Redis and once more from each node. That holds for the start too.
//!
//! [`look`](aisix_core::limit::LimitStore::look) asks Redis likewise, and tells what this process counts when it gets no
//! answer. Looking changes nothing, this state included.
//!
//! What ends a call goes through a bounded queue. When it is full, or Redis is lost just then, a call is not
//! settled: its slot and its reservation age out after [`Settings::slot_ttl`], as those of a
//! node that was killed do. A call that takes longer than that loses its slot while it goes on.
//!
//! ```
//! use aisix_core::{Gateway, config::Config};
//! use aisix_hooks::limit_redis::{Redis, Server, Settings};
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//!
//! let server = Server::Single { url: "redis://127.0.0.1:6379".into() };
//! let (limits, mut driver) = Redis::new(Settings::new(server), |_| {})?;
//! driver.connect().await; // so that the first calls are counted together, too
//! tokio::spawn(driver.run());
//! let gateway = Gateway::builder(Config::builder().build()).limits(limits);
//! # drop(gateway);
//! # Ok(())
//! # }
//! ```

mod driver;
mod hold;
mod script;
mod settings;
mod store;

pub use self::{driver::Driver, settings::Settings, store::Redis};
pub use crate::redis_access::{Access, Invalid, Operation, Server, Standing, Tls};
