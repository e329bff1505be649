//! Finding the texts of a document.

use std::borrow::Cow;

use aisix_core::wire::{Envelope, Kind, Member, ScanError, Span, elements};
use smallvec::SmallVec;

use super::{Text, places};

/// Members that say which of several texts a piece belongs to.
const INDEXES: [&str; 4] = ["index", "output_index", "content_index", "summary_index"];

/// Which of the texts of a stream a piece belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Track {
    /// The name that its places end in.
    name: &'static str,
    indexes: SmallVec<[u64; 4]>,
}

/// A place that may still be reached, and the rest of its path.
type Way = (&'static str, &'static str);
type Ways = SmallVec<[Way; 16]>;

struct Walk<'a> {
    document: &'a [u8],
    indexes: SmallVec<[u64; 4]>,
    texts: Vec<Text<'a>>,
    values: Vec<Span>,
}

/// The texts at these places of an object, in order.
pub(super) fn texts<'a>(
    document: &'a [u8],
    object: Span,
    places: &[&'static str],
) -> Result<Vec<Text<'a>>, ScanError> {
    Ok(Walk::through(document, object, places)?.texts)
}

/// The values, whatever they are, at these places of an object, in order. Each place ends in `!`.
pub(super) fn values(
    document: &[u8],
    object: Span,
    places: &[&'static str],
) -> Result<Vec<Span>, ScanError> {
    Ok(Walk::through(document, object, places)?.values)
}

// === impl Track ===

impl Track {
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it stands inside of an object that has the indexes of another track.
    pub(crate) fn is_inside(&self, outer: &Self) -> bool {
        self.indexes.starts_with(&outer.indexes)
    }

    /// Whether both are of one choice, candidate or block, and are different things said there.
    pub(crate) fn is_beside(&self, other: &Self) -> bool {
        self.name != other.name && self.indexes.first() == other.indexes.first()
    }
}

// === impl Walk ===

impl<'a> Walk<'a> {
    fn through(
        document: &'a [u8],
        object: Span,
        places: &[&'static str],
    ) -> Result<Self, ScanError> {
        let mut walk = Self {
            document,
            indexes: SmallVec::new(),
            texts: Vec::new(),
            values: Vec::new(),
        };
        let ways: Ways = places.iter().map(|place| (*place, *place)).collect();
        walk.object(object, &ways)?;
        Ok(walk)
    }

    fn value(&mut self, span: Span, kind: Kind, ways: &[Way]) -> Result<(), ScanError> {
        match kind {
            _ if ways.is_empty() => Ok(()),
            _ if ways.iter().any(|(_, rest)| *rest == "!") => {
                self.values.push(span);
                Ok(())
            }
            Kind::String => {
                let end = ways.iter().find(|(_, rest)| matches!(*rest, "" | "**"));
                if let Some((place, _)) = end {
                    self.text(span, place);
                }
                Ok(())
            }
            Kind::Array => {
                let ways: Ways = ways.iter().filter_map(|way| step(*way, "*")).collect();
                elements(self.document, span)
                    .take_while(|_| !ways.is_empty())
                    .try_for_each(|(span, kind)| self.value(span, kind, &ways))
            }
            Kind::Object => self.object(span, ways),
            Kind::Number => {
                let end = ways.iter().find(|(_, rest)| *rest == "**");
                let number = self.document.get(span.clone()).map(String::from_utf8_lossy);
                if let (Some((place, _)), Some(number)) = (end, number) {
                    self.add(span, number, place);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn object(&mut self, span: Span, ways: &[Way]) -> Result<(), ScanError> {
        let envelope = Envelope::scan_at(self.document, span)?;
        let ways: Ways = ways
            .iter()
            .filter_map(|way| self.condition(&envelope, *way))
            .collect();
        let outside = self.indexes.len();
        let indexes = INDEXES.iter().filter_map(|name| {
            let member = envelope.member(self.document, name)?;
            member.as_u64(self.document)
        });
        self.indexes.extend(indexes);
        // Every member of a name counts: who reads the document next may take the first or the last one.
        for member in envelope.members() {
            self.member(member, &ways)?;
        }
        self.indexes.truncate(outside);
        Ok(())
    }

    fn member(&mut self, member: &Member, ways: &[Way]) -> Result<(), ScanError> {
        if let Some((place, _)) = ways.iter().find(|(_, rest)| *rest == "**") {
            self.text(member.name.start - 1..member.name.end + 1, place);
        }
        let inner: Ways = ways
            .iter()
            .filter(|(_, rest)| {
                let name = rest.split_once('.').map_or(*rest, |(name, _)| name);
                name == "**" || member.is_named(self.document, name)
            })
            .map(|(place, rest)| match *rest {
                "**" => (*place, *rest),
                rest => (*place, rest.split_once('.').map_or("", |(_, rest)| rest)),
            })
            .collect();
        self.value(member.value.clone(), member.kind, &inner)
    }

    /// The way on from an object, unless it has a condition that the object does not meet.
    fn condition(&self, envelope: &Envelope, way: Way) -> Option<Way> {
        let Some(condition) = way.1.strip_prefix('?') else {
            return Some(way);
        };
        let (condition, rest) = condition.split_once('.')?;
        let (name, value) = condition.split_once('=')?;
        let member = envelope.member(self.document, name)?;
        (member.as_str(self.document)? == value).then_some((way.0, rest))
    }

    fn text(&mut self, span: Span, place: &'static str) {
        let string = Member {
            name: 0..0,
            escaped_name: false,
            value: span.clone(),
            kind: Kind::String,
            len: 0,
        };
        if let Some(text) = string.as_str(self.document) {
            self.add(span, text, place);
        }
    }

    fn add(&mut self, span: Span, text: Cow<'a, str>, place: &'static str) {
        let name = place.rsplit_once('.').map_or(place, |(_, name)| name);
        let indexes = self.indexes.clone();
        self.texts.push(Text {
            place: span,
            text,
            track: Track { name, indexes },
            is_piece: false,
            is_arguments: places::is_arguments(name),
        });
    }
}

/// The way on through a step of this name.
fn step((place, rest): Way, name: &str) -> Option<Way> {
    if rest == "**" {
        return Some((place, rest));
    }
    let (first, rest) = rest.split_once('.').unwrap_or((rest, ""));
    (first == name).then_some((place, rest))
}
