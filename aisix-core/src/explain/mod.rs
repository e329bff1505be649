//! What would become of a request, without sending it.
//!
//! An [`Explainer`] puts a [`Question`] through the pipeline of its gateway, with other borders: callers
//! may be named by the id of their key, limits are looked at and not taken, nobody observes, hooks are
//! left out because they may have effects, and what is ready for the upstream is shown instead of sent.
//! Only the turn of a strategy that goes round is taken. Everything else is the gateway's own code, so that an [`Explanation`] cannot differ from what it does.
//!
//! ```
//! use aisix_core::{
//!     explain::{Explainer, Question, Verdict},
//!     testing::{self, Setup, Upstream},
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), aisix_core::explain::BadQuestion> {
//! let upstream = Upstream::new();
//! let gateway = Setup::new().builder(&upstream);
//! let explainer = Explainer::new(gateway);
//!
//! let question = Question::new().key(testing::API_KEY).model(testing::MODEL);
//! let explanation = explainer.explain(question).await?;
//! assert_eq!(explanation.verdict, Verdict::Sent);
//! assert_eq!(explanation.targets[0].upstream_model, testing::UPSTREAM_MODEL);
//! assert!(upstream.requests().is_empty());
//! # Ok(())
//! # }
//! ```

mod borders;
mod explanation;
mod json;
mod notes;
mod question;
mod sample;
mod tell;

use std::{fmt, sync::Arc};

use http_body_util::BodyExt;
use tower::ServiceExt;

use self::{
    borders::{Looking, Naming},
    notes::Notes,
    question::Asked,
};
pub use self::{
    explanation::{
        CallerFacts, EmbedFacts, Explanation, LimitFacts, ModelFacts, Refusal, RequestFacts, Stage,
        TargetFacts, UpstreamFacts, Verdict,
    },
    question::{BadQuestion, Question},
};
use crate::{
    builder::{Borders, GatewayBuilder},
    models::quoted,
    upstream::Exit,
};

/// Explains what a gateway would do. A cheap clone.
///
/// It does no I/O of its own, sends nothing, counts nothing, and leaves no trace in access logs or
/// metrics. An [`Authenticator`](crate::auth::Authenticator) and a
/// [`LimitStore`](crate::limit::LimitStore) of an embedder's are asked as they would be for a request,
/// the latter by [`look`](crate::limit::LimitStore::look) only.
#[derive(Clone)]
pub struct Explainer {
    builder: GatewayBuilder,
}

// === impl Explainer ===

impl Explainer {
    /// Explains the gateway that this builder would build. A transport is not needed. Numbers are those
    /// of the builder's limit store: share it with the gateway that serves.
    pub fn new(builder: GatewayBuilder) -> Self {
        Self { builder }
    }

    /// Answers a question, with the configuration of this moment.
    ///
    /// # Errors
    ///
    /// When there is nothing to be explained, as when no model is named. That a request would be refused
    /// is an explanation.
    pub async fn explain(&self, question: Question) -> Result<Explanation, BadQuestion> {
        let (notes, answer) = self.ask(question.prepare()?).await?;
        Ok(tell::explanation(&notes, &self.builder, &answer))
    }

    /// The same, with the request that would be sent: its credentials are in it.
    ///
    /// # Errors
    ///
    /// As [`explain`](Self::explain).
    #[cfg(any(test, feature = "test-util"))]
    pub async fn explain_and_show(
        &self,
        question: Question,
    ) -> Result<(Explanation, Option<crate::testing::Recorded>), BadQuestion> {
        let (notes, answer) = self.ask(question.prepare()?).await?;
        let explanation = tell::explanation(&notes, &self.builder, &answer);
        Ok((explanation, notes.shown()))
    }

    /// Puts a request through the pipeline. The answer is as its caller would see it; that to a request
    /// which would be sent is empty.
    async fn ask(&self, asked: Asked) -> Result<(Arc<Notes>, Answer), BadQuestion> {
        let notes = Arc::new(Notes::new(asked.model, asked.has_body));
        let gateway = self.builder.clone().behind(Borders {
            authenticator: Arc::new(Naming {
                inner: self.builder.authenticator_in_use().clone(),
                key_id: asked.key_id.clone(),
                notes: notes.clone(),
            }),
            limits: Arc::new(Looking {
                inner: self.builder.limits_in_use().clone(),
                notes: notes.clone(),
            }),
            observer: notes.clone(),
            exit: Exit::Show(notes.clone()),
        });
        let Ok(response) = gateway.oneshot(asked.request).await;
        let (head, body) = response.into_parts();
        // A refusal is here as a whole, and whatever else there is came from here too.
        let body = body
            .collect()
            .await
            .map(http_body_util::Collected::to_bytes);
        if let (Some(id), true) = (asked.key_id, notes.is_key_unknown()) {
            let message = format!("names no API key: {}", quoted(&id));
            return Err(BadQuestion::new("key_id", message));
        }
        let answer = Answer {
            status: head.status,
            body: body.unwrap_or_default(),
        };
        Ok((notes, answer))
    }
}

impl fmt::Debug for Explainer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Explainer").field(&self.builder).finish()
    }
}

/// What the caller would see.
struct Answer {
    status: http::StatusCode,
    body: bytes::Bytes,
}
