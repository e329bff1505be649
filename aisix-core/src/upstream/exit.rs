//! How calls leave the gateway.

use std::sync::Arc;

use super::{Transport, encode::Fidelity};
use crate::{body::Body, call::Attempt, models::Member};

/// How calls leave the gateway.
#[derive(Clone)]
pub(crate) enum Exit {
    /// By a transport, which belongs to the worker that took the request.
    Send(Arc<dyn Transport>),
    /// Not at all: what would be sent is shown, and the answer is an empty one.
    Show(Arc<dyn Witness>),
}

// === impl Exit ===

impl Exit {
    /// Whether calls are sent. Where they are only shown, hooks do not run: they may have effects.
    pub(crate) fn sends(&self) -> bool {
        matches!(self, Self::Send(_))
    }
}

/// Is shown what would be sent.
pub(crate) trait Witness: Send + Sync + 'static {
    fn prepared(&self, attempt: &Attempt, prepared: Prepared);

    /// The models that a group has chosen among: first those that it would try, in order.
    fn considered(&self, considered: Vec<Considered>);

    /// The text that a model would be asked for the vector of, to choose by.
    fn embeds(&self, model: &Arc<str>, text: &str);
}

/// A model that a group has chosen among.
#[derive(Clone)]
pub(crate) struct Considered {
    pub(crate) member: Member,
    /// What it does in an ensemble: `panel` or `judge`.
    pub(crate) role: Option<&'static str>,
    /// How often it would be asked again.
    pub(crate) retries: u32,
    /// Why it is not tried, or only when all others have failed.
    pub(crate) reason: Option<String>,
    /// Whether it would go on with a stream of another one that has broken.
    pub(crate) continues: bool,
}

/// A request that is ready to be sent.
pub(crate) struct Prepared {
    pub(crate) request: http::Request<Body>,
    pub(crate) fidelity: Fidelity,
    /// Members that the upstream's dialect cannot say.
    pub(crate) dropped: Vec<String>,
    /// Whether the endpoint has a transport of its own, as a provider in this process has.
    pub(crate) has_own_transport: bool,
}
