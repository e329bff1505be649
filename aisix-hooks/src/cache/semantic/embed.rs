//! The vector of a text, made by a model of ours.

use std::{sync::Arc, time::Duration};

use aisix_core::{Error, ErrorKind, call::Call, models::Model, wire::EMBEDDINGS};
use serde::Deserialize;
use serde_json::json;

/// How many numbers a vector has at most.
const MAX_DIMENSIONS: usize = 16_384;
/// How long an answer may be, in bytes.
const MAX_ANSWER: usize = 1024 * 1024;

/// Why there is no vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Failure {
    /// The model does not exist, or makes no vectors.
    Resolve,
    /// The model has not answered in time, or not with a vector.
    Embed,
}

/// What is read of an answer.
#[derive(Deserialize)]
struct Answer {
    data: [Item; 1],
}

#[derive(Deserialize)]
struct Item {
    embedding: Vec<f32>,
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

/// Asks a model, which the configuration calls by this name, for the vector of a text, and brings it to length one.
///
/// # Errors
///
/// What went wrong, and what the log says of it.
pub(super) async fn vector(
    call: &Call,
    (name, model): (&str, &Model),
    text: &str,
    deadline: Option<Duration>,
) -> Result<Arc<[f32]>, (Failure, String)> {
    let body = json!({"input": text, "encoding_format": "float"}).to_string();
    let asked = call.ask(name, &EMBEDDINGS, body.into());
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
    let reply = answer.map_err(|error| (Failure::of(&error), error.message().to_owned()))?;
    let body = reply.body_bytes().unwrap_or_default();
    let vector = read(body).filter(|vector| {
        let expected = model.embedding().map(|it| it.dimensions.get());
        expected.is_none_or(|expected| u32::try_from(vector.len()) == Ok(expected))
    });
    vector.ok_or_else(|| {
        let reason = "the answer is no vector of the right dimensions".to_owned();
        (Failure::Embed, reason)
    })
}

/// The one vector of an answer, of length one; `None` when it is none, or points nowhere.
fn read(body: &[u8]) -> Option<Arc<[f32]>> {
    if body.len() > MAX_ANSWER {
        return None;
    }
    let Answer { data: [item] } = serde_json::from_slice(body).ok()?;
    let mut vector = item.embedding;
    let squares = vector.iter().map(|part| f64::from(*part).powi(2));
    let length = squares.sum::<f64>().sqrt();
    if vector.len() > MAX_DIMENSIONS
        || !length.is_finite()
        || length <= f64::from(f32::MIN_POSITIVE)
    {
        return None;
    }
    for part in &mut vector {
        *part = (f64::from(*part) / length) as f32;
    }
    Some(vector.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_vector_is_brought_to_length_one() {
        let body = br#"{"object":"list","data":[{"index":0,"embedding":[3,-4.0]}],"usage":{}}"#;
        assert_eq!(&read(body).unwrap()[..], [0.6, -0.8]);
    }

    #[test]
    fn what_is_no_vector_is_none() {
        for body in [
            "",
            "{}",
            "[]",
            r#"{"data":[]}"#,
            r#"{"data":[{"embedding":[1]},{"embedding":[1]}]}"#,
            r#"{"data":[{"embedding":[]}]}"#,
            r#"{"data":[{"embedding":[0,0]}]}"#,
            r#"{"data":[{"embedding":[1e39]}]}"#,
            r#"{"data":[{"embedding":[1,null]}]}"#,
            r#"{"data":[{"embedding":"AACAPw=="}]}"#,
        ] {
            assert!(read(body.as_bytes()).is_none(), "{body}");
        }
        let long = format!(
            r#"{{"data":[{{"embedding":[{}1]}}]}}"#,
            "1,".repeat(MAX_DIMENSIONS)
        );
        assert!(read(long.as_bytes()).is_none());
    }
}
