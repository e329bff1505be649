//! Where the system prompt and the user's text stand, in each dialect.

use std::borrow::Cow;

use aisix_core::{
    call::Payload,
    wire::{Dialect, Edits, Envelope, Kind, Member, Span, elements, json_string},
};

/// What stands between texts that are joined.
const BETWEEN: &str = "\n\n";

/// Puts texts before and after the system prompt, or in its place if there is none.
pub(super) fn around_system(
    dialect: Dialect,
    payload: &Payload,
    before: Option<&str>,
    after: Option<&str>,
    edits: &mut Edits,
) {
    match dialect {
        Dialect::Responses => around_member("instructions", payload, before, after, edits),
        Dialect::Anthropic => around_member("system", payload, before, after, edits),
        Dialect::Gemini => around_instruction(payload, before, after, edits),
        _ => around_messages(payload, before, after, edits),
    }
}

/// The last text of the user: where it stands, and what it says.
pub(super) fn user_text(dialect: Dialect, payload: &Payload) -> Option<(Span, String)> {
    let (list, content) = match dialect {
        Dialect::Responses => ("input", "content"),
        Dialect::Gemini => ("contents", "parts"),
        _ => ("messages", "content"),
    };
    let (body, list) = (&payload.bytes()[..], payload.member(list)?);
    // Google takes a role for granted.
    let is_lax = dialect == Dialect::Gemini;
    let of_user = |span: Span| {
        let message = Envelope::scan_at(body, span).ok()?;
        let role = message
            .member(body, "role")
            .and_then(|role| role.as_str(body));
        let is_users = role.map_or(is_lax, |role| role == "user");
        let content = message.member(body, content).filter(|_| is_users)?;
        last_text(body, content.value.clone(), content.kind)
    };
    let place = match list.kind {
        Kind::String => Some(list.value.clone()),
        _ => {
            let messages: Vec<_> = elements(body, list.value.clone()).collect();
            let mut messages = messages.into_iter().rev();
            messages.find_map(|(span, _)| of_user(span))
        }
    }?;
    let text = text(body, &place)?.into_owned();
    Some((place, text))
}

/// The last text of a content: a text, parts of which some have one, or one part in the place of a list.
fn last_text(body: &[u8], content: Span, kind: Kind) -> Option<Span> {
    let of_part = |span: Span| {
        let part = Envelope::scan_at(body, span).ok()?;
        let text = part.member(body, "text")?;
        (text.kind == Kind::String).then(|| text.value.clone())
    };
    match kind {
        Kind::String => Some(content),
        Kind::Object => of_part(content),
        _ => elements(body, content)
            .filter_map(|(span, _)| of_part(span))
            .last(),
    }
}

/// A member that is a text, or a list of blocks with texts.
fn around_member(
    name: &'static str,
    payload: &Payload,
    before: Option<&str>,
    after: Option<&str>,
    edits: &mut Edits,
) {
    let body = payload.bytes();
    let member = payload.member(name);
    if let Some(list) = member.filter(|member| member.kind == Kind::Array) {
        let block = |text: &str| object(&[("type", "text"), ("text", text)]);
        let blocks: Vec<_> = elements(body, list.value.clone())
            .map(|(span, _)| span)
            .collect();
        let end = blocks.len();
        insert(
            list,
            &blocks,
            [(0, before.map(block)), (end, after.map(block))],
            edits,
        );
        return;
    }
    let said = member.and_then(|member| member.as_str(body));
    let said = said.as_deref().filter(|said| !said.is_empty());
    let texts: Vec<_> = [before, said, after].into_iter().flatten().collect();
    edits.set(name, json_string(&texts.join(BETWEEN)));
}

/// Messages of their own, around those that begin a conversation and are instructions.
fn around_messages(
    payload: &Payload,
    before: Option<&str>,
    after: Option<&str>,
    edits: &mut Edits,
) {
    let body = &payload.bytes()[..];
    let Some(list) = payload.member("messages") else {
        return;
    };
    let messages: Vec<_> = elements(body, list.value.clone())
        .map(|(span, _)| span)
        .collect();
    let role = |span: &Span| {
        let message = Envelope::scan_at(body, span.clone()).ok()?;
        let role = message.member(body, "role")?.as_str(body)?;
        // One conversation should not mix the two.
        ["system", "developer"]
            .into_iter()
            .find(|known| role == *known)
    };
    let instructions = messages.iter().map_while(role).count();
    let role = messages.first().and_then(role).unwrap_or("system");
    let message = |text: &str| object(&[("role", role), ("content", text)]);
    let added = [(0, before.map(message)), (instructions, after.map(message))];
    insert(list, &messages, added, edits);
}

/// Parts of the instruction, which has its name in either case.
fn around_instruction(
    payload: &Payload,
    before: Option<&str>,
    after: Option<&str>,
    edits: &mut Edits,
) {
    const NAMES: [&str; 2] = ["systemInstruction", "system_instruction"];
    let body = payload.bytes();
    let part = |text: &str| object(&[("text", text)]);
    let (before, after) = (before.map(part), after.map(part));
    let there = NAMES.into_iter().find_map(|name| {
        let member = payload.member(name)?;
        (!member.is_null()).then_some((name, member))
    });
    let parts = there.and_then(|(_, member)| {
        let instruction = Envelope::scan_at(body, member.value.clone()).ok()?;
        instruction.member(body, "parts").cloned()
    });
    match parts {
        Some(list) if list.kind == Kind::Array => {
            let parts: Vec<_> = elements(body, list.value.clone())
                .map(|(span, _)| span)
                .collect();
            let end = parts.len();
            insert(&list, &parts, [(0, before), (end, after)], edits);
        }
        parts => {
            // One object in the place of a list.
            let said = parts.filter(|part| part.kind == Kind::Object);
            let said = said.map(|part| String::from_utf8_lossy(part.raw(body)).into_owned());
            let parts: Vec<_> = [before, said, after].into_iter().flatten().collect();
            let name = there.map_or(NAMES[0], |(name, _)| name);
            edits.set(name, format!(r#"{{"parts":[{}]}}"#, parts.join(",")));
        }
    }
}

/// Inserts elements into an array, each before the one of an index or behind the last one.
fn insert(
    array: &Member,
    elements: &[Span],
    added: [(usize, Option<String>); 2],
    edits: &mut Edits,
) {
    let mut is_behind = !elements.is_empty();
    for (index, text) in added {
        let Some(text) = text else { continue };
        match (elements.get(index), elements.last()) {
            (Some(next), _) => edits.replace(next.start..next.start, format!("{text},")),
            (None, last) => {
                let at = last.map_or(array.value.start + 1, |last| last.end);
                let comma = if is_behind { "," } else { "" };
                edits.replace(at..at, format!("{comma}{text}"));
                is_behind = true;
            }
        }
    }
}

/// An object of texts.
fn object(members: &[(&str, &str)]) -> String {
    let member = |(name, text): &(&str, &str)| {
        let text = json_string(text);
        format!("{:?}:{}", name, String::from_utf8_lossy(&text))
    };
    let members: Vec<_> = members.iter().map(member).collect();
    format!("{{{}}}", members.join(","))
}

/// What a string says.
fn text<'b>(body: &'b [u8], place: &Span) -> Option<Cow<'b, str>> {
    let string = Member {
        name: 0..0,
        escaped_name: false,
        value: place.clone(),
        kind: Kind::String,
        len: 0,
    };
    string.as_str(body)
}
