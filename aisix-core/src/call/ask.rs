//! Asking another model of ours within a call.

use std::{future::poll_fn, sync::Arc};

use aisix_wire::{Edits, Envelope, Operation, chat::Draw, json_string};
use bytes::Bytes;
use http::{HeaderMap, Request, request::Parts};
use tower_service::Service;

use super::{Call, Expense, Inbound, Trail};
use crate::{
    edge,
    error::{Error, ErrorKind},
    ingest,
    models::{not_found, offers},
    reply::{End, Outcome, Reply},
    route::Router,
};

/// Reports a question that is dropped before it has an answer.
struct Asking(Option<Trail>);

// === impl Call ===

impl Call {
    /// Asks another model of ours, for hooks that need an answer of their own, such as the vector of a text. `body` is
    /// what a caller would send, with or without its `model`.
    ///
    /// The model is that of the call's own snapshot. It is asked as if this were a request by itself, with the retries and
    /// deadlines of the model, from the routing on: nobody is authenticated, no hooks run, and the caller's limits are
    /// neither asked nor charged. Nothing of what the caller has sent goes along but the request's id. Observers are told
    /// by [`ask_ended`](crate::observe::Observer::ask_ended), with a [`Trail`] of its own, which the call's trail
    /// [lists](Trail::asked).
    ///
    /// The question is dropped with the future and with the reply, and so when the client leaves. While it waits, the hook
    /// counts as one that waits for what comes after it.
    ///
    /// ```
    /// use aisix_core::{call::Call, hook::{Next, from_fn}, wire::EMBEDDINGS};
    ///
    /// let hook = from_fn(async |call: Call, next: Next| {
    ///     let question = r#"{"input": "a text"}"#.into();
    ///     let answer = call.ask("embedder", &EMBEDDINGS, question).await?;
    ///     assert!(answer.body_bytes().is_some());
    ///     next.run(call).await
    /// });
    /// # drop(hook);
    /// ```
    ///
    /// # Errors
    ///
    /// That there is no such model, that it cannot be served or does not offer the operation, that the body is not one of the
    /// operation, and whatever its upstream refuses with. Where calls are only explained, nothing is asked; no hook
    /// runs there.
    pub async fn ask(
        &self,
        model: &str,
        operation: &'static Operation,
        body: Bytes,
    ) -> Result<Reply, Error> {
        let asked = self.other(model, operation, body)?;
        let trail = asked.trail().clone();
        let mut asking = Asking(Some(trail.clone()));
        let mut router = Router::clone(&self.router);
        let answer = async {
            poll_fn(|cx| router.poll_ready(cx)).await?;
            router.call(asked).await
        };
        let answer = self.wait_for_another(answer).await;
        asking.0 = None;
        match answer {
            Ok(mut reply) => {
                reply.complete_if_whole();
                reply.on_end(move |outcome| {
                    let elapsed = trail.started().elapsed();
                    trail.end_asking(&Outcome {
                        elapsed,
                        ..*outcome
                    });
                });
                Ok(reply)
            }
            Err(error) => {
                let status = Some(edge::status(&error));
                let elapsed = trail.started().elapsed();
                let outcome = Outcome::without_answer(End::Refused(&error), elapsed);
                trail.end_asking(&Outcome { status, ..outcome });
                Err(error)
            }
        }
    }

    /// The call of another model.
    fn other(&self, name: &str, operation: &'static Operation, body: Bytes) -> Result<Self, Error> {
        if !self.exit.sends() {
            let message = "nothing is asked where calls are only explained";
            return Err(Error::new(ErrorKind::Internal, message));
        }
        let config = self.inbound.config.clone();
        let model = config.model(name).ok_or_else(|| not_found(name))?.clone();
        offers(&model, operation, name)?;
        let payload = ingest::scan(operation, named(operation, name, body)?)?;
        let streams = operation.streams(payload.bytes(), payload.envelope());
        let trail = self.trail().ask(operation, model.clone(), streams);
        Ok(Self {
            inbound: Inbound {
                head: Arc::new(head(operation)),
                operation,
                requested_model: name.into(),
                payload,
                caller: self.caller().clone(),
                config,
                trail,
            },
            model,
            upstream_headers: HeaderMap::new(),
            exit: self.exit.clone(),
            router: self.router.clone(),
            limits: self.limits.clone(),
            prompt_caching: None,
            draw: Draw::default(),
            expense: Expense::default(),
            beyond: None,
        })
    }
}

/// The body with the name of the model, where it belongs there.
fn named(operation: &Operation, model: &str, body: Bytes) -> Result<Bytes, Error> {
    if operation.names_model_in_path() {
        return Ok(body);
    }
    let envelope = Envelope::scan(&body, &[]).map_err(|error| {
        Error::new(ErrorKind::InvalidRequest, "a question is not JSON").with_source(error)
    })?;
    let mut edits = Edits::new();
    edits.set("model", json_string(model));
    Ok(edits.apply(&body, &envelope))
}

/// A head that says nothing but where the question goes.
fn head(operation: &Operation) -> Parts {
    let request = Request::post(operation.path).body(());
    request.unwrap_or_default().into_parts().0
}

// === impl Asking ===

impl Drop for Asking {
    fn drop(&mut self) {
        if let Some(trail) = self.0.take() {
            let elapsed = trail.started().elapsed();
            trail.end_asking(&Outcome::without_answer(End::Cancelled, elapsed));
        }
    }
}
