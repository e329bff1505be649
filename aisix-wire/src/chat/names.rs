//! Tools that go under another name, and the way back.

use super::{BlockKind, Content, Event, Request, Response, UpstreamCodec};

/// The tools of one request that its upstream knows under another name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The upstream's name and the caller's.
    renamed: Vec<(String, String)>,
}

// === impl Names ===

impl Names {
    /// The tools of a request that the codec of its upstream renames; most of the time there are none.
    pub fn of(codec: &dyn UpstreamCodec, request: &Request) -> Self {
        let functions = request.tools.iter().filter_map(super::Tool::as_function);
        let renamed = functions.filter_map(|function| {
            let wire = codec.tool_name(&function.name);
            (wire != function.name).then(|| (wire.into_owned(), function.name.clone()))
        });
        Self {
            renamed: renamed.collect(),
        }
    }

    /// Whether every tool keeps its name.
    pub fn is_empty(&self) -> bool {
        self.renamed.is_empty()
    }

    /// Gives the calls of an answer the names that the caller knows.
    pub fn restore(&self, response: &mut Response) {
        let choices = response.choices.iter_mut();
        for block in choices.flat_map(|choice| &mut choice.blocks) {
            if let Content::ToolCall(call) = &mut block.content {
                self.put_back(&mut call.name);
            }
        }
    }

    /// Gives the call that begins in a stream the name that the caller knows.
    pub fn restore_event(&self, event: &mut Event) {
        let Event::BlockStart { kind, .. } = event else {
            return;
        };
        match kind {
            BlockKind::ToolCall { name, .. } => self.put_back(name),
            BlockKind::Whole(block) => {
                if let Content::ToolCall(call) = &mut block.content {
                    self.put_back(&mut call.name);
                }
            }
            _ => {}
        }
    }

    fn put_back(&self, name: &mut String) {
        if let Some((_, original)) = self.renamed.iter().find(|(wire, _)| wire == name) {
            name.clone_from(original);
        }
    }
}
