//! Streams of an upstream.

use super::lanes::{Fragment, Lanes, What};
use super::read_response::{arguments, opaque};
use super::{content, finish};
use crate::chat::{Delta, Event, EventReader, Finish, FinishReason, Start, StreamError, call_id};
use crate::error::{error_member, refusal};
use crate::json::{Object, Value};
use crate::{Dialect, Usage, openai};

/// How many choices a stream may have.
const MAX_CHOICES: usize = 256;

/// Reads chunks.
#[derive(Debug, Default)]
pub(super) struct Reader {
    started: bool,
    over: bool,
    id: String,
    choices: Vec<State>,
    usage: Option<Usage>,
}

/// One choice.
#[derive(Debug)]
struct State {
    index: u32,
    lanes: Lanes,
    finished: bool,
}

// === impl Reader ===

impl EventReader for Reader {
    fn read(
        &mut self,
        _: Option<&[u8]>,
        data: &[u8],
        out: &mut Vec<Event>,
    ) -> Result<(), StreamError> {
        if self.over {
            return Ok(());
        }
        let result = match data.trim_ascii() {
            b"" => Ok(()),
            b"[DONE]" => self.complete(out),
            data => self.chunk(data, out),
        };
        self.over |= result.is_err();
        result
    }

    fn end(&mut self, out: &mut Vec<Event>) -> Result<(), StreamError> {
        if self.over {
            return Ok(());
        }
        self.over = true;
        let finished = !self.choices.is_empty() && self.choices.iter().all(|c| c.finished);
        // Some servers never send `[DONE]`.
        match finished {
            true => self.complete(out),
            false => Err(StreamError::Cut),
        }
    }
}

impl Reader {
    fn chunk(&mut self, data: &[u8], out: &mut Vec<Event>) -> Result<(), StreamError> {
        let chunk = Object::scan(data).map_err(|_| StreamError::Malformed)?;
        if let Some(error) = error_member(data, chunk.envelope()) {
            return Err(StreamError::InBand(refusal(data, error)));
        }
        self.start(&chunk, out);
        for choice in chunk.try_items("choices") {
            let choice = choice.as_object().ok_or(StreamError::Malformed)?;
            self.choice(&choice, out)?;
        }
        // Some servers count along on every chunk: the latest holds.
        let usage = chunk.get("usage");
        let usage = usage.and_then(|usage| openai::usage(usage.raw().as_bytes()));
        self.usage = usage.or(self.usage);
        Ok(())
    }

    fn start(&mut self, chunk: &Object<'_>, out: &mut Vec<Event>) {
        if self.started {
            return;
        }
        self.started = true;
        let id = chunk.try_string("id").filter(|id| !id.is_empty());
        self.id = id.clone().unwrap_or_default();
        out.push(Event::Start(Start {
            dialect: Dialect::OpenAi,
            id,
            model: chunk.try_string("model").filter(|model| !model.is_empty()),
            created: chunk.try_count("created").filter(|created| *created > 0),
        }));
    }

    fn choice(&mut self, o: &Object<'_>, out: &mut Vec<Event>) -> Result<(), StreamError> {
        let index = o.try_count("index").unwrap_or(0);
        let index = u32::try_from(index).map_err(|_| StreamError::Malformed)?;
        let at = match self.choices.iter().position(|state| state.index == index) {
            Some(at) => at,
            None if self.choices.len() == MAX_CHOICES => return Err(StreamError::TooMuch),
            None => {
                self.choices.push(State::new(index));
                self.choices.len() - 1
            }
        };
        let before: usize = self.choices[..at].iter().map(|s| s.lanes.calls()).sum();
        let Some(state) = self.choices.get_mut(at) else {
            return Ok(());
        };
        // What follows the end of a choice is not part of it.
        if state.finished {
            return Ok(());
        }
        let answer = self.id.as_str();
        let id = move |number: usize| match index {
            0 => call_id(answer, number),
            _ => call_id(&format!("{answer}-{index}"), number + before),
        };
        if let Some(delta) = o.try_object("delta") {
            state.delta(&delta, &id, out)?;
        }
        if let Some(logprobs) = o.get("logprobs") {
            state.logprobs(&logprobs, out)?;
        }
        if let Some(word) = o.try_text("finish_reason").filter(|word| !word.is_empty()) {
            state.finish(finish::read(&word), &id, out)?;
        }
        Ok(())
    }

    fn complete(&mut self, out: &mut Vec<Event>) -> Result<(), StreamError> {
        self.over = true;
        if !self.started {
            // `[DONE]` and nothing before it is no answer.
            return Err(StreamError::Cut);
        }
        let answer = self.id.as_str();
        for state in self.choices.iter_mut().filter(|state| !state.finished) {
            let index = state.index;
            let id = |number| call_id(&format!("{answer}-{index}"), number);
            state.finish(Finish::new(FinishReason::Other, None), &id, out)?;
        }
        out.extend(self.usage.map(Event::Usage));
        out.push(Event::End);
        Ok(())
    }
}

// === impl State ===

impl State {
    fn new(index: u32) -> Self {
        Self {
            index,
            lanes: Lanes::new(index),
            finished: false,
        }
    }

    fn delta(
        &mut self,
        o: &Object<'_>,
        id: &dyn Fn(usize) -> String,
        out: &mut Vec<Event>,
    ) -> Result<(), StreamError> {
        if let Some(text) = content::thinking(o) {
            self.lanes.say(What::Thinking, Delta::Thinking(text), out)?;
        }
        if let Some(value) = o.get("content") {
            let mut result = Ok(());
            content::said(&value, |thinks, text| {
                if text.is_empty() || result.is_err() {
                    return;
                }
                result = match thinks {
                    true => self.lanes.say(What::Thinking, Delta::Thinking(text), out),
                    false => self.lanes.say(What::Text, Delta::Text(text), out),
                };
            });
            result?;
        }
        if let Some(signature) = content::signature(o) {
            self.lanes
                .say(What::Text, Delta::Signature(signature), out)?;
        }
        let annotations = o
            .get("annotations")
            .filter(|list| list.items().is_some_and(|mut items| items.next().is_some()));
        if let Some(list) = annotations {
            self.lanes
                .say(What::Text, Delta::Citations(opaque(&list)), out)?;
        }
        if let Some(text) = o.try_string("refusal").filter(|text| !text.is_empty()) {
            self.lanes.say(What::Refusal, Delta::Refusal(text), out)?;
        }
        for call in o.try_items("tool_calls") {
            let call = call.as_object().ok_or(StreamError::Malformed)?;
            self.lanes.call(fragment(&call), id, out)?;
        }
        if let Some(function) = o.try_object("function_call") {
            let fragment = Fragment {
                index: Some(u64::MAX),
                ..function_fragment(&function)
            };
            self.lanes.call(fragment, id, out)?;
        }
        Ok(())
    }

    fn logprobs(&mut self, value: &Value<'_>, out: &mut Vec<Event>) -> Result<(), StreamError> {
        let some = value
            .as_object()
            .is_some_and(|o| o.has("content") || o.has("refusal"));
        match some {
            true => self
                .lanes
                .say(What::Text, Delta::Logprobs(opaque(value)), out),
            false => Ok(()),
        }
    }

    fn finish(
        &mut self,
        finish: Finish,
        id: &dyn Fn(usize) -> String,
        out: &mut Vec<Event>,
    ) -> Result<(), StreamError> {
        self.lanes.finish(id, out)?;
        self.finished = true;
        out.push(Event::Finish {
            choice: self.index,
            finish: finish.with_calls(self.lanes.calls() > 0),
        });
        Ok(())
    }
}

/// A piece of a tool call; custom tools are taken for functions whose arguments are any text.
fn fragment(o: &Object<'_>) -> Fragment {
    let function = o.try_object("function");
    let function = match &function {
        Some(function) => Some(function_fragment(function)),
        None => o.try_object("custom").map(|custom| Fragment {
            name: custom.try_string("name").filter(|name| !name.is_empty()),
            arguments: custom.try_string("input").unwrap_or_default(),
            ..Fragment::default()
        }),
    };
    Fragment {
        index: o.try_count("index"),
        id: o.try_string("id").filter(|id| !id.is_empty()),
        signature: content::signature(o),
        ..function.unwrap_or_default()
    }
}

fn function_fragment(function: &Object<'_>) -> Fragment {
    Fragment {
        name: function.try_string("name").filter(|name| !name.is_empty()),
        arguments: arguments(function),
        ..Fragment::default()
    }
}
