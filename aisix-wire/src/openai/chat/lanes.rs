//! Bringing the blocks of one choice into order.

use std::collections::VecDeque;

use super::arguments::Arguments;
use crate::chat::{BlockKind, Delta, Event, StreamError};

/// How many bytes may be held back, over all blocks of a choice.
const MAX_HELD: usize = 16 << 20;

/// How many tools one choice may call.
const MAX_CALLS: usize = 1024;

/// The blocks of one choice: the first is open, those behind it wait until it is complete.
///
/// In this dialect the pieces of several calls may come in any order. Text is complete as soon as something
/// else follows, a call as soon as its arguments are.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    choice: u32,
    lanes: VecDeque<Lane>,
    calls: Vec<Call>,
    blocks: u32,
    held: usize,
}

/// Something that a block can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Text,
    Thinking,
    Refusal,
    /// The call with this number among the choice's calls.
    Call(usize),
}

/// A piece of a tool call as it came.
#[derive(Debug, Default)]
pub(super) struct Fragment {
    pub(super) index: Option<u64>,
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) arguments: String,
    pub(super) signature: Option<String>,
}

#[derive(Debug)]
struct Lane {
    what: What,
    open: bool,
    held: Vec<Delta>,
}

#[derive(Debug)]
struct Call {
    index: Option<u64>,
    id: Option<String>,
    name: Option<String>,
    arguments: Arguments,
    closed: bool,
}

// === impl Lanes ===

impl Lanes {
    pub(super) fn new(choice: u32) -> Self {
        Self {
            choice,
            ..Self::default()
        }
    }

    /// How many tools are called so far.
    pub(super) fn calls(&self) -> usize {
        self.calls.len()
    }

    /// Adds to the text, the thinking or the refusal.
    pub(super) fn say(
        &mut self,
        what: What,
        delta: Delta,
        out: &mut Vec<Event>,
    ) -> Result<(), StreamError> {
        if self.lanes.back().is_none_or(|lane| lane.what != what) {
            self.lanes.push_back(Lane::new(what));
        }
        let last = self.lanes.len() - 1;
        self.add(last, delta)?;
        self.advance(None, out);
        Ok(())
    }

    /// Adds to a tool call. `id` makes the id of a call that has none, when it must be told.
    pub(super) fn call(
        &mut self,
        fragment: Fragment,
        id: &dyn Fn(usize) -> String,
        out: &mut Vec<Event>,
    ) -> Result<(), StreamError> {
        let number = match self.find(&fragment) {
            Some(number) => number,
            None if self.calls.len() == MAX_CALLS => return Err(StreamError::TooMuch),
            None => {
                self.lanes
                    .push_back(Lane::new(What::Call(self.calls.len())));
                self.calls.push(Call::new(fragment.index));
                self.calls.len() - 1
            }
        };
        let what = What::Call(number);
        let Some(call) = self.calls.get_mut(number) else {
            return Ok(());
        };
        // Repeated ids and names change nothing.
        call.id = call.id.take().or(fragment.id);
        call.name = call.name.take().or(fragment.name);
        if call.closed {
            return match fragment.arguments.trim_ascii().is_empty() {
                true => Ok(()),
                false => Err(StreamError::Malformed),
            };
        }
        call.arguments.observe(&fragment.arguments);
        let Some(lane) = self.lanes.iter().position(|lane| lane.what == what) else {
            return Ok(());
        };
        if let Some(signature) = fragment.signature {
            self.add(lane, Delta::Signature(signature))?;
        }
        if !fragment.arguments.is_empty() {
            self.add(lane, Delta::Arguments(fragment.arguments))?;
        }
        self.advance(Some(id), out);
        Ok(())
    }

    /// Ends all blocks, complete or not.
    pub(super) fn finish(
        &mut self,
        id: &dyn Fn(usize) -> String,
        out: &mut Vec<Event>,
    ) -> Result<(), StreamError> {
        self.advance(Some(id), out);
        while let Some(lane) = self.lanes.front() {
            if !lane.open && !self.open(Some(id), out) {
                // A call that never got a name.
                return Err(StreamError::Malformed);
            }
            self.flush(out);
            self.close(out);
        }
        Ok(())
    }

    /// The call that a fragment goes on with, if it begins no new one.
    fn find(&self, fragment: &Fragment) -> Option<usize> {
        let same_index = |call: &Call| fragment.index.is_none_or(|index| call.index == Some(index));
        let same_id = |call: &Call| fragment.id.is_some() && call.id == fragment.id;
        let by_id = |call: &Call| same_index(call) && same_id(call);
        if let Some(number) = self.calls.iter().rposition(by_id) {
            return Some(number);
        }
        let number = self.calls.iter().rposition(same_index)?;
        let call = self.calls.get(number)?;
        // Some servers give every call the same index, or none.
        let other_id = fragment.id.is_some() && call.id.is_some();
        let full = call.arguments.complete() || call.arguments.blank() && other_id;
        let named = fragment.name.is_some() && call.name.is_some();
        let new = named && full && (other_id || !fragment.arguments.is_empty());
        (!new).then_some(number)
    }

    fn add(&mut self, lane: usize, delta: Delta) -> Result<(), StreamError> {
        self.held += size(&delta);
        if self.held > MAX_HELD {
            return Err(StreamError::TooMuch);
        }
        if let Some(lane) = self.lanes.get_mut(lane) {
            lane.held.push(delta);
        }
        Ok(())
    }

    /// Yields what can be yielded in order.
    fn advance(&mut self, id: Option<&dyn Fn(usize) -> String>, out: &mut Vec<Event>) {
        while let Some(lane) = self.lanes.front() {
            if !lane.open && !self.open(id, out) {
                return;
            }
            self.flush(out);
            if self.lanes.len() < 2 || !self.complete() {
                return;
            }
            self.close(out);
        }
    }

    /// Opens the first block; not possible for a call without a name.
    fn open(&mut self, id: Option<&dyn Fn(usize) -> String>, out: &mut Vec<Event>) -> bool {
        let Some(lane) = self.lanes.front_mut() else {
            return false;
        };
        let kind = match lane.what {
            What::Text => BlockKind::Text,
            What::Thinking => BlockKind::Thinking,
            What::Refusal => BlockKind::Refusal,
            What::Call(number) => {
                let (Some(call), Some(id)) = (self.calls.get_mut(number), id) else {
                    return false;
                };
                let Some(name) = call.name.clone() else {
                    return false;
                };
                let id = call.id.get_or_insert_with(|| id(number)).clone();
                BlockKind::ToolCall { id, name }
            }
        };
        lane.open = true;
        out.push(Event::BlockStart {
            choice: self.choice,
            index: self.blocks,
            kind,
        });
        self.blocks = self.blocks.saturating_add(1);
        true
    }

    /// Yields what the first block held back.
    fn flush(&mut self, out: &mut Vec<Event>) {
        let choice = self.choice;
        if let Some(lane) = self.lanes.front_mut() {
            for delta in lane.held.drain(..) {
                self.held = self.held.saturating_sub(size(&delta));
                out.push(Event::Delta { choice, delta });
            }
        }
    }

    fn complete(&self) -> bool {
        match self.lanes.front().map(|lane| lane.what) {
            Some(What::Call(number)) => {
                let call = self.calls.get(number);
                call.is_some_and(|call| call.arguments.complete())
            }
            _ => true,
        }
    }

    fn close(&mut self, out: &mut Vec<Event>) {
        if let Some(lane) = self.lanes.pop_front() {
            if let What::Call(number) = lane.what
                && let Some(call) = self.calls.get_mut(number)
            {
                call.closed = true;
            }
            out.push(Event::BlockEnd {
                choice: self.choice,
            });
        }
    }
}

/// What it costs to hold a delta.
fn size(delta: &Delta) -> usize {
    64 + match delta {
        Delta::Text(text)
        | Delta::Thinking(text)
        | Delta::Arguments(text)
        | Delta::Refusal(text)
        | Delta::Signature(text) => text.len(),
        Delta::Citations(opaque) | Delta::Logprobs(opaque) => opaque.raw.as_str().len(),
    }
}

// === impl Lane ===

impl Lane {
    fn new(what: What) -> Self {
        Self {
            what,
            open: false,
            held: Vec::new(),
        }
    }
}

// === impl Call ===

impl Call {
    fn new(index: Option<u64>) -> Self {
        Self {
            index,
            id: None,
            name: None,
            arguments: Arguments::default(),
            closed: false,
        }
    }
}
