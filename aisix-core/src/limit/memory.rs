//! Counts in this process.

use std::{
    collections::HashMap,
    fmt,
    future::{Future, ready},
    hash::{BuildHasher, RandomState},
    pin::Pin,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    Claim, Exceeded, Hold, Limit, LimitStore, Look, Permit, Reading, Settlement,
    counter::{Counter, Full, Share},
    sync::{Mutex, MutexGuard, RwLock, unpoison},
};

/// Shards of the map of counters.
const SHARDS: usize = 16;
/// A shard looks for forgotten counters whenever it has grown by this many.
const SWEEP_EVERY: usize = 1_024;

type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;
type Shared = Arc<Mutex<Counter>>;

/// The store that counts in memory, for one process. The default.
///
/// Counters are found by the limit's key, so that they outlive configuration changes. One that has
/// been idle for its whole window is forgotten, which bounds the memory.
#[derive(Clone)]
pub struct Memory {
    shards: Arc<[RwLock<Shard>]>,
    hasher: RandomState,
    clock: Clock,
}

#[derive(Default)]
struct Shard {
    counters: HashMap<Arc<str>, Shared>,
    sweep_at: usize,
}

struct Held {
    shares: Vec<(Shared, Arc<Limit>, Share)>,
    clock: Clock,
}

// === impl Memory ===

impl Memory {
    /// An empty store on the system's clock.
    pub fn new() -> Self {
        Self::with_clock(|| {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs())
        })
    }

    /// An empty store on another clock, which answers in seconds since the epoch. For tests.
    pub fn with_clock(clock: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            hasher: RandomState::new(),
            clock: Arc::new(clock),
        }
    }

    /// Takes all limits of `claim`, or none.
    ///
    /// # Errors
    ///
    /// [`Exceeded`] names the first limit without room.
    pub fn try_acquire(&self, claim: &Claim) -> Result<Permit, Exceeded> {
        let now = (self.clock)();
        let shared: Vec<Shared> = claim
            .limits
            .iter()
            .map(|l| self.counter(l.key(), now))
            .collect();

        // Every counter is locked before one is changed; always in the order of their addresses, so
        // that two calls never wait for each other. One that is named twice is locked once.
        let mut order: Vec<usize> = (0..shared.len()).collect();
        order.sort_unstable_by_key(|&index| Arc::as_ptr(&shared[index]).addr());
        order.dedup_by_key(|index| Arc::as_ptr(&shared[*index]).addr());
        let mut guards: Vec<(usize, MutexGuard<'_, Counter>)> = order
            .into_iter()
            .map(|index| (index, unpoison(shared[index].lock())))
            .collect();
        guards.sort_unstable_by_key(|&(index, _)| index);

        for (index, guard) in &mut guards {
            let limit = &claim.limits[*index];
            let checked = guard.check(limit, claim.tokens, now);
            checked.map_err(|full| exceeded(limit, &full))?;
        }
        let mut standings = Vec::new();
        let mut shares = Vec::with_capacity(guards.len());
        for (index, guard) in &mut guards {
            let limit = &claim.limits[*index];
            let share = guard.take(limit, claim.tokens, now);
            shares.push((shared[*index].clone(), limit.clone(), share));
            if *index == 0 {
                standings = guard.standings(limit, now);
            }
        }
        drop(guards);
        let held = Held {
            shares,
            clock: self.clock.clone(),
        };
        Ok(Permit::new(held, standings))
    }

    /// Looks at the limits of `claim` and changes nothing: what [`try_acquire`](Self::try_acquire)
    /// would answer at this moment. Other calls may change the counts while it looks.
    pub fn peek(&self, claim: &Claim) -> Look {
        let now = (self.clock)();
        let mut outcome = Ok(());
        let mut limits: Vec<Reading> = Vec::with_capacity(claim.limits.len());
        for limit in &claim.limits {
            if limits.iter().any(|seen| seen.limit.key() == limit.key()) {
                continue;
            }
            let mut counter = self.copy(limit.key());
            outcome = outcome.and_then(|()| {
                let checked = counter.check(limit, claim.tokens, now);
                checked.map_err(|full| exceeded(limit, &full))
            });
            limits.push(Reading {
                limit: limit.clone(),
                levels: counter.levels(limit, claim.tokens, now),
            });
        }
        Look { limits, outcome }
    }

    /// The counts under a key as they are; none where nothing was counted yet.
    fn copy(&self, key: &Arc<str>) -> Counter {
        let found = self.found(key);
        found.map_or_else(Counter::default, |counter| unpoison(counter.lock()).clone())
    }

    fn shard(&self, key: &Arc<str>) -> &RwLock<Shard> {
        &self.shards[self.hasher.hash_one(key) as usize % SHARDS]
    }

    fn found(&self, key: &Arc<str>) -> Option<Shared> {
        unpoison(self.shard(key).read()).counters.get(key).cloned()
    }

    fn counter(&self, key: &Arc<str>, now: u64) -> Shared {
        if let Some(counter) = self.found(key) {
            return counter;
        }
        let mut shard = unpoison(self.shard(key).write());
        if shard.counters.len() >= shard.sweep_at {
            // Nobody can find a counter while its shard is locked for writing, so one that is held
            // by the map alone stays so.
            shard.counters.retain(|_, counter| {
                Arc::strong_count(counter) > 1 || !unpoison(counter.lock()).is_idle(now)
            });
            shard.sweep_at = shard.counters.len() + SWEEP_EVERY;
        }
        shard.counters.entry(key.clone()).or_default().clone()
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("limit::Memory")
    }
}

impl LimitStore for Memory {
    fn acquire<'a>(
        &'a self,
        claim: &'a Claim,
    ) -> Pin<Box<dyn Future<Output = Result<Permit, Exceeded>> + Send + 'a>> {
        Box::pin(ready(self.try_acquire(claim)))
    }

    fn look<'a>(
        &'a self,
        claim: &'a Claim,
    ) -> Pin<Box<dyn Future<Output = Option<Look>> + Send + 'a>> {
        Box::pin(ready(Some(self.peek(claim))))
    }
}

fn exceeded(limit: &Arc<Limit>, full: &Full) -> Exceeded {
    let &Full(rate, retry_after) = full;
    Exceeded {
        limit: limit.clone(),
        rate,
        retry_after,
    }
}

// === impl Held ===

impl Hold for Held {
    fn settle(&self, settlement: Settlement) {
        let now = (self.clock)();
        for (counter, limit, share) in &self.shares {
            let mut counter = unpoison(counter.lock());
            match settlement {
                Settlement::Unused => counter.give_back(limit, *share),
                Settlement::Used(tokens) => counter.settle(limit, *share, tokens, now),
            }
        }
    }
}

#[cfg(test)]
mod tests;
