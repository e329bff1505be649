//! Reading streams.

use crate::chat::{
    Block, BlockKind, Content, Delta, Event, EventReader, Finish, Start, StreamError,
};
use crate::gemini::part::{self, Ids};
use crate::gemini::{errors, finish, meter, response, usage};
use crate::json::Object;
use crate::{Dialect, Usage};

/// How many candidates may stream at once.
const MAX_CHOICES: usize = 128;

/// Reads a stream: every event is an answer that holds the parts that are new.
///
/// A candidate's finish is held back until the connection ends, since `finishReason` may come more than
/// once, with parts beside it. Parts that come after it, without one, are passed over.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    ids: Option<Ids>,
    choices: Vec<Candidate>,
    usage: Option<Usage>,
    blocked: Option<Finish>,
    ended: bool,
}

/// A candidate so far.
#[derive(Debug)]
struct Candidate {
    index: u32,
    open: Option<Open>,
    blocks: u32,
    calls: bool,
    word: Option<String>,
}

/// The kinds of blocks that grow from event to event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Text,
    Thinking,
}

// === impl Reader ===

impl EventReader for Reader {
    fn read(
        &mut self,
        _name: Option<&[u8]>,
        data: &[u8],
        out: &mut Vec<Event>,
    ) -> Result<(), StreamError> {
        if self.ended || data.trim_ascii().is_empty() {
            return Ok(());
        }
        let Ok(answer) = Object::scan(data) else {
            let refusal = errors::of_array(data);
            return Err(refusal.map_or(StreamError::Malformed, StreamError::InBand));
        };
        if let Some(refusal) = errors::of_answer(&answer) {
            return Err(StreamError::InBand(refusal));
        }
        let known = ["candidates", "usageMetadata", "promptFeedback"];
        if !known.iter().any(|name| answer.has(name)) {
            return Ok(());
        }
        self.start(&answer, data, out);
        for (position, candidate) in answer.try_items("candidates").enumerate() {
            if let Some(candidate) = candidate.as_object() {
                self.candidate(&candidate, position, out)?;
            }
        }
        if let Some(reason) = meter::block_reason(&answer) {
            self.blocked = Some(finish::blocked(&reason));
        }
        let usage = answer
            .try_object("usageMetadata")
            .as_ref()
            .and_then(usage::read);
        if let Some(usage) = usage.filter(|usage| self.usage != Some(*usage)) {
            self.usage = Some(usage);
            out.push(Event::Usage(usage));
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<Event>) -> Result<(), StreamError> {
        if std::mem::replace(&mut self.ended, true) {
            return Ok(());
        }
        if self.choices.is_empty() {
            let finish = self.blocked.take().ok_or(StreamError::Cut)?;
            out.push(Event::Finish { choice: 0, finish });
        }
        let all = |choice: &Candidate| choice.word.is_some() || self.blocked.is_some();
        if !self.choices.iter().all(all) {
            return Err(StreamError::Cut);
        }
        for choice in &mut self.choices {
            choice.close(out);
            let finish = match (&choice.word, &self.blocked) {
                (Some(word), _) => finish::read(word, choice.calls),
                (None, Some(blocked)) => blocked.clone(),
                (None, None) => return Err(StreamError::Cut),
            };
            out.push(Event::Finish {
                choice: choice.index,
                finish,
            });
        }
        out.push(Event::End);
        Ok(())
    }
}

impl Reader {
    fn start(&mut self, answer: &Object<'_>, data: &[u8], out: &mut Vec<Event>) {
        if self.ids.is_some() {
            return;
        }
        let id = answer.try_string("responseId");
        self.ids = Some(Ids::new(id.clone(), data));
        out.push(Event::Start(Start {
            dialect: Dialect::Gemini,
            id,
            model: answer.try_string("modelVersion"),
            created: None,
        }));
    }

    fn candidate(
        &mut self,
        candidate: &Object<'_>,
        position: usize,
        out: &mut Vec<Event>,
    ) -> Result<(), StreamError> {
        let index = candidate.try_count("index").unwrap_or(position as u64);
        let index = u32::try_from(index).map_err(|_| StreamError::Malformed)?;
        let known = self.choices.iter().position(|choice| choice.index == index);
        let at = match known {
            Some(at) => at,
            None if self.choices.len() == MAX_CHOICES => return Err(StreamError::TooMuch),
            None => {
                self.choices.push(Candidate::new(index));
                self.choices.len() - 1
            }
        };
        let (Some(choice), Some(ids)) = (self.choices.get_mut(at), &mut self.ids) else {
            return Ok(());
        };
        let word = candidate.try_string("finishReason");
        if choice.word.is_some() && word.is_none() {
            return Ok(());
        }
        let content = candidate.try_object("content");
        for part in content
            .iter()
            .flat_map(|content| content.try_items("parts"))
        {
            let block = part.as_object().and_then(|part| part::read(&part, ids));
            if let Some(block) = block {
                choice.block(block, out);
            }
        }
        if choice.open == Some(Open::Text) {
            let more = [
                response::grounding(candidate).map(Delta::Citations),
                response::logprobs(candidate).map(Delta::Logprobs),
            ];
            more.into_iter()
                .flatten()
                .for_each(|delta| choice.delta(delta, out));
        }
        choice.word = word.or(choice.word.take());
        Ok(())
    }
}

// === impl Candidate ===

impl Candidate {
    fn new(index: u32) -> Self {
        Self {
            index,
            open: None,
            blocks: 0,
            calls: false,
            word: None,
        }
    }

    fn block(&mut self, block: Block, out: &mut Vec<Event>) {
        let Block {
            content, signature, ..
        } = block;
        match content {
            Content::Text { text, .. } => self.text(Open::Text, text, signature, out),
            Content::Thinking(text) => self.text(Open::Thinking, text, signature, out),
            Content::ToolCall(call) => {
                self.calls = true;
                let (id, name) = (call.id, call.name);
                self.open(BlockKind::ToolCall { id, name }, out);
                // First, so that a writer whose calls begin with it need not wait for the arguments.
                if let Some(signature) = signature {
                    self.delta(Delta::Signature(signature), out);
                }
                self.delta(Delta::Arguments(call.arguments), out);
                self.end_block(out);
            }
            content => {
                let whole = Block {
                    signature,
                    ..Block::new(content)
                };
                self.open(BlockKind::Whole(Box::new(whole)), out);
                self.end_block(out);
            }
        }
    }

    /// Text goes on where text is open; what is signed is a block that ends there.
    fn text(&mut self, kind: Open, text: String, signature: Option<String>, out: &mut Vec<Event>) {
        if text.is_empty() && signature.is_none() {
            return;
        }
        if self.open != Some(kind) {
            self.open(
                match kind {
                    Open::Text => BlockKind::Text,
                    Open::Thinking => BlockKind::Thinking,
                },
                out,
            );
            self.open = Some(kind);
        }
        if !text.is_empty() {
            self.delta(
                match kind {
                    Open::Text => Delta::Text(text),
                    Open::Thinking => Delta::Thinking(text),
                },
                out,
            );
        }
        if let Some(signature) = signature {
            self.delta(Delta::Signature(signature), out);
            self.close(out);
        }
    }

    fn open(&mut self, kind: BlockKind, out: &mut Vec<Event>) {
        self.close(out);
        out.push(Event::BlockStart {
            choice: self.index,
            index: self.blocks,
            kind,
        });
        self.blocks = self.blocks.saturating_add(1);
    }

    fn delta(&self, delta: Delta, out: &mut Vec<Event>) {
        let choice = self.index;
        out.push(Event::Delta { choice, delta });
    }

    fn end_block(&self, out: &mut Vec<Event>) {
        out.push(Event::BlockEnd { choice: self.index });
    }

    fn close(&mut self, out: &mut Vec<Event>) {
        if self.open.take().is_some() {
            self.end_block(out);
        }
    }
}
