//! Patterns, compiled together.

use regex::Regex;
use regex_syntax::hir::{Dot, Hir};

use crate::edit::{
    Editor, Seen, Stop,
    begun::{self, Begun, any, bare},
};

/// Patterns, compiled together.
#[derive(Clone, Debug)]
pub(crate) struct Patterns {
    /// Those that do not look at what stands around a match.
    plain: Option<Regex>,
    /// Those that do, such as `\bword\b`.
    looking: Option<Regex>,
    /// The same with something behind the match, which it may have looked at.
    followed: Option<Regex>,
    /// What could become a match of any when more text comes, at the end of a text.
    begun: Begun,
}

/// Reads a pattern: a literal in any case, or a regular expression.
pub(crate) fn read(pattern: &str, is_literal: bool) -> Result<Hir, String> {
    let hir = match is_literal {
        true => begun::read(&format!("(?i){}", regex_syntax::escape(pattern))),
        false => begun::read(pattern),
    };
    hir.map(|hir| bare(&hir))
}

// === impl Patterns ===

impl Patterns {
    /// Compiles patterns; none at all never match.
    pub(crate) fn compile(patterns: &[Hir]) -> Result<Self, regex::Error> {
        let (plain, looking): (Vec<Hir>, Vec<Hir>) = patterns
            .iter()
            .cloned()
            .partition(|hir| hir.properties().look_set().is_empty());
        let followed = looking.iter().map(|hir| {
            let next = Hir::dot(Dot::AnyChar);
            Hir::concat(vec![hir.clone(), next])
        });
        Ok(Self {
            followed: any(followed.collect())?,
            plain: any(plain)?,
            looking: any(looking)?,
            begun: Begun::compile(patterns)?,
        })
    }

    /// Whether a whole text has a match.
    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.is_match_at(text, 0, true)
    }

    /// Whether there is a match from `from` on. While more text may come, only those count that it cannot undo.
    pub(crate) fn is_match_at(&self, text: &str, from: usize, is_whole: bool) -> bool {
        let looking = match is_whole {
            true => &self.looking,
            // One search, since any text may have as many matches that end with it as it has characters.
            false => &self.followed,
        };
        let is_match = |regex: &Option<Regex>| {
            let regex = regex.as_ref();
            regex.is_some_and(|regex| regex.is_match_at(text, from))
        };
        is_match(&self.plain) || is_match(looking)
    }
}

impl Editor for Patterns {
    fn look(&self, text: &str, from: usize, is_whole: bool) -> Result<Seen, Stop> {
        if self.is_match_at(text, from, is_whole) {
            return Err(Stop::Match);
        }
        Ok(Seen::up_to(match is_whole {
            true => text.len(),
            false => self.begun.at(text, from),
        }))
    }

    fn reads_arguments(&self) -> bool {
        false
    }
}
