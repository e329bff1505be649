//! A conversation as one text, and one text as a conversation.

use std::fmt::Write;

use super::{Block, Content, Member, Request, Role, ToolChoice, upstream_codec};
use crate::json::Object;
use crate::{Dialect, Edits, json_string};

/// What asks the same of a model as the caller's request does, but for this text in the place of the whole conversation,
/// instructions included.
pub fn say_instead(dialect: Dialect, text: &str) -> Edits {
    let text = json_string(text);
    let text = String::from_utf8_lossy(&text);
    let mut edits = Edits::new();
    let gone: &[&'static str] = match dialect {
        Dialect::OpenAi => {
            let turn = format!(r#"[{{"role":"user","content":{text}}}]"#);
            edits.set("messages", turn);
            &[]
        }
        Dialect::Responses => {
            edits.set("input", text.into_owned());
            &[
                "instructions",
                "previous_response_id",
                "conversation",
                "prompt",
            ]
        }
        Dialect::Anthropic => {
            let turn = format!(r#"[{{"role":"user","content":{text}}}]"#);
            edits.set("messages", turn);
            &["system"]
        }
        Dialect::Gemini => {
            let turn = format!(r#"[{{"role":"user","parts":[{{"text":{text}}}]}}]"#);
            edits.set("contents", turn);
            &[
                "systemInstruction",
                "system_instruction",
                "cachedContent",
                "cached_content",
            ]
        }
    };
    for name in gone {
        edits.remove(*name);
    }
    edits
}

/// The text of a whole answer, of the first one if there are several; refusals are texts, thoughts are not. `None` when it
/// cannot be read.
pub fn said(dialect: Dialect, answer: &[u8]) -> Option<String> {
    let Some(codec) = upstream_codec(dialect) else {
        return said_in_responses(answer);
    };
    let answer = codec.read_response(answer).ok()?;
    let choice = answer.choices.into_iter().next()?;
    let mut text = String::new();
    for block in choice.blocks {
        if let Content::Text { text: said, .. } | Content::Refusal(said) = block.content {
            text.push_str(&said);
        }
    }
    Some(text)
}

/// Upstreams of this dialect are only spoken to by callers of the same.
fn said_in_responses(answer: &[u8]) -> Option<String> {
    let answer = Object::scan(answer).ok()?;
    let messages = answer.try_items("output").filter_map(|it| it.as_object());
    let messages = messages.filter(|item| item.try_text("type").as_deref() == Some("message"));
    let parts = messages.flat_map(|message| message.try_items("content"));
    let mut text = String::new();
    for part in parts.filter_map(|part| part.as_object()) {
        let said = part.try_text("text").or_else(|| part.try_text("refusal"));
        text.push_str(&said.unwrap_or_default());
    }
    Some(text)
}

// === impl Request ===

impl Request {
    /// The conversation so far as one text: each turn behind the word for its role. What is no text is told in a word.
    pub fn transcript(&self) -> String {
        let mut out = String::new();
        for turn in &self.turns {
            let role = match turn.role {
                Role::System | Role::Developer => "system",
                Role::User => "user",
                Role::Assistant => "assistant",
            };
            let gap = if out.is_empty() { "" } else { "\n\n" };
            let _ = write!(out, "{gap}{role}: ");
            write_blocks(&turn.blocks, &mut out);
        }
        out
    }

    /// The member by which the caller gives the model tools, or has it call one; `None` when it does neither.
    pub fn tools_member(&self) -> Option<&'static str> {
        let choice = self.tool_choice.as_ref();
        let member = match choice.is_some_and(ToolChoice::forces) {
            _ if !self.tools.is_empty() => Member::Tools,
            true => Member::ToolChoice,
            false => return None,
        };
        Some(member.name(self.dialect))
    }
}

fn write_blocks(blocks: &[Block], out: &mut String) {
    for (number, block) in blocks.iter().enumerate() {
        if number > 0 {
            out.push('\n');
        }
        match &block.content {
            Content::Text { text, .. } | Content::Refusal(text) => out.push_str(text),
            Content::Image(_) => out.push_str("[image]"),
            Content::Document(_) => out.push_str("[document]"),
            Content::Audio(_) => out.push_str("[recording]"),
            Content::ToolCall(call) => {
                let _ = write!(out, "[calls {} with {}]", call.name, call.arguments);
            }
            Content::ToolResult(result) => write_blocks(&result.blocks, out),
            Content::Thinking(_) | Content::RedactedThinking(_) => {}
            Content::Opaque(_) => out.push_str("[something else]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::Envelope;
    use crate::chat::caller_codec;

    const REQUESTS: [(Dialect, &str); 4] = [
        (
            Dialect::OpenAi,
            r#"{"model":"m","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"hi"}],"max_tokens":5}"#,
        ),
        (
            Dialect::Responses,
            r#"{"model":"m","instructions":"Be brief.","input":"hi","max_output_tokens":5}"#,
        ),
        (
            Dialect::Anthropic,
            r#"{"model":"m","system":"Be brief.","messages":[{"role":"user","content":"hi"}],"max_tokens":5}"#,
        ),
        (
            Dialect::Gemini,
            r#"{"systemInstruction":{"parts":[{"text":"Be brief."}]},"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":5}}"#,
        ),
    ];

    fn read(dialect: Dialect, body: &[u8]) -> Request {
        let codec = caller_codec(dialect).expect("all dialects have callers");
        codec.read_request(body).expect("the request is good")
    }

    #[test]
    fn a_conversation_is_told_with_its_instructions_in_every_dialect() {
        for (dialect, body) in REQUESTS {
            let told = read(dialect, body.as_bytes()).transcript();
            assert_eq!(told, "system: Be brief.\n\nuser: hi", "{dialect:?}");
        }
    }

    #[test]
    fn another_text_takes_the_place_of_the_conversation_and_of_nothing_else() {
        for (dialect, body) in REQUESTS {
            let body = Bytes::from_static(body.as_bytes());
            let envelope = Envelope::scan(&body, &[]).expect("it is JSON");
            let changed = say_instead(dialect, "\"so\"").apply(&body, &envelope);
            let (before, after) = (read(dialect, &body), read(dialect, &changed));
            assert_eq!(after.transcript(), "user: \"so\"", "{dialect:?}");
            let limit = after.output_limit.map(|limit| limit.tokens);
            assert_eq!((after.model, limit), (before.model, Some(5)), "{dialect:?}");
            assert!(
                !after
                    .rest
                    .iter()
                    .any(|extra| extra.name == "previous_response_id")
            );
        }
    }

    #[test]
    fn the_text_of_an_answer_is_found_in_every_dialect() {
        let answers = [
            (
                Dialect::OpenAi,
                r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"yes"},"finish_reason":"stop"}]}"#,
            ),
            (
                Dialect::Responses,
                r#"{"output":[{"type":"reasoning","summary":[]},{"type":"message","content":[{"type":"output_text","text":"yes"}]}]}"#,
            ),
            (
                Dialect::Anthropic,
                r#"{"type":"message","role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"yes"}],"stop_reason":"end_turn"}"#,
            ),
            (
                Dialect::Gemini,
                r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"yes"}]},"finishReason":"STOP"}]}"#,
            ),
        ];
        for (dialect, answer) in answers {
            let text = said(dialect, answer.as_bytes());
            assert_eq!(text.as_deref(), Some("yes"), "{dialect:?}");
        }
    }

    #[test]
    fn tools_and_the_need_for_one_are_named_as_the_caller_names_them() {
        let named = |dialect, body: &str| read(dialect, body.as_bytes()).tools_member();
        let chat = |more: &str| {
            let body = format!(r#"{{"model":"m","messages":[],{more}}}"#);
            named(Dialect::OpenAi, &body)
        };
        assert_eq!(chat(r#""tools":[],"tool_choice":"none""#), None);
        let tool = r#""tools":[{"type":"function","function":{"name":"f"}}]"#;
        assert_eq!(chat(tool), Some("tools"));
        assert_eq!(chat(r#""tool_choice":"required""#), Some("tool_choice"));
        let forced = r#"{"contents":[],"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}}"#;
        assert!(named(Dialect::Gemini, forced).is_some());
    }
}
