//! What is remembered of a credential.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::{Cooldown, Failure, Fitness, Turn, Turns, cooldown::Cooling};
use crate::config::{Secret, States};

/// What is remembered of a credential: whether upstreams refuse it.
///
/// A refusal (401 or 403, where these are among the [`Cooldown::trigger_statuses`]) is the fault of the credential,
/// not of the target: every target that uses it cools down, and none that uses another. That ends when the upstream
/// accepts the credential, or with time. Where cooldowns are off, the target's breaker counts refusals.
///
/// By default 401 counts and 403 does not: many upstreams say it about one model, or about what the caller wrote.
pub struct Credential {
    /// Whether `bench` holds something, so that nobody locks it while all is well.
    is_benched: AtomicBool,
    bench: Mutex<Option<Cooling>>,
}

// === impl Credential ===

impl Credential {
    /// One that nobody has refused.
    pub fn new() -> Self {
        Self {
            is_benched: AtomicBool::new(false),
            bench: Mutex::new(None),
        }
    }

    /// The state of the provider key `id` while it holds this secret. Another secret has a state of its own, so a
    /// credential that was corrected is used at once. The secret is remembered by its SHA-256.
    pub fn of(states: &States, id: &str, secret: &Secret) -> Arc<Self> {
        let hash = Sha256::digest(secret.expose());
        let identity = format!("credential:{id}:{}", hex::encode(hash));
        states.state(&identity, Self::new)
    }

    /// What it does to the fitness of the targets that use it, see [`Fitness::and`].
    pub fn fitness(&self, now: Instant) -> Fitness {
        match self.is_benched.load(Ordering::Acquire) {
            true => Fitness::cooling(*self.bench.lock(), now),
            false => Fitness::Fit,
        }
    }

    /// The upstream has accepted it.
    pub(super) fn accepted(&self) {
        if self.is_benched.load(Ordering::Acquire) {
            let mut bench = self.bench.lock();
            *bench = None;
            self.is_benched.store(false, Ordering::Release);
        }
    }

    /// The upstream has refused it. `None` if that has not benched it: settings may know no cooldown.
    pub(super) fn refused(
        &self,
        now: Instant,
        failure: &Failure,
        settings: &Cooldown,
    ) -> Option<Turns> {
        let time = settings.time(failure)?;
        let mut bench = self.bench.lock();
        let is_new = bench.is_none_or(|bench| !bench.lasts(now));
        *bench = Some(Cooling::extended(*bench, now, time, failure.reason()));
        self.is_benched.store(true, Ordering::Release);
        let turn = is_new.then_some(Turn::CredentialRefused { time });
        Some(Turns::new(turn, None))
    }
}

impl Default for Credential {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("bench", &*self.bench.lock())
            .finish()
    }
}
