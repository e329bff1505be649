//! Patterns, compiled together.

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Hir, HirKind, Look, Repetition};

/// How much memory a compiled set of patterns may take, in bytes.
const MAX_SIZE: usize = 8 * 1024 * 1024;
/// How many steps of a sequence are followed one by one, to see whether a text could still become a match.
const MAX_STEPS: usize = 48;

/// Patterns, compiled together.
#[derive(Clone, Debug)]
pub(super) struct Patterns {
    /// Those that do not look at what stands around a match.
    plain: Option<Regex>,
    /// Those that do, such as `\bword\b`.
    looking: Option<Regex>,
    /// What could become a match of any when more text comes, at the end of a text.
    begun: Option<Regex>,
}

/// Reads a pattern: a literal in any case, or a regular expression.
pub(super) fn read(pattern: &str, is_literal: bool) -> Result<Hir, String> {
    let hir = match is_literal {
        true => regex_syntax::parse(&format!("(?i){}", regex_syntax::escape(pattern))),
        false => regex_syntax::parse(pattern),
    };
    let hir = hir.map_err(|_| "is not a regular expression that is understood".to_owned())?;
    match hir.properties().minimum_len() {
        Some(0) => Err("matches a text without a character".to_owned()),
        _ => Ok(bare(&hir)),
    }
}

// === impl Patterns ===

impl Patterns {
    /// Compiles patterns; none at all never match.
    pub(super) fn compile(patterns: &[Hir]) -> Result<Self, regex::Error> {
        let (plain, looking): (Vec<Hir>, Vec<Hir>) = patterns
            .iter()
            .cloned()
            .partition(|hir| hir.properties().look_set().is_empty());
        let begun = patterns.iter().map(begun).collect();
        let end = |hir| Hir::concat(vec![hir, Hir::look(Look::End)]);
        Ok(Self {
            plain: any(plain)?,
            looking: any(looking)?,
            begun: match patterns {
                [] => None,
                _ => any(vec![end(Hir::alternation(begun))])?,
            },
        })
    }

    /// Whether a whole text has a match.
    pub(super) fn is_match(&self, text: &str) -> bool {
        self.is_match_at(text, 0, true)
    }

    /// Whether there is a match from `from` on. While more text may come, only those count that it cannot undo.
    pub(super) fn is_match_at(&self, text: &str, from: usize, is_whole: bool) -> bool {
        let plain = self.plain.as_ref();
        if plain.is_some_and(|plain| plain.is_match_at(text, from)) {
            return true;
        }
        let Some(looking) = &self.looking else {
            return false;
        };
        let mut at = from;
        while let Some(found) = looking.find_at(text, at) {
            // What a match looks at stands beside it.
            if is_whole || found.end() < text.len() {
                return true;
            }
            let first = found.as_str().chars().next();
            at = found.start() + first.map_or(1, char::len_utf8);
        }
        false
    }

    /// Where, from `from` on, a text begins that could become a match when more comes; the end if nowhere.
    pub(super) fn begun_at(&self, text: &str, from: usize) -> usize {
        let begun = self
            .begun
            .as_ref()
            .and_then(|begun| begun.find_at(text, from));
        begun.map_or(text.len(), |found| found.start())
    }
}

/// Any of them, compiled.
fn any(patterns: Vec<Hir>) -> Result<Option<Regex>, regex::Error> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let pattern = Hir::alternation(patterns).to_string();
    let mut builder = RegexBuilder::new(&pattern);
    builder.size_limit(MAX_SIZE).nest_limit(1_024);
    builder.build().map(Some)
}

/// The same without groups, whose names could not stand twice in one expression.
fn bare(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Capture(group) => bare(&group.sub),
        HirKind::Repetition(repetition) => Hir::repetition(Repetition {
            sub: Box::new(bare(&repetition.sub)),
            ..repetition.clone()
        }),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(bare).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.iter().map(bare).collect()),
        _ => hir.clone(),
    }
}

/// What a match may begin with, the whole of it included. What it looks at is left out, so that this is never too little.
fn begun(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Hir::empty(),
        HirKind::Class(_) => hir.clone(),
        HirKind::Literal(literal) => match &*characters(&literal.0) {
            [_] => hir.clone(),
            parts => sequence(parts),
        },
        HirKind::Capture(group) => begun(&group.sub),
        HirKind::Concat(parts) => sequence(&steps(parts)),
        HirKind::Alternation(parts) => Hir::alternation(parts.iter().map(begun).collect()),
        HirKind::Repetition(repetition) => {
            let before = Hir::repetition(Repetition {
                min: 0,
                max: repetition.max.map(|max| max.saturating_sub(1)),
                greedy: true,
                sub: Box::new(blind(&repetition.sub)),
            });
            Hir::concat(vec![before, begun(&repetition.sub)])
        }
    }
}

/// The first part or a beginning of it, or the first part and what the rest may begin with.
fn sequence(parts: &[Hir]) -> Hir {
    let (near, far) = parts.split_at(parts.len().min(MAX_STEPS));
    let mut rest = far.iter().map(|part| part.properties().maximum_len());
    let rest = rest.try_fold(0_usize, |sum, len| sum.checked_add(len?));
    let rest = match far {
        [] => Hir::empty(),
        _ => Hir::repetition(Repetition {
            min: 0,
            max: rest.and_then(|rest| u32::try_from(rest).ok()),
            greedy: true,
            sub: Box::new(Hir::dot(regex_syntax::hir::Dot::AnyChar)),
        }),
    };
    near.iter().rev().fold(rest, |rest, part| {
        Hir::alternation(vec![Hir::concat(vec![blind(part), rest]), begun(part)])
    })
}

/// The same without what it looks at.
fn blind(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Look(_) => Hir::empty(),
        HirKind::Repetition(repetition) => Hir::repetition(Repetition {
            sub: Box::new(blind(&repetition.sub)),
            ..repetition.clone()
        }),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(blind).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.iter().map(blind).collect()),
        _ => hir.clone(),
    }
}

/// The parts of a sequence, literals taken apart.
fn steps(parts: &[Hir]) -> Vec<Hir> {
    let split = |part: &Hir| match part.kind() {
        HirKind::Literal(literal) => characters(&literal.0),
        _ => vec![part.clone()],
    };
    parts.iter().flat_map(split).collect()
}

fn characters(literal: &[u8]) -> Vec<Hir> {
    let text = String::from_utf8_lossy(literal);
    let literal = |character: char| Hir::literal(character.to_string().into_bytes());
    text.chars().map(literal).collect()
}
