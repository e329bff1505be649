//! Finding entities in texts, such as card numbers and addresses of e-mail, so that something else can be written
//! in their place.

pub(crate) mod check;
mod finder;
pub(crate) mod known;
mod near;

pub(crate) use self::{check::Check, finder::Finder, near::near};

use regex_syntax::hir::Hir;

use crate::edit::begun;

/// Something that is looked for.
#[derive(Clone, Debug)]
pub(crate) struct Entity {
    /// What it looks like. With a group, only what the first group matches is the entity; the rest is what it stands beside.
    expression: String,
    pattern: Hir,
    /// What must be true of a match.
    check: Check,
}

// === impl Entity ===

impl Entity {
    /// From an expression that somebody has written.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as a message that follows its name.
    pub(crate) fn read(expression: String, check: Check) -> Result<Self, String> {
        Ok(Self {
            pattern: begun::read(&expression)?,
            expression,
            check,
        })
    }

    /// From an expression of ours, in which `\b`, `\s` and `\S` are about ASCII alone: letters of other scripts may stand beside
    /// a number.
    pub(crate) fn ours(expression: &str, check: Check) -> Self {
        let expression = expression.replace(r"\b", r"(?-u:\b)");
        let expression = expression.replace(r"\s", r"[\t\n\r ]");
        let expression = expression.replace(r"\S", r"[^\x00-\x20]");
        Self::read(expression, check).expect("our own expressions are understood")
    }
}

#[cfg(test)]
mod tests;
