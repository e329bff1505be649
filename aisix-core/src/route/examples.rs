//! The examples of a model that routes by meaning, and their vectors.

use std::{
    future::Future,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Mutex, time::timeout};

use crate::{
    call::Call,
    error::{Error, ErrorKind},
    models::Semantic,
};

/// How many texts go into one question: few providers take less.
const BATCH: usize = 64;

/// A vector of length one.
pub(super) type Vector = Arc<[f32]>;

/// The examples of a model that routes by meaning, and their vectors once a request has needed them. Outlives changes of
/// the configuration that change neither the texts nor who makes vectors of them.
pub(crate) struct Examples {
    texts: Box<[Box<str>]>,
    vectors: OnceLock<Box<[Vector]>>,
    /// Held by whoever asks for vectors, so that nobody else does at the same time.
    turn: Mutex<Turn>,
    /// How many have asked in vain.
    failures: AtomicU64,
    /// Whether the last question of any kind failed, which is logged once.
    is_failing: AtomicBool,
}

#[derive(Default)]
struct Turn {
    /// Those of the first texts.
    vectors: Vec<Vector>,
    /// Why the last one who asked has failed.
    failure: Option<Error>,
}

// === impl Examples ===

impl Examples {
    pub(crate) fn new<'t>(texts: impl IntoIterator<Item = &'t str>) -> Self {
        Self {
            texts: texts.into_iter().map(Box::from).collect(),
            vectors: OnceLock::new(),
            turn: Mutex::default(),
            failures: AtomicU64::new(0),
            is_failing: AtomicBool::new(false),
        }
    }

    /// The vectors of all examples, in their order. The first call asks for them, and others wait for it; when it is
    /// dropped, the next one goes on. What has arrived is kept, so that a later call goes on where one has failed.
    ///
    /// # Errors
    ///
    /// Why there are none, of whoever has asked. The next call asks again.
    pub(super) async fn vectors(
        &self,
        call: &Call,
        semantic: &Semantic,
    ) -> Result<&[Vector], Error> {
        if let Some(vectors) = self.vectors.get() {
            return Ok(vectors);
        }
        let failures = self.failures.load(Ordering::Acquire);
        // Across an await, since waiting for whoever asks is what it is for.
        let mut turn = self.turn.lock().await;
        if let Some(vectors) = self.vectors.get() {
            return Ok(vectors);
        }
        if self.failures.load(Ordering::Acquire) != failures
            && let Some(failure) = &turn.failure
        {
            return Err(failure.duplicate());
        }
        while turn.vectors.len() < self.texts.len() {
            let texts = self.texts[turn.vectors.len()..].iter().take(BATCH);
            let texts: Vec<&str> = texts.map(AsRef::as_ref).collect();
            match embed(call, semantic, &texts).await {
                Ok(vectors) => turn.vectors.extend(vectors),
                Err(error) => {
                    turn.failure = Some(error.duplicate());
                    self.failures.fetch_add(1, Ordering::AcqRel);
                    return Err(error);
                }
            }
        }
        let vectors = std::mem::take(&mut turn.vectors).into();
        Ok(self.vectors.get_or_init(|| vectors))
    }

    /// Takes note that the meaning of a request could be told, or not; says so when that is new.
    pub(super) fn note(&self, call: &Call, failure: Option<&Error>) {
        let is_failing = failure.is_some();
        if self.is_failing.swap(is_failing, Ordering::Relaxed) == is_failing {
            return;
        }
        let model = call.model.name();
        match failure {
            Some(error) => {
                let reason = error.message();
                tracing::warn!(%model, reason, "what requests mean cannot be told");
            }
            None => tracing::info!(%model, "what requests mean can be told again"),
        }
    }
}

/// Asks for the vectors of texts, within the time that the model gives.
pub(super) async fn embed(
    call: &Call,
    semantic: &Semantic,
    texts: &[&str],
) -> Result<Vec<Vector>, Error> {
    in_time(
        call.embed(&semantic.embedding_model, texts),
        semantic.timeout,
    )
    .await
}

async fn in_time<T>(
    asked: impl Future<Output = Result<T, Error>>,
    time: Option<Duration>,
) -> Result<T, Error> {
    let Some(time) = time else {
        return asked.await;
    };
    timeout(time, asked).await.unwrap_or_else(|_| {
        let message = format!("no embedding within {} ms", time.as_millis());
        Err(Error::new(ErrorKind::Timeout, message))
    })
}
