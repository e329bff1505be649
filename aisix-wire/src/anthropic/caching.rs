//! Where a prompt can be cached: breakpoints that are set in requests of this dialect.

use crate::envelope::{Envelope, Kind, Member, Span, elements};
use crate::splice::Edits;

/// Where breakpoints are set, and how long what stands before them is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PromptCaching {
    /// How long.
    pub ttl: CacheTtl,
    /// Whether one is set after the tools.
    pub tools: bool,
    /// Whether one is set after the instructions.
    pub system: bool,
    /// After how many of the last turns of the user one is set.
    pub user_turns: u8,
}

/// How long a cached prompt is kept after it was last used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum CacheTtl {
    /// Five minutes, which is what the dialect means where nothing is said.
    #[default]
    FiveMinutes,
    /// One hour.
    OneHour,
}

/// How many breakpoints a request may have.
const MAX_BREAKPOINTS: usize = 4;

/// Where a breakpoint stands in the prompt, which is read in this order whatever the order of the body.
type Position = (Part, usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Tools,
    System,
    Messages,
    /// What the member of the whole request stands for.
    End,
}

/// An object that can have a breakpoint, or a text that becomes one.
struct Candidate {
    position: Position,
    span: Span,
    kind: Kind,
}

/// What stands in a request.
#[derive(Default)]
struct Survey {
    /// The breakpoints that the caller has set.
    own: Vec<(Position, CacheTtl)>,
    tools: Option<Candidate>,
    system: Option<Candidate>,
    /// The turns of the user, in order.
    user_turns: Vec<Option<Candidate>>,
}

// === impl PromptCaching ===

impl PromptCaching {
    /// Sets the breakpoints in a request that `envelope` was scanned from; tells how many were set.
    ///
    /// With those of the caller there are at most four. The last turn of the user comes first, then the instructions,
    /// the tools, and earlier turns. What the caller has given a breakpoint is left alone, and one
    /// that would break the dialect's rule that longer times stand before shorter ones is left out. Where the
    /// caller has the dialect set a breakpoint at the end, turns get none.
    pub fn edit(self, bytes: &[u8], envelope: &Envelope, edits: &mut Edits) -> usize {
        let survey = Survey::of(bytes, envelope);
        let Some(free) = MAX_BREAKPOINTS.checked_sub(survey.own.len()) else {
            return 0;
        };
        let ends = survey.own.iter().any(|((part, _), _)| *part == Part::End);
        let turns = if ends { 0 } else { self.user_turns.into() };
        let mut turns = survey.user_turns.into_iter().rev().take(turns).flatten();
        let last = turns.next();
        let system = survey.system.filter(|_| self.system);
        let tools = survey.tools.filter(|_| self.tools);
        let candidates = [last, system, tools].into_iter().flatten().chain(turns);
        let fitting = candidates.filter(|it| self.keeps_order(it.position, &survey.own));
        let mut count = 0;
        for candidate in fitting.take(free) {
            candidate.edit(bytes, self.ttl, edits);
            count += 1;
        }
        count
    }

    /// Whether no shorter time stands before this place, and no longer one after it.
    fn keeps_order(self, position: Position, own: &[(Position, CacheTtl)]) -> bool {
        own.iter().all(|(other, ttl)| match *other < position {
            true => *ttl >= self.ttl,
            false => *ttl <= self.ttl,
        })
    }
}

// === impl Candidate ===

impl Candidate {
    fn edit(&self, bytes: &[u8], ttl: CacheTtl, edits: &mut Edits) {
        let control = match ttl {
            CacheTtl::FiveMinutes => r#""cache_control":{"type":"ephemeral"}"#,
            CacheTtl::OneHour => r#""cache_control":{"type":"ephemeral","ttl":"1h"}"#,
        };
        match self.kind {
            Kind::String => {
                let text = String::from_utf8_lossy(&bytes[self.span.clone()]);
                let block = format!(r#"[{{"type":"text","text":{text},{control}}}]"#);
                edits.replace(self.span.clone(), block);
            }
            _ => {
                let end = self.span.end - 1;
                edits.replace(end..end, format!(",{control}"));
            }
        }
    }
}

// === impl Survey ===

impl Survey {
    fn of(bytes: &[u8], envelope: &Envelope) -> Self {
        let mut survey = Self::default();
        let member = |name| envelope.member(bytes, name);
        if let Some(tools) = member("tools") {
            for tool in elements(bytes, tools.value.clone()) {
                if let Some(found) = survey.object(bytes, Part::Tools, tool, is_offered) {
                    survey.tools = found;
                }
            }
        }
        if let Some(system) = member("system") {
            let (span, kind) = (system.value.clone(), system.kind);
            survey.system = survey.content(bytes, Part::System, span, kind);
        }
        if let Some(messages) = member("messages") {
            for (message, _) in elements(bytes, messages.value.clone()) {
                survey.message(bytes, message);
            }
        }
        survey.note(bytes, envelope, (Part::End, 0));
        survey
    }

    fn message(&mut self, bytes: &[u8], message: Span) {
        let Ok(message) = Envelope::scan_at(bytes, message) else {
            return;
        };
        let Some(content) = message.member(bytes, "content") else {
            return;
        };
        let (span, kind) = (content.value.clone(), content.kind);
        let candidate = self.content(bytes, Part::Messages, span, kind);
        let role = message.member(bytes, "role");
        if role.is_some_and(|role| role.as_str(bytes).is_some_and(|role| role == "user")) {
            self.user_turns.push(candidate);
        }
    }

    /// Looks at a text or a list of blocks; gives the last one that can have a breakpoint.
    fn content(&mut self, bytes: &[u8], part: Part, span: Span, kind: Kind) -> Option<Candidate> {
        match kind {
            // Without its quotes, a text must not be empty.
            Kind::String => (span.len() > 2).then_some(Candidate {
                position: (part, span.start),
                span,
                kind,
            }),
            Kind::Array => {
                let mut last = None;
                for (block, kind) in elements(bytes, span) {
                    if let Some(found) = self.object(bytes, part, (block, kind), can_end) {
                        last = found;
                    }
                }
                last
            }
            _ => None,
        }
    }

    /// Looks at an object, and at the blocks in it. `None` when it can have no breakpoint, `Some(None)` when it has one.
    fn object(
        &mut self,
        bytes: &[u8],
        part: Part,
        (span, kind): (Span, Kind),
        is_fit: fn(&[u8], &Envelope) -> bool,
    ) -> Option<Option<Candidate>> {
        if kind != Kind::Object {
            return None;
        }
        let object = Envelope::scan_at(bytes, span.clone()).ok()?;
        if let Some(inner) = object.member(bytes, "content") {
            self.content(bytes, part, inner.value.clone(), inner.kind);
        }
        let position = (part, span.start);
        if self.note(bytes, &object, position) {
            return Some(None);
        }
        is_fit(bytes, &object).then_some(Some(Candidate {
            position,
            span,
            kind,
        }))
    }

    /// Notes the caller's breakpoint in an object; tells whether the object has the member.
    fn note(&mut self, bytes: &[u8], object: &Envelope, position: Position) -> bool {
        let Some(control) = object.member(bytes, "cache_control") else {
            return false;
        };
        if !control.is_null() {
            let control = Envelope::scan_at(bytes, control.value.clone()).ok();
            let hour = control.is_some_and(|control| says(bytes, &control, "ttl", &["1h"]));
            self.own.push((
                position,
                match hour {
                    true => CacheTtl::OneHour,
                    false => CacheTtl::FiveMinutes,
                },
            ));
        }
        true
    }
}

/// Whether a tool stands in the prompt from its beginning.
fn is_offered(bytes: &[u8], tool: &Envelope) -> bool {
    let defers = tool.member(bytes, "defer_loading");
    !tool.members().is_empty() && defers.and_then(Member::as_bool) != Some(true)
}

/// Whether a breakpoint can stand after a block.
fn can_end(bytes: &[u8], block: &Envelope) -> bool {
    let is_empty = || says(bytes, block, "text", &[""]);
    let kinds = ["image", "document", "tool_result", "search_result"];
    says(bytes, block, "type", &kinds) || says(bytes, block, "type", &["text"]) && !is_empty()
}

/// Whether a member is one of these texts.
fn says(bytes: &[u8], object: &Envelope, name: &str, texts: &[&str]) -> bool {
    let member = object.member(bytes, name);
    let said = member.and_then(|member| member.as_str(bytes));
    said.is_some_and(|said| texts.contains(&&*said))
}
