//! HTTP/1.1 and h2, and their limits.

use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::ListenerSettings;

/// How many requests an h2 client may have open at a time.
const STREAMS: u32 = 200;
/// How often an h2 client is asked whether it still lives, and how long it may take to answer.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_WITHIN: Duration = Duration::from_secs(20);

/// The two protocols, ready to serve. Floods of h2 resets are met by hyper's own bounds.
#[derive(Clone, Debug)]
pub(super) struct Protocols {
    pub(super) one: http1::Builder,
    pub(super) two: http2::Builder<TokioExecutor>,
}

// === impl Protocols ===

impl Protocols {
    /// The protocols within the limits of `settings`.
    pub(super) fn new(settings: &ListenerSettings) -> Self {
        let mut one = http1::Builder::new();
        // hyper's timer would close idle connections too; `connection` tells the two apart.
        one.header_read_timeout(None)
            .max_header_size(settings.max_head_bytes as usize)
            .timer(TokioTimer::new());
        let mut two = http2::Builder::new(TokioExecutor::new());
        two.max_concurrent_streams(STREAMS)
            .max_header_list_size(settings.max_head_bytes)
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_WITHIN)
            .timer(TokioTimer::new());
        Self { one, two }
    }
}
