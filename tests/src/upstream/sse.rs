//! Event streams in every framing that the format allows.

use serde_json::Value;

use super::Reply;

/// How events are written. The default is what OpenAI writes: `data: …`, line feed, line feed.
#[derive(Clone, Copy, Debug)]
pub struct Framing {
    /// What ends a line: `"\n"`, `"\r\n"` or `"\r"`.
    pub line_end: &'static str,
    /// Whether a space follows `data:`.
    pub space: bool,
    /// How many comment lines stand before each event.
    pub comments: usize,
    /// Whether the stream ends with `[DONE]`.
    pub done: bool,
}

impl Default for Framing {
    fn default() -> Self {
        Self {
            line_end: "\n",
            space: true,
            comments: 0,
            done: true,
        }
    }
}

impl Framing {
    /// Writes one event with this payload.
    #[must_use]
    pub fn event(&self, payload: &str) -> String {
        let Self {
            line_end,
            space,
            comments,
            ..
        } = *self;
        let comments = format!(": keep-alive{line_end}{line_end}").repeat(comments);
        let space = if space { " " } else { "" };
        format!("{comments}data:{space}{payload}{line_end}{line_end}")
    }

    /// Makes the reply that streams these values, one piece of the body per event.
    #[must_use]
    pub fn reply(&self, events: &[Value]) -> Reply {
        let done = self.done.then(|| self.event("[DONE]"));
        let events = events.iter().map(|event| self.event(&event.to_string()));
        Reply::stream("text/event-stream; charset=utf-8", events.chain(done))
    }
}
