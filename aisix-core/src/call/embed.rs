//! Asking a model of ours for the vectors of texts.

use std::sync::Arc;

use aisix_wire::EMBEDDINGS;
use serde::Deserialize;
use serde_json::json;

use super::Call;
use crate::error::{Error, ErrorKind};

/// How many numbers a vector has at most.
const MAX_DIMENSIONS: usize = 16_384;
/// How long an answer may be for each text, in bytes.
const MAX_ANSWER: usize = 1024 * 1024;

/// What is read of an answer.
#[derive(Deserialize)]
struct Answer {
    data: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    /// Which of the texts it is for; some servers leave it out.
    index: Option<usize>,
    embedding: Vec<f32>,
}

// === impl Call ===

impl Call {
    /// Asks a model of ours, by the name that the configuration has for it, for the vectors of texts, in their order and
    /// brought to length one. It is one question, see [`ask`](Self::ask): how many texts it may have is the provider's
    /// business.
    ///
    /// # Errors
    ///
    /// Those of [`ask`](Self::ask), and that the answer does not have a vector for each text, of as many dimensions as
    /// the model says.
    pub async fn embed(&self, model: &str, texts: &[&str]) -> Result<Vec<Arc<[f32]>>, Error> {
        let input = match texts {
            [text] => json!(text),
            texts => json!(texts),
        };
        let body = json!({"input": input, "encoding_format": "float"}).to_string();
        let reply = self.ask(model, &EMBEDDINGS, body.into()).await?;
        let known = self.inbound.config.model(model);
        let dimensions = known.and_then(|model| model.embedding());
        let dimensions = dimensions.map(|it| it.dimensions.get() as usize);
        read(
            reply.body_bytes().unwrap_or_default(),
            texts.len(),
            dimensions,
        )
        .ok_or_else(|| {
            let message = "the answer is no vector of the right dimensions";
            Error::new(ErrorKind::Decode, message)
        })
    }
}

/// How alike two vectors of length one are: the cosine of the angle between them. `None` if they have different
/// dimensions, and so nothing in common.
pub fn likeness(a: &[f32], b: &[f32]) -> Option<f32> {
    (a.len() == b.len()).then(|| dot(a, b).min(1.0))
}

/// The product of two vectors of one length. In lanes, so that it is made of wide instructions.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = a.remainder().iter().zip(b.remainder());
    let rest: f32 = rest.map(|(a, b)| a * b).sum();
    let mut sums = [0.0_f32; LANES];
    for (a, b) in a.zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// The vectors of an answer, in the order of the texts and of length one; `None` unless there is a good one for each.
fn read(body: &[u8], count: usize, dimensions: Option<usize>) -> Option<Vec<Arc<[f32]>>> {
    if body.len() > MAX_ANSWER.saturating_mul(count) {
        return None;
    }
    let Answer { data } = serde_json::from_slice(body).ok()?;
    if data.len() != count {
        return None;
    }
    let mut vectors: Vec<Option<Arc<[f32]>>> = vec![None; count];
    for (place, item) in data.into_iter().enumerate() {
        let vector = of_length_one(item.embedding)?;
        if dimensions.is_some_and(|expected| vector.len() != expected) {
            return None;
        }
        let place = vectors.get_mut(item.index.unwrap_or(place))?;
        if place.replace(vector).is_some() {
            return None;
        }
    }
    vectors.into_iter().collect()
}

/// A vector of length one; `None` when it points nowhere.
fn of_length_one(mut vector: Vec<f32>) -> Option<Arc<[f32]>> {
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
mod tests {
    use super::*;

    #[test]
    fn vectors_are_brought_to_length_one_and_into_order() {
        let one = br#"{"object":"list","data":[{"index":0,"embedding":[3,-4.0]}],"usage":{}}"#;
        let read_one = read(one, 1, Some(2)).expect("a vector");
        assert_eq!(&read_one[0][..], [0.6, -0.8]);
        let body = br#"{"data":[{"index":1,"embedding":[0,2]},{"index":0,"embedding":[2,0]}]}"#;
        let two = read(body, 2, None).expect("two vectors");
        assert_eq!(
            (&two[0][..], &two[1][..]),
            (&[1.0, 0.0][..], &[0.0, 1.0][..])
        );
        assert_eq!(likeness(&two[0], &two[1]), Some(0.0));
        assert_eq!(likeness(&two[0], &two[0]), Some(1.0));
        assert_eq!(likeness(&two[0], &[1.0]), None);
        let body = br#"{"data":[{"embedding":[2,0]},{"embedding":[0,2]}]}"#;
        assert_eq!(
            read(body, 2, None),
            Some(two),
            "in their order without an index"
        );
    }

    #[test]
    fn what_is_no_vector_for_each_text_is_none() {
        for body in [
            "",
            "{}",
            "[]",
            r#"{"data":[]}"#,
            r#"{"data":[{"embedding":[1]},{"embedding":[1]}]}"#,
            r#"{"data":[{"index":1,"embedding":[1]}]}"#,
            r#"{"data":[{"embedding":[]}]}"#,
            r#"{"data":[{"embedding":[0,0]}]}"#,
            r#"{"data":[{"embedding":[1e39]}]}"#,
            r#"{"data":[{"embedding":[1,null]}]}"#,
            r#"{"data":[{"embedding":"AACAPw=="}]}"#,
        ] {
            assert!(read(body.as_bytes(), 1, None).is_none(), "{body}");
        }
        let two = br#"{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}"#;
        assert!(read(two, 2, None).is_none(), "two for one text");
        assert!(read(br#"{"data":[{"embedding":[1]}]}"#, 1, Some(2)).is_none());
        let long = format!(
            r#"{{"data":[{{"embedding":[{}1]}}]}}"#,
            "1,".repeat(MAX_DIMENSIONS)
        );
        assert!(read(long.as_bytes(), 1, None).is_none());
    }
}
