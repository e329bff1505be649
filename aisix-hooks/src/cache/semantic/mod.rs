//! Requests that are alike: what one was answered is the answer to the other.
//!
//! Alike can be what is asked last, and nothing else. The text of the last message is turned into a vector; whatever stands
//! before it and around it must be the same to the byte, as for the exact layer. A conversation as one vector would
//! say little of its last question, so that two questions about one long text would be taken for one.
//!
//! Vectors lead to answers that the exact layer keeps, by their fingerprints. So an answer is as old, as large and as
//! private as it is there, and gone when it is gone there.

mod embed;
mod index;
mod question;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aisix_core::{
    call::{Call, Trail},
    models::Model,
};
use tokio::time::Instant;

pub(super) use self::question::Question;
use self::{embed::Failure, index::Index};
use super::{
    key::{Fingerprint, Prints},
    settings::SemanticSettings,
};

/// The semantic layer of a cache, compiled.
pub(super) struct Semantic {
    settings: SemanticSettings,
    threshold: f32,
    /// What the cache is called.
    policy: String,
    /// How much memory the vectors take at most, in bytes.
    max_bytes: usize,
    memory: Arc<Memory>,
}

/// What outlives changes of the configuration.
#[derive(Default)]
pub(super) struct Memory {
    index: Index,
    /// Whether the last request got no vector, which is logged once.
    is_failing: AtomicBool,
    /// Whether it was logged that Redis finds nothing that is alike.
    is_told_of_redis: AtomicBool,
}

/// Where a request stands among others.
#[derive(Clone)]
pub(super) struct Place {
    /// What requests must share to be alike.
    pub(super) rest: Fingerprint,
    /// Of length one.
    pub(super) vector: Arc<[f32]>,
}

/// What came of looking at a request.
#[derive(Default)]
pub(super) struct Look {
    /// `None` when it can be like no other, or nobody could tell.
    pub(super) place: Option<Place>,
    /// How long the vector took.
    took: Option<Duration>,
    failure: Option<Failure>,
}

// === impl Semantic ===

impl Semantic {
    pub(super) fn new(
        settings: SemanticSettings,
        policy: String,
        max_bytes: u64,
        memory: Arc<Memory>,
    ) -> Self {
        Self {
            threshold: settings.threshold as f32,
            settings,
            policy,
            max_bytes: usize::try_from(max_bytes).unwrap_or(usize::MAX),
            memory,
        }
    }

    /// Finds where a call stands, by asking the embedding model. Cannot fail: what goes wrong is told in the look.
    pub(super) async fn look(&self, call: &Call, prints: &Prints) -> Look {
        let Some(question) = Question::of(call) else {
            return Look::default();
        };
        let name = &self.settings.embedding_model;
        let Some(model) = call.inbound.config.model(name).cloned() else {
            let reason = "there is no such model";
            return self.failed(Failure::Resolve, reason, None);
        };
        let since = Instant::now();
        let deadline = match self.settings.embedding_timeout_ms {
            0 => None,
            milliseconds => Some(Duration::from_millis(milliseconds)),
        };
        let vector = embed::vector(call, name, &question.text, deadline).await;
        let took = Some(since.elapsed());
        match vector {
            Ok(vector) => {
                self.succeeded();
                let rest = prints.of_rest(call, &question, &model);
                let place = Some(Place { rest, vector });
                Look {
                    place,
                    took,
                    failure: None,
                }
            }
            Err((failure, reason)) => self.failed(failure, &reason, took),
        }
    }

    /// The fingerprints of requests that are like this one, most alike first, with how alike they are.
    pub(super) async fn near(&self, place: &Place) -> Vec<(f32, Fingerprint)> {
        self.memory.index.near(place, self.threshold).await
    }

    /// Remembers where a request stands whose answer is kept.
    pub(super) fn keep(&self, place: &Place, fingerprint: Fingerprint) {
        let most = self.settings.max_entries as usize;
        let index = &self.memory.index;
        index.put(place, fingerprint, most, self.max_bytes);
    }

    /// Notes that somebody could use it.
    pub(super) fn used(&self, place: &Place, fingerprint: Fingerprint) {
        self.memory.index.touch(place.rest, fingerprint);
    }

    /// Forgets a request whose answer has gone.
    pub(super) fn forget(&self, place: &Place, fingerprint: Fingerprint) {
        self.memory.index.remove(place.rest, fingerprint);
    }

    /// Logs, once, that where the answers are only the same requests are found.
    pub(super) fn has_no_effect(&self) {
        if !self.memory.is_told_of_redis.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                policy = self.policy,
                "`semantic` has no effect on a cache in Redis: only the same requests are found"
            );
        }
    }

    fn succeeded(&self) {
        let memory = &self.memory;
        if memory.is_failing.load(Ordering::Relaxed)
            && memory.is_failing.swap(false, Ordering::Relaxed)
        {
            tracing::info!(policy = self.policy, "the cache gets vectors again");
        }
    }

    fn failed(&self, failure: Failure, reason: &str, took: Option<Duration>) -> Look {
        if !self.memory.is_failing.swap(true, Ordering::Relaxed) {
            let model = &self.settings.embedding_model;
            let policy = &self.policy;
            tracing::warn!(
                policy,
                model,
                reason,
                "the cache gets no vectors: only the same requests are found"
            );
        }
        Look {
            place: None,
            took,
            failure: Some(failure),
        }
    }
}

// === impl Look ===

impl Look {
    /// Notes it, for the access log and the metrics, behind what the cache has noted.
    pub(super) fn note(&self, trail: &Trail) {
        if let Some(took) = self.took {
            let milliseconds = took.as_secs_f64() * 1e3;
            trail.mark("cache_embedding_ms", format!("{milliseconds:.3}"));
        }
        if let Some(failure) = self.failure {
            trail.mark("cache_embedding_failure", failure.as_str());
        }
    }
}

/// What vectors of a model have in common with no others.
pub(super) fn origin(model: &Model) -> impl Iterator<Item = &str> {
    let targets = model.targets();
    let places = targets.flat_map(|target| [&**target.model_name(), &**target.key().id()]);
    std::iter::once(&**model.id()).chain(places)
}
