//! The provider key's `request` and `response` blocks, compiled.

use aisix_wire::{Edits, Envelope, Kind, elements, json_string};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    call::Payload,
    config::{
        glob::Glob,
        resource::{self, StreamDoneMarker, is_private},
    },
};

/// What a provider key changes in requests and answers.
#[derive(Debug)]
pub struct Shape {
    pub(super) default_headers: resource::Headers,
    forward: Vec<Glob>,
    renames: Vec<(String, String)>,
    temperature: (Option<f64>, Option<f64>),
    defaults: Vec<(String, Bytes)>,
    content_to_string: bool,
    done_marker: StreamDoneMarker,
    reasoning_member: Option<String>,
}

// === impl Shape ===

impl Shape {
    pub(crate) fn compile(key: Option<&resource::ProviderKey>) -> Self {
        let request = key.map(|key| key.request.clone()).unwrap_or_default();
        let response = key.map(|key| key.response.clone()).unwrap_or_default();
        let range = request.param_constraints;
        let defaults = request.default_body_fields.0.iter();
        Self {
            defaults: defaults
                .map(|(name, value)| (name.clone(), Bytes::from(value.to_string())))
                .collect(),
            default_headers: request.default_headers,
            forward: request.forward_client_headers,
            renames: request.param_renames.into_iter().collect(),
            temperature: (range.temperature_min, range.temperature_max),
            content_to_string: response.content_list_to_string,
            done_marker: response.stream_done_marker,
            reasoning_member: response
                .reasoning_field
                .as_ref()
                .and_then(|path| path.names().last())
                .filter(|member| *member != REASONING)
                .cloned(),
        }
    }

    /// The headers of a caller that go to the upstream.
    pub(crate) fn forwarded<'h>(
        &self,
        headers: &'h HeaderMap,
    ) -> impl Iterator<Item = (&'h HeaderName, &'h HeaderValue)> {
        let any = (!self.forward.is_empty()).then_some(headers);
        any.into_iter()
            .flatten()
            .filter(|(name, _)| self.forwards(name) && !is_private(name))
    }

    fn forwards(&self, name: &HeaderName) -> bool {
        self.forward.iter().any(|glob| glob.matches(name.as_str()))
    }

    pub(super) fn done_marker(&self) -> StreamDoneMarker {
        self.done_marker
    }

    /// Adds the edits of a request.
    pub(super) fn edit(&self, payload: &Payload, edits: &mut Edits) {
        // Under the caller's names, so before the names change.
        if let Some(value) = self.clamp(payload) {
            edits.set("temperature", value);
        }
        for (from, to) in &self.renames {
            edits.rename(from.clone(), to.clone());
        }
        for (name, value) in &self.defaults {
            edits.set_default(name.clone(), value.clone());
        }
        if self.content_to_string {
            flatten_contents(payload, edits);
        }
    }

    fn clamp(&self, payload: &Payload) -> Option<Bytes> {
        let (min, max) = self.temperature;
        let member = payload.member("temperature")?;
        let asked = member.as_f64(payload.bytes())?;
        let allowed = asked
            .max(min.unwrap_or(f64::NEG_INFINITY))
            .min(max.unwrap_or(f64::INFINITY));
        (allowed != asked).then(|| Bytes::from(allowed.to_string()))
    }

    /// Renames the upstream's member for reasoning to the one that clients know, in an event or an
    /// answer; `None` when there is nothing to rename.
    pub(super) fn rewrite(&self, data: &Bytes) -> Option<Bytes> {
        let from = self.reasoning_member.as_deref()?;
        let envelope = Envelope::scan(data, &[]).ok()?;
        let choices = envelope.member(data, "choices")?;
        let mut edits = Edits::new();
        for (choice, kind) in elements(data, choices.value.clone()) {
            if kind != Kind::Object {
                continue;
            }
            let choice = Envelope::scan_at(data, choice).ok()?;
            for part in ["delta", "message"] {
                let Some(part) = choice.member(data, part) else {
                    continue;
                };
                let Ok(part) = Envelope::scan_at(data, part.value.clone()) else {
                    continue;
                };
                if part.member(data, REASONING).is_none()
                    && let Some(member) = part.member(data, from)
                {
                    edits.replace(member.name.clone(), REASONING);
                }
            }
        }
        (!edits.is_empty()).then(|| edits.apply(data, &envelope))
    }
}

const REASONING: &str = "reasoning_content";

/// Turns contents that are lists of texts into one text, for upstreams that know nothing else.
fn flatten_contents(payload: &Payload, edits: &mut Edits) {
    let bytes = payload.bytes();
    let Some(messages) = payload.member("messages") else {
        return;
    };
    for (message, _) in elements(bytes, messages.value.clone()) {
        let Ok(message) = Envelope::scan_at(bytes, message) else {
            continue;
        };
        let Some(content) = message.member(bytes, "content") else {
            continue;
        };
        if content.kind == Kind::Array
            && let Some(text) = joined_texts(bytes, content.value.clone())
        {
            edits.replace(content.value.clone(), json_string(&text));
        }
    }
}

/// The texts of a list of parts, if all parts are texts.
fn joined_texts(bytes: &[u8], parts: aisix_wire::Span) -> Option<String> {
    let mut texts = Vec::new();
    for (part, _) in elements(bytes, parts) {
        let part = Envelope::scan_at(bytes, part).ok()?;
        if part.member(bytes, "type")?.as_str(bytes)? != "text" {
            return None;
        }
        texts.push(part.member(bytes, "text")?.as_str(bytes)?.into_owned());
    }
    Some(texts.join("\n"))
}
