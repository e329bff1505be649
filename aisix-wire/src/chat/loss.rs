//! What gets lost when a dialect cannot say something.

use super::Request;
use crate::{Dialect, Invalid};

/// What to do with members that the upstream's dialect cannot say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnUnsupported {
    /// Refuse what would change the shape of the answer, drop hints.
    #[default]
    RefuseShape,
    /// Drop everything.
    Drop,
    /// Refuse everything.
    Refuse,
}

/// How many names of what was dropped are listed; who drops more knows.
const LISTED: usize = 256;

/// Keeps the list of what was dropped from a request.
#[derive(Clone, Debug)]
pub struct Losses {
    policy: OnUnsupported,
    dropped: Vec<String>,
}

// === impl Losses ===

impl Losses {
    /// Nothing is lost yet.
    pub fn new(policy: OnUnsupported) -> Self {
        Self {
            policy,
            dropped: Vec::new(),
        }
    }

    /// A member that shapes the answer cannot be said; `field` is its name as the caller wrote it.
    ///
    /// # Errors
    /// When the policy is not to drop such members.
    pub fn shape(&mut self, field: &str) -> Result<(), Invalid> {
        self.lose(field, self.policy == OnUnsupported::Drop)
    }

    /// A hint cannot be said; `field` is its name as the caller wrote it.
    ///
    /// # Errors
    /// When the policy is to refuse whatever cannot be said.
    pub fn hint(&mut self, field: &str) -> Result<(), Invalid> {
        self.lose(field, self.policy != OnUnsupported::Refuse)
    }

    /// Something is left out that the answer does not depend on, like a mark for the cache: noted, never refused.
    pub fn note(&mut self, field: &str) {
        let full = self.dropped.len() == LISTED;
        if !full && !self.dropped.iter().any(|name| name == field) {
            self.dropped.push(field.to_owned());
        }
    }

    /// All of a request's `rest`, unless `dialect` is the one it was written in.
    ///
    /// # Errors
    /// See [`shape`](Self::shape) and [`hint`](Self::hint).
    pub fn rest(&mut self, request: &Request, dialect: Dialect) -> Result<(), Invalid> {
        if request.dialect == dialect {
            return Ok(());
        }
        for extra in &request.rest {
            match extra.shapes {
                true => self.shape(&extra.name)?,
                false => self.hint(&extra.name)?,
            }
        }
        Ok(())
    }

    /// The names of what was dropped, in order, each once, up to a few hundred.
    pub fn into_dropped(self) -> Vec<String> {
        self.dropped
    }

    fn lose(&mut self, field: &str, drop: bool) -> Result<(), Invalid> {
        if !drop {
            let message = format!("\"{field}\" is not supported by the provider of this model");
            return Err(Invalid::new(field.to_owned(), message));
        }
        self.note(field);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_losses_cost_no_more_than_each_of_them() {
        let mut losses = Losses::new(OnUnsupported::Drop);
        for number in 0..200_000 {
            losses.hint(&format!("tools.{number}.odd")).unwrap();
        }
        assert_eq!(losses.into_dropped().len(), LISTED);
    }
}
