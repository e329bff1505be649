//! The response object: what is the same of it from the first event to the last, and how it stands.

use super::echo::Echo;
use super::usage;
use crate::Usage;
use crate::chat::{Finish, FinishReason, WriteContext};
use crate::json::Writer;

/// What is the same of a response from the first event to the last.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) id: String,
    pub(super) created: u64,
    /// What the ids of items are made of.
    base: String,
    model: String,
    echo: Echo,
}

/// How a response stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status<'a> {
    InProgress,
    Completed,
    /// Cut short, and why.
    Incomplete(&'static str),
    Failed {
        code: &'a str,
        message: &'a str,
    },
}

// === impl Head ===

impl Head {
    /// The head of the answer to a request; ids are made of the call's.
    pub(super) fn new(context: &WriteContext<'_>) -> Self {
        let fit = context
            .request_id
            .chars()
            .filter(char::is_ascii_alphanumeric);
        let base: String = fit.take(64).collect();
        Self {
            id: format!("resp_{base}"),
            created: context.created,
            base,
            model: context.model.to_owned(),
            echo: Echo::of(context.request),
        }
    }

    /// Takes over what the provider says, as far as it has the dialect's form.
    pub(super) fn told(&mut self, id: Option<&str>, created: Option<u64>) {
        if let Some(id) = id.filter(|id| id.starts_with("resp_")) {
            id.clone_into(&mut self.id);
        }
        self.created = created.unwrap_or(self.created);
    }

    /// The id of an item.
    pub(super) fn item_id(&self, prefix: &str, index: u64) -> String {
        format!("{prefix}_{}_{index}", self.base)
    }

    /// Writes the object; `output` is the items with commas between them.
    pub(super) fn write(
        &self,
        w: &mut Writer<'_>,
        status: Status<'_>,
        output: &str,
        usage: Option<&Usage>,
    ) {
        w.object(|w| {
            w.name("id").string(&self.id);
            w.name("object").string("response");
            w.name("created_at").number(self.created);
            w.name("status").string(status.word());
            w.name("error");
            match status {
                Status::Failed { code, message } => w.object(|w| {
                    w.name("code").string(code);
                    w.name("message").string(message);
                }),
                _ => w.null(),
            }
            w.name("incomplete_details");
            match status {
                Status::Incomplete(reason) => w.object(|w| w.name("reason").string(reason)),
                _ => w.null(),
            }
            w.name("model").string(&self.model);
            w.name("output").array(|w| w.raw(output));
            w.name("usage");
            match usage {
                Some(usage) => usage::write(w, usage),
                None => w.null(),
            }
            self.echo.write(w);
        });
    }
}

// === impl Status ===

impl Status<'_> {
    /// How a response stands that has ended this way.
    pub(super) fn of(finish: Option<&Finish>) -> Self {
        match finish.map(|finish| finish.reason) {
            Some(FinishReason::Length) => Status::Incomplete("max_output_tokens"),
            Some(FinishReason::ContentFilter) => Status::Incomplete("content_filter"),
            _ => Status::Completed,
        }
    }

    /// The word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Status::InProgress => "in_progress",
            Status::Completed => "completed",
            Status::Incomplete(_) => "incomplete",
            Status::Failed { .. } => "failed",
        }
    }
}
