//! A point in a script that waits for the test.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// Holds a script until the test opens it. Clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Semaphore>);

// === impl Gate ===

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Lets everything pass, now and from now on.
    pub fn open(&self) {
        self.0.close();
    }

    /// Waits until the gate is open.
    pub async fn passed(&self) {
        // No permit is ever added: the only way on is that the semaphore is closed.
        let _closed = self.0.acquire().await;
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}
