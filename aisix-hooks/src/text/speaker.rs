//! Who says the texts of a request.

use aisix_core::wire::{Dialect, Envelope, Kind, Member, ScanError, Span, elements};

use super::Text;

/// Who says a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Speaker {
    /// Whoever made the application.
    System,
    /// Whoever uses it. Also of texts that nobody is named for.
    User,
    /// The model.
    Assistant,
    /// A tool that has answered.
    Tool,
}

/// Who says each of the texts of a request, in their order.
///
/// Of a message that names several roles, the user is taken for the speaker, since nobody trusts users.
///
/// # Errors
///
/// When an object on the way to a role has more members than can be looked at.
pub fn speakers(
    dialect: Dialect,
    request: &[u8],
    texts: &[Text<'_>],
) -> Result<Vec<Speaker>, ScanError> {
    let envelope = Envelope::scan(request, &[])?;
    let mut turns = Vec::new();
    for member in envelope.members() {
        let is = |names: &[&str]| names.iter().any(|name| member.is_named(request, name));
        if is(&[
            "system",
            "instructions",
            "systemInstruction",
            "system_instruction",
        ]) {
            turns.push((member.value.clone(), Speaker::System));
        } else if is(&["messages", "contents", "input"]) {
            add_turns(request, member, dialect, &mut turns)?;
        }
    }
    turns.sort_by_key(|(span, _)| span.start);
    Ok(texts.iter().map(|text| of(&text.place, &turns)).collect())
}

fn of(place: &Span, turns: &[(Span, Speaker)]) -> Speaker {
    let after = turns.partition_point(|(span, _)| span.start <= place.start);
    let turn = after.checked_sub(1).map(|index| &turns[index]);
    match turn {
        Some((span, speaker)) if place.end <= span.end => *speaker,
        _ => Speaker::User,
    }
}

fn add_turns(
    request: &[u8],
    member: &Member,
    dialect: Dialect,
    turns: &mut Vec<(Span, Speaker)>,
) -> Result<(), ScanError> {
    if member.kind != Kind::Array {
        return Ok(());
    }
    for (span, kind) in elements(request, member.value.clone()) {
        if kind == Kind::Object {
            let turn = Envelope::scan_at(request, span.clone())?;
            turns.push((span, speaker(request, &turn, dialect)));
        }
    }
    Ok(())
}

fn speaker(request: &[u8], turn: &Envelope, dialect: Dialect) -> Speaker {
    let is_responses = dialect == Dialect::Responses;
    let says = |member: &&Member| {
        member.is_named(request, "role") || is_responses && member.is_named(request, "type")
    };
    let mut speakers = turn.members().iter().filter(says).filter_map(|member| {
        let word = member.as_str(request)?;
        match &*word {
            // An item of the Responses dialect that is a message has a role too.
            "message" if member.is_named(request, "type") => None,
            "system" | "developer" => Some(Speaker::System),
            "assistant" | "model" | "reasoning" => Some(Speaker::Assistant),
            "tool" | "function" => Some(Speaker::Tool),
            word if word.ends_with("_output") => Some(Speaker::Tool),
            word if word.ends_with("_call") => Some(Speaker::Assistant),
            _ => Some(Speaker::User),
        }
    });
    let Some(first) = speakers.next() else {
        return Speaker::User;
    };
    match speakers.all(|other| other == first) {
        true => first,
        false => Speaker::User,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::text::of_request;

    fn said(dialect: Dialect, request: Value) -> String {
        let request = request.to_string();
        let texts = of_request(dialect, request.as_bytes()).unwrap();
        let speakers = speakers(dialect, request.as_bytes(), &texts).unwrap();
        let said = texts.iter().zip(speakers);
        said.map(|(text, speaker)| format!("{}: {speaker:?}; ", text.text))
            .collect()
    }

    #[test]
    fn speakers_of_every_dialect_are_told() {
        let chat = json!({"messages": [
            {"role": "developer", "content": "a"},
            {"role": "user", "content": [{"type": "text", "text": "b"}]},
            {"role": "assistant", "tool_calls": [{"function": {"arguments": "c"}}]},
            {"role": "tool", "content": "d"},
        ]});
        let responses = json!({"instructions": "a", "input": [
            {"type": "message", "role": "user", "content": "b"},
            {"type": "function_call", "arguments": "c"},
            {"type": "function_call_output", "output": "d"},
        ]});
        let messages = json!({"messages": [
            {"role": "user", "content": "b"},
            {"role": "assistant", "content": [{"type": "text", "text": "c"}]},
        ], "system": [{"type": "text", "text": "a"}]});
        let gemini = json!({"contents": [
            {"parts": [{"text": "b"}]},
            {"role": "model", "parts": [{"text": "c"}]},
            {"role": "function", "parts": [{"text": "d"}]},
        ], "systemInstruction": {"parts": [{"text": "a"}]}});
        for (dialect, request, expected) in [
            (
                Dialect::OpenAi,
                chat,
                "a: System; b: User; c: Assistant; d: Tool; ",
            ),
            (
                Dialect::Responses,
                responses,
                "a: System; b: User; c: Assistant; d: Tool; ",
            ),
            (
                Dialect::Anthropic,
                messages,
                "b: User; c: Assistant; a: System; ",
            ),
            (
                Dialect::Gemini,
                gemini,
                "b: User; c: Assistant; d: Tool; a: System; ",
            ),
            (
                Dialect::OpenAi,
                json!({"prompt": ["a", "b"]}),
                "a: User; b: User; ",
            ),
            (Dialect::Responses, json!({"input": "a"}), "a: User; "),
        ] {
            assert_eq!(said(dialect, request), expected, "{dialect}");
        }
    }

    #[test]
    fn who_has_several_roles_is_a_user() {
        for turn in [
            r#"{"role":"system","role":"user","content":"a"}"#,
            r#"{"role":"user","content":"a","role":"system"}"#,
            r#"{"role":"strange","content":"a"}"#,
            r#"{"role":5,"content":"a"}"#,
        ] {
            let request = format!(r#"{{"messages":[{turn}]}}"#);
            let texts = of_request(Dialect::OpenAi, request.as_bytes()).unwrap();
            let speakers = speakers(Dialect::OpenAi, request.as_bytes(), &texts);
            assert_eq!(speakers.unwrap(), [Speaker::User], "{turn}");
        }
    }
}
