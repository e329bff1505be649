//! A scripted reply: a head and the steps of its body, exact to the byte.

use bytes::Bytes;
use serde_json::Value;

use super::Gate;

/// One step in the life of a reply.
#[derive(Clone, Debug)]
pub enum Step {
    /// Hand over these bytes, as a chunk of their own.
    Send(Bytes),
    /// Wait for the test.
    Wait(Gate),
    /// Say nothing more, and keep the connection.
    Stall,
    /// Close the connection without ending the body.
    Cut,
}

/// A reply as the upstream will give it. Clones give the same reply again.
#[derive(Clone, Debug)]
pub struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) before: Vec<Step>,
    pub(super) steps: Vec<Step>,
}

impl Reply {
    /// Answers 200 with a body in one piece and its `content-length`.
    pub fn bytes(content_type: &str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self::stream(content_type, [body.clone()]).header("content-length", &body.len().to_string())
    }

    /// Answers 200 with a JSON document.
    #[must_use]
    pub fn json(body: &Value) -> Self {
        Self::bytes("application/json", body.to_string())
    }

    /// Answers 200 with an HTML page.
    #[must_use]
    pub fn html(page: &str) -> Self {
        Self::bytes("text/html; charset=utf-8", page.to_owned())
    }

    /// Answers `status` with OpenAI's error envelope.
    #[must_use]
    pub fn error(status: u16, kind: &str, code: Option<&str>, message: &str) -> Self {
        let error =
            serde_json::json!({"message": message, "type": kind, "param": null, "code": code});
        Self::json(&serde_json::json!({ "error": error })).status(status)
    }

    /// Answers 200 with a chunked body of the given pieces.
    pub fn stream<B: Into<Bytes>>(content_type: &str, pieces: impl IntoIterator<Item = B>) -> Self {
        Self {
            status: 200,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            before: Vec::new(),
            steps: pieces
                .into_iter()
                .map(|piece| Step::Send(piece.into()))
                .collect(),
        }
    }

    /// Takes the request and never answers it.
    #[must_use]
    pub fn never() -> Self {
        Self::bytes("application/json", "").before(Step::Stall)
    }

    /// Replaces the status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Adds a header field.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Does `step` before the response head goes out. There, `Cut` closes without any answer.
    #[must_use]
    pub fn before(mut self, step: Step) -> Self {
        self.before.push(step);
        self
    }

    /// Puts `step` after the `sent`-th piece of the body (0: after the head, before the body).
    ///
    /// Panics when the body has fewer pieces.
    #[must_use]
    pub fn after(mut self, sent: usize, step: Step) -> Self {
        let ends = self
            .steps
            .iter()
            .enumerate()
            .filter(|(_, step)| matches!(step, Step::Send(_)));
        let place = std::iter::once(0)
            .chain(ends.map(|(index, _)| index + 1))
            .nth(sent);
        self.steps
            .insert(place.expect("the body has that many pieces"), step);
        self
    }

    /// Puts the whole body into an array of one, as Google's servers do with some errors.
    #[must_use]
    pub fn in_array(mut self) -> Self {
        let body = [b"[".as_slice(), &self.body(), b"]"].concat();
        let length = body.len().to_string();
        for (name, value) in &mut self.headers {
            if name == "content-length" {
                value.clone_from(&length);
            }
        }
        self.steps = vec![Step::Send(body.into())];
        self
    }

    /// Lets only the first `length` bytes of the body out, then does `step`. The head is unchanged, so
    /// a `content-length` promises the whole.
    #[must_use]
    pub fn at_byte(mut self, length: usize, step: Step) -> Self {
        let mut body = self.body();
        body.truncate(length);
        self.steps = vec![Step::Send(body), step];
        self
    }

    /// Hands the body over in pieces of `size` bytes, wherever that cuts lines and characters.
    #[must_use]
    pub fn split_every(mut self, size: usize) -> Self {
        self.steps = self
            .body()
            .chunks(size)
            .map(|piece| Step::Send(Bytes::copy_from_slice(piece)))
            .collect();
        self
    }

    /// All bytes of the body, without the pauses.
    #[must_use]
    pub fn body(&self) -> Bytes {
        let sent = self.steps.iter().filter_map(|step| match step {
            Step::Send(bytes) => Some(bytes.as_ref()),
            Step::Wait(_) | Step::Stall | Step::Cut => None,
        });
        sent.collect::<Vec<_>>().concat().into()
    }
}
