//! Where limits are kept.

use std::time::Duration;

use crate::redis_access::{Access, Server};

/// Settings of [`Redis`](super::Redis).
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where Redis is.
    pub access: Access,
    /// What all keys begin with. Default: `aisix:limit`.
    pub prefix: String,
    /// After how long a call that was not settled gives its slot and its reservation back; whole
    /// milliseconds. Default: 300 s.
    pub slot_ttl: Duration,
}

// === impl Settings ===

impl Settings {
    /// The defaults for these servers.
    pub fn new(server: Server) -> Self {
        Self::of(Access::new(server))
    }

    /// The defaults for a Redis that is asked like this.
    pub fn of(access: Access) -> Self {
        Self {
            access,
            prefix: "aisix:limit".to_owned(),
            slot_ttl: Duration::from_secs(300),
        }
    }
}
