//! Requests for an upstream, the messages.

use std::borrow::Cow;
use std::collections::HashSet;

use super::arguments;
use crate::chat::{
    Audio, Block, Content, Document, Image, Losses, Member, Opaque, Raw, Request, Role, Source,
    ToolResult, Turn, WriteOptions,
};
use crate::json::Writer;
use crate::openai::uri;
use crate::{Dialect, Invalid};

/// Writes the messages.
///
/// The results of a run of user turns come first, one tool message each, because they have to follow
/// their calls. What a tool message cannot hold, like images, follows in a user message of its own. A call
/// that was never answered gets a result that says so.
pub(super) fn write(
    w: &mut Writer<'_>,
    request: &Request,
    options: &WriteOptions<'_>,
    losses: &mut Losses,
) -> Result<(), Invalid> {
    let turns = Turns {
        dialect: request.dialect,
        replay_thinking: options.replay_thinking,
        replay_signatures: options.replay_signatures,
        losses,
    };
    w.name("messages").array(|w| turns.all(w, &request.turns))
}

struct Turns<'a> {
    dialect: Dialect,
    replay_thinking: bool,
    replay_signatures: bool,
    losses: &'a mut Losses,
}

// === impl Turns ===

impl Turns<'_> {
    fn all(mut self, w: &mut Writer<'_>, turns: &[Turn]) -> Result<(), Invalid> {
        let mut open = Open::default();
        let mut rest = turns;
        while let Some(first) = rest.first() {
            let run = match first.role {
                Role::User => rest
                    .iter()
                    .take_while(|turn| turn.role == Role::User)
                    .count(),
                _ => 1,
            };
            let (now, later) = rest.split_at(run);
            rest = later;
            if first.role == Role::User {
                self.user(w, now, &mut open)?;
                continue;
            }
            if first.role == Role::Assistant {
                open.unanswered(w);
            }
            self.turn(w, first)?;
            open.add(first);
        }
        open.unanswered(w);
        Ok(())
    }

    /// Some user turns that follow each other.
    fn user(
        &mut self,
        w: &mut Writer<'_>,
        turns: &[Turn],
        open: &mut Open<'_>,
    ) -> Result<(), Invalid> {
        let mut beside = Vec::new();
        for block in turns.iter().flat_map(|turn| &turn.blocks) {
            if let Content::ToolResult(result) = &block.content {
                if !open.waiting.remove(&*result.call) {
                    let message =
                        "a tool result must follow the call it answers, and answer it once";
                    return Err(Invalid::new(
                        Member::Turns.name(self.dialect),
                        message.to_owned(),
                    ));
                }
                self.mark(block);
                self.result(w, result, &mut beside)?;
            }
        }
        open.unanswered(w);
        if !beside.is_empty() {
            w.object(|w| {
                w.name("role").string("user");
                w.name("content").array(|w| self.parts(w, &beside))
            })?;
        }
        for turn in turns {
            let results = |block: &Block| matches!(block.content, Content::ToolResult(_));
            let only_results = !turn.blocks.is_empty() && turn.blocks.iter().all(results);
            if !only_results {
                self.turn(w, turn)?;
            }
        }
        Ok(())
    }

    /// One tool message; what does not fit in is added to `beside`.
    fn result<'b>(
        &mut self,
        w: &mut Writer<'_>,
        result: &'b ToolResult,
        beside: &mut Vec<&'b Block>,
    ) -> Result<(), Invalid> {
        if result.is_error {
            self.losses.note(Member::ToolError.name(self.dialect));
        }
        let is_text = |block: &&Block| matches!(block.content, Content::Text { .. });
        let (texts, others): (Vec<&Block>, Vec<&Block>) = result.blocks.iter().partition(is_text);
        w.object(|w| {
            w.name("role").string("tool");
            w.name("tool_call_id").string(&result.call);
            if self.dialect == Dialect::OpenAi {
                w.maybe_string("name", result.name.as_deref());
            }
            if texts.is_empty() && !others.is_empty() {
                w.name("content").string("(see the next message)");
                return Ok(());
            }
            self.content(w, &texts)
        })?;
        beside.extend(others);
        Ok(())
    }

    /// One message. Results are left out; they have messages of their own.
    fn turn(&mut self, w: &mut Writer<'_>, turn: &Turn) -> Result<(), Invalid> {
        let mut said = Vec::with_capacity(turn.blocks.len());
        let mut aside = Vec::new();
        let calls = turn.role == Role::Assistant;
        for block in &turn.blocks {
            match &block.content {
                Content::ToolResult(_) => {}
                Content::ToolCall(_) | Content::Thinking(_) => aside.push(block),
                Content::RedactedThinking(_) => self
                    .losses
                    .note(Member::RedactedThinking.name(self.dialect)),
                Content::Opaque(opaque) if calls && is_call(opaque) => aside.push(block),
                Content::Opaque(opaque) if opaque.dialect != Dialect::OpenAi => {
                    let word = opaque.word();
                    self.losses
                        .shape(word.as_deref().unwrap_or(Member::Turns.name(self.dialect)))?;
                }
                _ => said.push(block),
            }
        }
        w.object(|w| {
            w.name("role").string(match turn.role {
                Role::System => "system",
                Role::Developer => "developer",
                Role::User => "user",
                Role::Assistant => "assistant",
            });
            w.maybe_string("name", turn.name.as_deref());
            if turn.role != Role::Assistant {
                return self.content(w, &said);
            }
            let refusals = said.iter().filter_map(|block| match &block.content {
                Content::Refusal(text) => Some(text.as_str()),
                _ => None,
            });
            let refusal: String = refusals.collect();
            said.retain(|block| !matches!(block.content, Content::Refusal(_)));
            if said.is_empty() && (!aside.is_empty() || !refusal.is_empty()) {
                w.name("content").null();
            } else {
                self.content(w, &said)?;
            }
            if !refusal.is_empty() {
                w.name("refusal").string(&refusal);
            }
            self.aside(w, &aside);
            if let Some(signature) = said.last().and_then(|block| self.signature_of(block)) {
                self::signature(w, signature);
            }
            Ok(())
        })
    }

    fn signature_of<'b>(&self, block: &'b Block) -> Option<&'b str> {
        block
            .signature
            .as_deref()
            .filter(|_| self.replay_signatures)
    }

    /// Thinking and calls, which stand beside the content.
    fn aside(&mut self, w: &mut Writer<'_>, blocks: &[&Block]) {
        let thoughts = blocks.iter().filter_map(|block| match &block.content {
            Content::Thinking(text) => Some(text.as_str()),
            _ => None,
        });
        let thinking: String = thoughts.collect();
        if !thinking.is_empty() {
            match self.replay_thinking {
                true => w.name("reasoning_content").string(&thinking),
                false => self.losses.note(Member::Thinking.name(self.dialect)),
            }
        }
        let is_thinking = |block: &&Block| matches!(block.content, Content::Thinking(_));
        if blocks.iter().all(is_thinking) {
            return;
        }
        w.name("tool_calls").array(|w| {
            for block in blocks {
                self.mark(block);
                arguments::write_call(w, None, block, self.signature_of(block));
            }
        });
    }

    /// A text where that is all there is to say, else parts.
    fn content(&mut self, w: &mut Writer<'_>, blocks: &[&Block]) -> Result<(), Invalid> {
        w.name("content");
        match blocks {
            [] => w.string(""),
            [
                Block {
                    content: Content::Text { text, .. },
                    cache,
                    ..
                },
            ] if cache.is_none() || self.dialect != Dialect::OpenAi => {
                if cache.is_some() {
                    self.losses.note(Member::Cache.name(self.dialect));
                }
                w.string(text);
            }
            blocks => w.array(|w| self.parts(w, blocks))?,
        }
        Ok(())
    }

    fn parts(&mut self, w: &mut Writer<'_>, blocks: &[&Block]) -> Result<(), Invalid> {
        blocks.iter().try_for_each(|block| self.part(w, block))
    }

    fn part(&mut self, w: &mut Writer<'_>, block: &Block) -> Result<(), Invalid> {
        if let Content::Document(document) = &block.content
            && !matches!(document.source, Source::Text(_))
            && !self.can_say(document)?
        {
            return Ok(());
        }
        if let Content::Opaque(opaque) = &block.content {
            match opaque.dialect {
                Dialect::OpenAi => w.raw(opaque.raw.as_str()),
                _ => self.losses.shape(
                    opaque
                        .word()
                        .as_deref()
                        .unwrap_or(Member::Turns.name(self.dialect)),
                )?,
            }
            return Ok(());
        }
        if let Content::Image(image) = &block.content
            && matches!(image.source, Source::File(_))
        {
            return self.losses.shape(Member::Content.name(self.dialect));
        }
        self.mark(block);
        w.object(|w| {
            match &block.content {
                Content::Image(image) => self::image(w, image),
                Content::Document(document) => self::document(w, document),
                Content::Audio(audio) => self::audio(w, audio),
                Content::Refusal(text) => kind(w, "refusal").name("refusal").string(text),
                Content::Text { text, .. }
                | Content::Thinking(text)
                | Content::RedactedThinking(text) => kind(w, "text").name("text").string(text),
                Content::ToolCall(_) | Content::ToolResult(_) | Content::Opaque(_) => {
                    kind(w, "text").name("text").string("");
                }
            }
            if self.dialect == Dialect::OpenAi {
                w.maybe_raw("cache_control", block.cache.as_ref().map(Raw::as_str));
            }
        });
        Ok(())
    }

    /// Documents elsewhere in the net have no place here, and ids belong to one provider's store.
    fn can_say(&mut self, document: &Document) -> Result<bool, Invalid> {
        let sayable = match &document.source {
            Source::Url(_) => false,
            Source::File(_) => self.dialect == Dialect::OpenAi,
            Source::Data { .. } | Source::Text(_) => true,
        };
        if !sayable {
            self.losses.shape(Member::Content.name(self.dialect))?;
        }
        Ok(sayable)
    }

    /// Notes a cache mark that is left out.
    fn mark(&mut self, block: &Block) {
        if block.cache.is_some() && self.dialect != Dialect::OpenAi {
            self.losses.note(Member::Cache.name(self.dialect));
        }
    }
}

fn kind<'w, 'a>(w: &'w mut Writer<'a>, kind: &str) -> &'w mut Writer<'a> {
    w.name("type").string(kind);
    w
}

/// Writes the members of an image's part.
pub(super) fn image(w: &mut Writer<'_>, image: &Image) {
    kind(w, "image_url").name("image_url").object(|w| {
        match &image.source {
            Source::Data { media_type, data } => {
                w.name("url").string(&uri::write(media_type, data));
            }
            Source::Url(text) | Source::Text(text) | Source::File(text) => {
                w.name("url").string(text);
            }
        }
        w.maybe_string("detail", image.detail.as_deref());
    });
}

fn document(w: &mut Writer<'_>, document: &Document) {
    if let Source::Text(text) = &document.source {
        return kind(w, "text").name("text").string(text);
    }
    kind(w, "file")
        .name("file")
        .object(|w| match &document.source {
            Source::Data { media_type, data } => {
                match media_type.as_str() {
                    "" => w.name("file_data").string(data),
                    known => w.name("file_data").string(&uri::write(known, data)),
                }
                // Data without a name is refused.
                let made_up = (!media_type.is_empty()).then_some("document");
                w.maybe_string("filename", document.name.as_deref().or(made_up));
            }
            Source::File(id) | Source::Url(id) | Source::Text(id) => {
                w.name("file_id").string(id);
                w.maybe_string("filename", document.name.as_deref());
            }
        });
}

fn audio(w: &mut Writer<'_>, audio: &Audio) {
    kind(w, "input_audio").name("input_audio").object(|w| {
        w.name("data").string(&audio.data);
        w.name("format").string(&audio.format);
    });
}

/// Writes where a signature travels.
pub(super) fn signature(w: &mut Writer<'_>, signature: &str) {
    w.name("extra_content").object(|w| {
        w.name("google")
            .object(|w| w.name("thought_signature").string(signature));
    });
}

/// Whether an opaque piece is a call of a tool that is no function: parts of a content have no id.
pub(super) fn is_call(opaque: &Opaque) -> bool {
    let called = || opaque.word().as_deref() == Some("custom") || id(opaque).is_some();
    opaque.dialect == Dialect::OpenAi && called()
}

/// The calls that wait for their results.
#[derive(Default)]
struct Open<'a> {
    /// All of them and those that have been answered, in order.
    order: Vec<Cow<'a, str>>,
    waiting: HashSet<Cow<'a, str>>,
}

// === impl Open ===

impl<'a> Open<'a> {
    /// Adds the calls of a turn, those of tools that are no functions included.
    fn add(&mut self, turn: &'a Turn) {
        for block in &turn.blocks {
            let id = match &block.content {
                Content::ToolCall(call) => Some(Cow::Borrowed(call.id.as_str())),
                Content::Opaque(opaque) if is_call(opaque) => id(opaque),
                _ => None,
            };
            if let Some(id) = id {
                self.waiting.insert(id.clone());
                self.order.push(id);
            }
        }
    }

    /// Says that calls were never answered: a call without any result is refused.
    fn unanswered(&mut self, w: &mut Writer<'_>) {
        for id in self.order.drain(..) {
            if self.waiting.remove(&id) {
                w.object(|w| {
                    w.name("role").string("tool");
                    w.name("tool_call_id").string(&id);
                    w.name("content").string("(no result)");
                });
            }
        }
    }
}

fn id(opaque: &Opaque) -> Option<Cow<'_, str>> {
    let bytes = opaque.raw.as_bytes();
    opaque.raw.envelope()?.member(bytes, "id")?.as_str(bytes)
}
