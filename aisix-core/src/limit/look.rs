//! How limits stand, looked at without taking anything.

use std::sync::Arc;

use super::{Exceeded, Limit, Rate};

/// How the limits of a claim stand at one moment.
#[derive(Clone, Debug)]
pub struct Look {
    /// The limits in the order of the claim; one that is named twice is there once.
    pub limits: Vec<Reading>,
    /// What the store would answer if the claim were made at this moment.
    pub outcome: Result<(), Exceeded>,
}

/// How one limit stands.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The limit.
    pub limit: Arc<Limit>,
    /// Its rates, in the order in which they are checked.
    pub levels: Vec<Level>,
}

/// How full one rate of a limit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// The rate.
    pub rate: Rate,
    /// Its maximum.
    pub limit: u64,
    /// What is used in the window of now; for slots, the calls that are under way.
    pub used: u64,
    /// Tokens that are reserved by calls under way; 0 for everything else.
    pub reserved: u64,
    /// Seconds until the window ends; 0 for slots.
    pub reset: u64,
    /// Whether the claim would pass this rate.
    pub has_room: bool,
}

// === impl Reading ===

impl Reading {
    /// Whether the claim would pass all rates of this limit.
    pub fn has_room(&self) -> bool {
        self.levels.iter().all(|level| level.has_room)
    }
}

// === impl Level ===

impl Level {
    /// What is left, with reservations taken off.
    pub fn remaining(&self) -> u64 {
        self.limit
            .saturating_sub(self.used)
            .saturating_sub(self.reserved)
    }
}
