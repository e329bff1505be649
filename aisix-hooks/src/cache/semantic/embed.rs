//! The vector of a text, made by a model of ours.

use std::{sync::Arc, time::Duration};

use aisix_core::{Error, ErrorKind, call::Call};

/// Why there is no vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Failure {
    /// The model does not exist, or makes no vectors.
    Resolve,
    /// The model has not answered in time, or not with a vector.
    Embed,
}

// === impl Failure ===

impl Failure {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Embed => "embed",
        }
    }

    fn of(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::ModelNotFound
            | ErrorKind::NotImplemented
            | ErrorKind::ProviderUnavailable
            | ErrorKind::Config => Self::Resolve,
            _ => Self::Embed,
        }
    }
}

/// Asks a model, which the configuration calls by this name, for the vector of a text, of length one.
///
/// # Errors
///
/// What went wrong, and what the log says of it.
pub(super) async fn vector(
    call: &Call,
    model: &str,
    text: &str,
    deadline: Option<Duration>,
) -> Result<Arc<[f32]>, (Failure, String)> {
    let texts = [text];
    let asked = call.embed(model, &texts);
    let answer = match deadline {
        None => asked.await,
        Some(deadline) => match tokio::time::timeout(deadline, asked).await {
            Ok(answer) => answer,
            Err(_) => {
                let reason = format!("no answer within {} ms", deadline.as_millis());
                return Err((Failure::Embed, reason));
            }
        },
    };
    let vectors = answer.map_err(|error| (Failure::of(&error), error.message().to_owned()))?;
    let missing = || (Failure::Embed, "the answer has no vector".to_owned());
    vectors.into_iter().next().ok_or_else(missing)
}
