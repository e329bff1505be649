//! What could become a match when more text comes.

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Capture, Dot, Hir, HirKind, Look, Repetition};

/// How much memory expressions that are compiled together may take, in bytes.
pub(crate) const MAX_SIZE: usize = 8 * 1024 * 1024;
/// How deep they may be nested.
pub(crate) const MAX_NESTED: u32 = 1_024;
/// How many steps of a sequence are followed one by one, to see whether a text could still become a match.
const MAX_STEPS: usize = 48;

/// Finds, at the end of a text, what could become a match of one of several expressions when more text comes.
#[derive(Clone, Debug)]
pub(crate) struct Begun(Option<Regex>);

/// Reads an expression that is to be found in texts.
///
/// # Errors
///
/// What is wrong with it, as a message that follows its name.
pub(crate) fn read(expression: &str) -> Result<Hir, String> {
    let hir = regex_syntax::parse(expression);
    let hir = hir.map_err(|_| "is not a regular expression that is understood".to_owned())?;
    match hir.properties().minimum_len() {
        Some(0) => Err("matches a text without a character".to_owned()),
        _ => Ok(hir),
    }
}

/// Any of these, compiled within the bound on memory; nothing when there are none.
pub(crate) fn any(expressions: Vec<Hir>) -> Result<Option<Regex>, regex::Error> {
    if expressions.is_empty() {
        return Ok(None);
    }
    let expression = written(&Hir::alternation(expressions)).to_string();
    let mut builder = RegexBuilder::new(&expression);
    builder.size_limit(MAX_SIZE).nest_limit(MAX_NESTED);
    builder.build().map(Some)
}

/// The same as it can be written: a repetition that is repeated would be written as if it were reluctant.
fn written(hir: &Hir) -> Hir {
    let all = |parts: &[Hir]| parts.iter().map(written).collect();
    match hir.kind() {
        HirKind::Repetition(repetition) => {
            let mut sub = written(&repetition.sub);
            if matches!(sub.kind(), HirKind::Repetition(_)) {
                sub = Hir::capture(Capture {
                    index: 1,
                    name: None,
                    sub: Box::new(sub),
                });
            }
            Hir::repetition(Repetition {
                sub: Box::new(sub),
                ..repetition.clone()
            })
        }
        HirKind::Concat(parts) => Hir::concat(all(parts)),
        HirKind::Alternation(parts) => Hir::alternation(all(parts)),
        _ => hir.clone(),
    }
}

/// The same without groups, whose names could not stand twice in one expression.
pub(crate) fn bare(hir: &Hir) -> Hir {
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

// === impl Begun ===

impl Begun {
    /// Compiles it for these expressions.
    pub(crate) fn compile<'h>(
        expressions: impl IntoIterator<Item = &'h Hir>,
    ) -> Result<Self, regex::Error> {
        let begun: Vec<Hir> = expressions
            .into_iter()
            .map(|hir| begun(&bare(hir)))
            .collect();
        match begun.is_empty() {
            true => Ok(Self(None)),
            false => {
                let end = Hir::look(Look::End);
                any(vec![Hir::concat(vec![Hir::alternation(begun), end])]).map(Self)
            }
        }
    }

    /// Where, from `from` on, a text begins that could become a match when more comes; the end if nowhere.
    pub(crate) fn at(&self, text: &str, from: usize) -> usize {
        let begun = self.0.as_ref().and_then(|begun| begun.find_at(text, from));
        begun.map_or(text.len(), |found| found.start())
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
            sub: Box::new(Hir::dot(Dot::AnyChar)),
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
