//! What the model may call.

use super::{Opaque, Raw};

/// Something the model may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tool {
    /// The caller runs it.
    Function(Function),
    /// A tool that only one dialect knows, like the provider's own search.
    Opaque(Opaque),
}

/// A tool that the caller runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// What it does, in words for the model.
    pub description: Option<String>,
    /// The JSON schema of its arguments, an object; `None` when it takes none.
    pub schema: Option<Raw>,
    /// Whether the arguments must follow the schema to the letter.
    pub strict: Option<bool>,
    /// The object that asks to cache the prompt up to here.
    pub cache: Option<Raw>,
}

/// Which tools the model has to call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
    /// Any or none, as it likes.
    Auto,
    /// None.
    None,
    /// At least one, whichever.
    Required,
    /// This one.
    Named(String),
    /// Only those named.
    Allowed {
        /// Their names.
        names: Vec<String>,
        /// Whether at least one of them has to be called.
        required: bool,
    },
    /// A choice that only one dialect knows.
    Opaque(Opaque),
}

// === impl Tool ===

impl Tool {
    /// The function, if it is one.
    pub fn as_function(&self) -> Option<&Function> {
        match self {
            Tool::Function(function) => Some(function),
            Tool::Opaque(_) => None,
        }
    }
}

// === impl ToolChoice ===

impl ToolChoice {
    /// Whether the model has no way around calling a tool.
    pub fn forces(&self) -> bool {
        matches!(
            self,
            ToolChoice::Required
                | ToolChoice::Named(_)
                | ToolChoice::Allowed { required: true, .. }
        )
    }
}
