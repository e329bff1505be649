//! Entities, compiled together.

use std::cmp::Reverse;

use aisix_core::wire::Span;
use regex::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use regex_syntax::hir::Hir;

use super::{Check, Entity};
use crate::edit::{
    Edit, Seen,
    begun::{Begun, MAX_NESTED, MAX_SIZE},
};

/// Finds entities: the leftmost first, of several the longest, of equal ones that which was declared first. What is found
/// does not overlap.
#[derive(Debug)]
pub(crate) struct Finder {
    entities: Vec<Compiled>,
    /// Which of them occur at all.
    occur: RegexSet,
    begun: Begun,
}

#[derive(Debug)]
struct Compiled {
    regex: Regex,
    has_group: bool,
    check: Check,
}

/// An entity in a text.
#[derive(Clone, Debug)]
struct Found {
    entity: usize,
    /// All that matches.
    place: Span,
    /// The entity itself.
    part: Span,
}

/// A search through a text: the next match of each entity that has one.
struct Search<'a> {
    finder: &'a Finder,
    text: &'a str,
    next: Vec<Found>,
}

// === impl Finder ===

impl Finder {
    /// Compiles entities. Together they take 8 MiB at most.
    pub(crate) fn compile(entities: Vec<Entity>) -> Result<Self, regex::Error> {
        let expressions = entities.iter().map(|entity| &entity.expression);
        let mut occur = RegexSetBuilder::new(expressions);
        let occur = occur.size_limit(MAX_SIZE).nest_limit(MAX_NESTED).build()?;
        let begun = Begun::compile(entities.iter().map(|entity| &entity.pattern))?;
        let entities = entities.into_iter().map(Compiled::new);
        Ok(Self {
            entities: entities.collect::<Result<_, _>>()?,
            occur,
            begun,
        })
    }

    /// Looks at a text as an [`Editor`](crate::edit::Editor) does, and at nothing that ends after `until`. `write` says what is
    /// written in the place of an entity, by its number; nothing leaves it as it is.
    pub(crate) fn look(
        &self,
        text: &str,
        from: usize,
        until: usize,
        is_whole: bool,
        mut write: impl FnMut(usize, &str) -> Option<String>,
    ) -> Seen {
        let begun = |from| match is_whole {
            true => until,
            false => self.begun.at(text, from).min(until),
        };
        let mut seen = Seen::up_to(begun(from));
        let mut search = Search::new(self, text, from, true);
        let mut at = from;
        // What begins before something that more text could change has ended before it, too.
        while let Some(found) = search.next(at, seen.free) {
            if found.place.end > until {
                seen.free = found.place.start;
                break;
            }
            at = found.place.end;
            self.edit(text, &found, &mut write, &mut seen.edits);
            if at > seen.free {
                seen.free = begun(at);
            }
        }
        seen
    }

    /// Whether it looks for nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.entities.is_empty()
    }

    /// Adds the edits of what was found. Beside a group, there may be other entities.
    fn edit(
        &self,
        text: &str,
        found: &Found,
        write: &mut impl FnMut(usize, &str) -> Option<String>,
        edits: &mut Vec<Edit>,
    ) {
        let Found {
            entity,
            place,
            part,
        } = found;
        self.beside(text, place.start..part.start, write, edits);
        if let Some(text) = write(*entity, &text[part.clone()]) {
            let place = part.clone();
            edits.push(Edit { place, text });
        }
        self.beside(text, part.end..place.end, write, edits);
    }

    fn beside(
        &self,
        text: &str,
        place: Span,
        write: &mut impl FnMut(usize, &str) -> Option<String>,
        edits: &mut Vec<Edit>,
    ) {
        if place.is_empty() {
            return;
        }
        let text = &text[..place.end];
        let mut search = Search::new(self, text, place.start, false);
        let mut at = place.start;
        while let Some(Found { entity, place, .. }) = search.next(at, text.len()) {
            at = place.end;
            if let Some(text) = write(entity, &text[place.clone()]) {
                edits.push(Edit { place, text });
            }
        }
    }

    /// The first match of an entity from `from` on.
    fn first(&self, entity: usize, text: &str, from: usize) -> Option<Found> {
        let Compiled {
            regex,
            has_group,
            check,
        } = &self.entities[entity];
        let mut at = from;
        loop {
            let (place, part) = match has_group {
                true => {
                    let groups = regex.captures_at(text, at)?;
                    let whole = groups.get(0)?.range();
                    let part = groups.get(1).map_or(whole.clone(), |part| part.range());
                    (whole, part)
                }
                false => {
                    let whole = regex.find_at(text, at)?.range();
                    (whole.clone(), whole)
                }
            };
            // Nothing needs to be hidden where nothing is.
            let len = check.accepts(&text[part.clone()]).filter(|len| *len > 0);
            if let Some(len) = len {
                let part = part.start..part.start + len;
                let end = if *has_group { place.end } else { part.end };
                let place = place.start..end;
                return Some(Found {
                    entity,
                    place,
                    part,
                });
            }
            at = text[place.start..]
                .chars()
                .next()
                .map_or(text.len(), |first| place.start + first.len_utf8());
        }
    }
}

// === impl Compiled ===

impl Compiled {
    fn new(entity: Entity) -> Result<Self, regex::Error> {
        let mut builder = RegexBuilder::new(&entity.expression);
        let regex = builder
            .size_limit(MAX_SIZE)
            .nest_limit(MAX_NESTED)
            .build()?;
        Ok(Self {
            regex,
            has_group: has_group(&entity.pattern),
            check: entity.check,
        })
    }
}

fn has_group(pattern: &Hir) -> bool {
    pattern.properties().explicit_captures_len() > 0
}

// === impl Search ===

impl<'a> Search<'a> {
    fn new(finder: &'a Finder, text: &'a str, from: usize, with_groups: bool) -> Self {
        let occurring = finder.occur.matches_at(text, from).into_iter();
        let occurring =
            occurring.filter(|entity| with_groups || !finder.entities[*entity].has_group);
        let next = occurring.filter_map(|entity| finder.first(entity, text, from));
        Self {
            next: next.collect(),
            finder,
            text,
        }
    }

    /// The next entity that begins from `from` on, and before `until`.
    fn next(&mut self, from: usize, until: usize) -> Option<Found> {
        let Self { finder, text, next } = self;
        let is_stale = |found: &Found| found.place.start < from;
        let stale = next.extract_if(.., |found| is_stale(found));
        let stale: Vec<usize> = stale.map(|found| found.entity).collect();
        next.extend(
            stale
                .into_iter()
                .filter_map(|entity| finder.first(entity, text, from)),
        );
        let first = next.iter().min_by_key(|found| {
            let Found { place, entity, .. } = found;
            (place.start, Reverse(place.end), *entity)
        });
        first.filter(|found| found.place.start < until).cloned()
    }
}
