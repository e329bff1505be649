//! Chance.

/// A source of randomness: quick, and good enough to spread traffic. Not for secrets.
#[derive(Clone, Debug)]
pub struct Random(fastrand::Rng);

// === impl Random ===

impl Random {
    /// A source that begins somewhere else each time.
    pub fn new() -> Self {
        Self(fastrand::Rng::new())
    }

    /// A source that always gives the same. For tests.
    pub fn seeded(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// A number from 0 up to, and without, `end`, each as likely as any other; 0 if `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        match end {
            0 => 0,
            end => self.0.u64(..end),
        }
    }

    /// A number from 0 up to, and without, 1.
    pub fn fraction(&mut self) -> f64 {
        self.0.f64()
    }
}

impl Default for Random {
    fn default() -> Self {
        Self::new()
    }
}
