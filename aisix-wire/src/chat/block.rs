//! Who said what.

use super::{Opaque, Raw};

/// One turn of a conversation.
///
/// Turns of one role may follow each other, instructions may stand anywhere, and the results of tools
/// are blocks of a user turn: a writer whose dialect is stricter merges and moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// The speaker's name, where several share a role.
    pub name: Option<String>,
    /// What is said, in order; may be empty.
    pub blocks: Vec<Block>,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The operator: instructions.
    System,
    /// The operator, in the newer word for it; means the same as [`System`](Self::System).
    Developer,
    /// The caller's side: people, and the results of tools.
    User,
    /// The model.
    Assistant,
}

/// One piece of what is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What it is.
    pub content: Content,
    /// What the provider signed this piece with, and wants to see again when the piece comes back.
    ///
    /// On thinking, on tool calls, and with some providers on text.
    pub signature: Option<String>,
    /// The object that asks to cache the prompt up to here, like `{"type":"ephemeral"}`.
    pub cache: Option<Raw>,
}

/// What a block is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// Text.
    Text {
        /// The text; may be empty.
        text: String,
        /// Where it was taken from: the citations or annotations of the dialect it came in.
        citations: Option<Opaque>,
    },
    /// An image.
    Image(Image),
    /// A file to read.
    Document(Document),
    /// A recording to listen to.
    Audio(Audio),
    /// The model calls a tool.
    ToolCall(ToolCall),
    /// What a tool gave back; only in user turns.
    ToolResult(ToolResult),
    /// The model thinks aloud; the signature is the block's.
    Thinking(String),
    /// The model thinks behind closed doors: encrypted, to be sent back as it is.
    RedactedThinking(String),
    /// The model declines, and says so.
    Refusal(String),
    /// Something that only one dialect knows.
    Opaque(Opaque),
}

/// Where the bytes of an image or document are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Here, in base64.
    Data {
        /// Like `image/png`; may be empty when the caller did not tell.
        media_type: String,
        /// The bytes in base64, not checked.
        data: String,
    },
    /// Here, as plain text.
    Text(String),
    /// Somewhere in the net.
    Url(String),
    /// In the provider's store, under this id.
    File(String),
}

/// An image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Where it is.
    pub source: Source,
    /// How closely to look: `auto`, `low` or `high`.
    pub detail: Option<String>,
}

/// A file to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Where it is.
    pub source: Source,
    /// Its file name or title.
    pub name: Option<String>,
    /// What its dialect says of it beside this, as the whole block it came as.
    pub more: Option<Opaque>,
}

/// A recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audio {
    /// The bytes in base64, not checked.
    pub data: String,
    /// Like `wav` or `mp3`: what follows `audio/` in the media type.
    pub format: String,
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// Links it to its result; never empty, minted with [`call_id`] where the provider gave none.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// The arguments as the model wrote them: JSON most of the time.
    ///
    /// A blank text means no arguments. Read it with [`ToolCall::object`].
    pub arguments: String,
}

/// What a tool gave back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolResult {
    /// The id of the call.
    pub call: String,
    /// The tool's name, where the dialect tells; else find it with [`Request::call_name`](super::Request::call_name).
    pub name: Option<String>,
    /// What it gave back: text, images, documents; may be empty.
    pub blocks: Vec<Block>,
    /// Whether it failed.
    pub is_error: bool,
}

/// Makes the id of a call that came without one: the same for the same call, and fit for every dialect.
///
/// `response` is the provider's id of the answer, or any text that is unique to it; `index` counts the
/// calls of the answer, those of all choices together.
pub fn call_id(response: &str, index: usize) -> String {
    let mut id = String::from("call_");
    let fit = response
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-');
    id.extend(fit.take(48));
    id.push('_');
    id.push_str(&index.to_string());
    id
}

// === impl Block ===

impl Block {
    /// A block with neither signature nor cache mark.
    pub fn new(content: Content) -> Self {
        Self {
            content,
            signature: None,
            cache: None,
        }
    }

    /// A block of text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(Content::Text {
            text: text.into(),
            citations: None,
        })
    }

    /// Whether it is text of no length: nothing that has to be said.
    pub fn is_empty_text(&self) -> bool {
        matches!(&self.content, Content::Text { text, .. } if text.is_empty())
    }
}

impl From<Content> for Block {
    fn from(content: Content) -> Self {
        Self::new(content)
    }
}

// === impl Turn ===

impl Turn {
    /// A turn of a speaker without a name.
    pub fn new(role: Role, blocks: Vec<Block>) -> Self {
        Self {
            role,
            name: None,
            blocks,
        }
    }
}

// === impl Role ===

impl Role {
    /// Whether it gives instructions: system or developer.
    pub fn instructs(self) -> bool {
        matches!(self, Role::System | Role::Developer)
    }
}

// === impl ToolCall ===

impl ToolCall {
    /// The arguments as a JSON object: `{}` when they are blank, `None` when they are something else.
    pub fn object(&self) -> Option<Raw> {
        if self.arguments.trim_ascii().is_empty() {
            return Some(Raw::empty_object());
        }
        Raw::parse(&self.arguments).filter(Raw::is_object)
    }
}
