//! A point in a reply where the upstream waits until the test lets it go on.

use tokio::sync::watch;

use crate::within;

/// Holds a scripted reply until the test opens it. Clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate {
    open: watch::Sender<bool>,
    reached: watch::Sender<bool>,
}

impl Gate {
    /// Makes a closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self {
            open: watch::Sender::new(false),
            reached: watch::Sender::new(false),
        }
    }

    /// Lets every reply that waits here, or will come here, go on.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    /// Waits until a reply has come to the gate: everything scripted before it has been handed over.
    pub async fn reached(&self) {
        let mut reached = self.reached.subscribe();
        let seen = within(
            "a reply to reach the gate",
            reached.wait_for(|reached| *reached),
        )
        .await;
        seen.expect("the gate holds the sender");
    }

    pub(super) async fn pass(&self) {
        self.reached.send_replace(true);
        let mut open = self.open.subscribe();
        open.wait_for(|open| *open)
            .await
            .expect("the gate holds the sender");
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}
