//! What is fixed when the gateway is built.

use super::{Drain, RealIp, RequestId};

/// The ceiling of request bodies in bytes, also when the limit is set to 0.
pub const MAX_BODY: u64 = 128 * 1024 * 1024;

/// Settings of the edge. The default suits a gateway that clients reach directly.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The largest request body in bytes; 0 means [`MAX_BODY`]. Default: 0.
    pub body_limit: u64,
    /// How the client's address is found. Default: the peer's.
    pub real_ip: RealIp,
    /// Where the request's id comes from. Default: `x-aisix-request-id`, or a new one.
    pub request_id: RequestId,
}

/// [`Settings`], and the handle by which the owner drains the gateway.
#[derive(Debug)]
pub(crate) struct Edge {
    pub(crate) settings: Settings,
    pub(crate) drain: Drain,
}

// === impl Settings ===

impl Settings {
    pub(crate) fn body_limit(&self) -> u64 {
        match self.body_limit {
            0 => MAX_BODY,
            limit => limit.min(MAX_BODY),
        }
    }
}
