//! Where limits are counted.

use std::{
    fmt,
    future::{Future, ready},
    pin::Pin,
    sync::Arc,
};

use smallvec::SmallVec;

use super::{Limit, Look, Rate};

/// What a call asks of the limits.
#[derive(Clone, Debug, Default)]
pub struct Claim {
    /// The limits, all of which must have room.
    pub limits: SmallVec<[Arc<Limit>; 4]>,
    /// The estimate of the tokens that the call will use.
    pub tokens: u64,
}

/// The limit that had no room.
#[derive(Clone, Debug)]
pub struct Exceeded {
    /// Which limit.
    pub limit: Arc<Limit>,
    /// Which of its rates.
    pub rate: Rate,
    /// Seconds until the window ends, at least 1; `None` for slots.
    pub retry_after: Option<u64>,
}

/// Where a rate stands after a call was admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The rate.
    pub rate: Rate,
    /// Its maximum.
    pub limit: u64,
    /// What is left of it, with reservations taken off.
    pub remaining: u64,
    /// Seconds until the window ends; 0 for slots.
    pub reset: u64,
}

/// How a call ended, for the counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// Nothing reached an upstream: everything is given back.
    Unused,
    /// The call used this many tokens: reservations are replaced by them.
    Used(u64),
}

/// What a store keeps for a call that is under way.
pub trait Hold: Send + Sync {
    /// Ends the call. Must not block: it may run inside `Drop`.
    fn settle(&self, settlement: Settlement);
}

/// The limits of one call, taken. Dropping it gives everything back.
pub struct Permit {
    hold: Option<Box<dyn Hold>>,
    standings: Vec<Standing>,
}

/// Counts limits.
///
/// `acquire` takes all limits of a claim together or none. It is cancel-safe: a dropped future holds
/// nothing.
pub trait LimitStore: Send + Sync + 'static {
    /// Takes all limits of `claim`.
    ///
    /// # Errors
    ///
    /// [`Exceeded`] names the first limit without room; nothing is counted then. A store that cannot
    /// reach its peers decides by itself whether to count alone; it never fails a call for that.
    fn acquire<'a>(
        &'a self,
        claim: &'a Claim,
    ) -> Pin<Box<dyn Future<Output = Result<Permit, Exceeded>> + Send + 'a>>;

    /// Looks at the limits of `claim` and changes nothing: what [`acquire`](Self::acquire) would answer
    /// at this moment, and why. `None` when it is not known, which is the default.
    fn look<'a>(
        &'a self,
        _claim: &'a Claim,
    ) -> Pin<Box<dyn Future<Output = Option<Look>> + Send + 'a>> {
        Box::pin(ready(None))
    }
}

// === impl Permit ===

impl Permit {
    /// A permit that settles through `hold`. `standings` are those of the claim's first limit.
    pub fn new(hold: impl Hold + 'static, standings: Vec<Standing>) -> Self {
        Self {
            hold: Some(Box::new(hold)),
            standings,
        }
    }

    /// Where the first limit of the claim stands.
    pub fn standings(&self) -> &[Standing] {
        &self.standings
    }

    /// Ends the call.
    pub fn settle(mut self, settlement: Settlement) {
        if let Some(hold) = self.hold.take() {
            hold.settle(settlement);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(hold) = self.hold.take() {
            hold.settle(Settlement::Unused);
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("standings", &self.standings)
            .finish_non_exhaustive()
    }
}
