//! Blocks of content: who may say which, and what each must hold.

use serde_json::Value;

use super::only;

const USER: [&str; 5] = ["text", "image", "document", "tool_result", "search_result"];
const ASSISTANT: [&str; 4] = ["text", "tool_use", "thinking", "redacted_thinking"];
const RESULT: [&str; 4] = ["text", "image", "document", "search_result"];
const IMAGES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];

/// Checks the blocks of a turn.
pub(super) fn turn(role: &str, blocks: &[Value], place: &str) -> Result<(), String> {
    let of_server = |kind: &str| kind == "server_tool_use" || kind.ends_with("_tool_result");
    for (index, block) in blocks.iter().enumerate() {
        let place = format!("{place}.content.{index}");
        let kind = block["type"].as_str().unwrap_or_default();
        let allowed = match role {
            "user" => USER.contains(&kind),
            _ => ASSISTANT.contains(&kind) || of_server(kind),
        };
        if !allowed {
            return Err(wrong_tag(&place, kind));
        }
        self::block(block, kind, &place)?;
    }
    Ok(())
}

/// Checks the blocks of `system`.
pub(super) fn system(blocks: &[Value]) -> Result<(), String> {
    for (index, block) in blocks.iter().enumerate() {
        let place = format!("system.{index}");
        if block["type"] != "text" {
            return Err(wrong_tag(
                &place,
                block["type"].as_str().unwrap_or_default(),
            ));
        }
        self::block(block, "text", &place)?;
    }
    Ok(())
}

fn block(block: &Value, kind: &str, place: &str) -> Result<(), String> {
    let place = format!("{place}.{kind}");
    let text = |name: &str| match block[name].as_str() {
        Some(text) => Ok(text),
        None => Err(format!("{place}.{name}: Field required")),
    };
    match kind {
        "text" => {
            only(
                block,
                &place,
                &["type", "text", "cache_control", "citations"],
            )?;
            match text("text")?.trim() {
                "" => Err("messages: text content blocks must be non-empty".to_owned()),
                _ => Ok(()),
            }
        }
        "thinking" => {
            only(block, &place, &["type", "thinking", "signature"])?;
            text("thinking")?;
            match text("signature")? {
                "" => Err(format!("{place}: Invalid `signature` in `thinking` block")),
                _ => Ok(()),
            }
        }
        "redacted_thinking" => {
            only(block, &place, &["type", "data"])?;
            text("data").map(|_| ())
        }
        "tool_use" => {
            only(
                block,
                &place,
                &["type", "id", "name", "input", "cache_control", "caller"],
            )?;
            if !is_name(text("id")?, usize::MAX) {
                return Err(format!(
                    "{place}.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
                ));
            }
            if !is_name(text("name")?, 200) {
                return Err(format!(
                    "{place}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,200}}$'"
                ));
            }
            super::object(&block["input"], &format!("{place}.input")).map(|_| ())
        }
        "tool_result" => {
            let known = [
                "type",
                "tool_use_id",
                "content",
                "is_error",
                "cache_control",
            ];
            only(block, &place, &known)?;
            text("tool_use_id")?;
            result(&block["content"], &place)
        }
        "image" => {
            only(block, &place, &["type", "source", "cache_control"])?;
            source(&block["source"], &place, &IMAGES)
        }
        "document" => {
            let known = [
                "type",
                "source",
                "title",
                "context",
                "citations",
                "cache_control",
            ];
            only(block, &place, &known)?;
            source(&block["source"], &place, &["application/pdf"])
        }
        _ => Ok(()),
    }
}

fn result(content: &Value, place: &str) -> Result<(), String> {
    let blocks = match content {
        Value::Null | Value::String(_) => return Ok(()),
        Value::Array(blocks) => blocks,
        _ => {
            return Err(format!(
                "{place}.content: Input should be a valid string or list"
            ));
        }
    };
    for (index, block) in blocks.iter().enumerate() {
        let place = format!("{place}.content.{index}");
        let kind = block["type"].as_str().unwrap_or_default();
        if !RESULT.contains(&kind) {
            return Err(wrong_tag(&place, kind));
        }
        self::block(block, kind, &place)?;
    }
    Ok(())
}

fn source(source: &Value, place: &str, types: &[&str]) -> Result<(), String> {
    let place = format!("{place}.source");
    let text = |name: &str| source[name].as_str().unwrap_or_default();
    match text("type") {
        "base64" => {
            only(source, &place, &["type", "media_type", "data"])?;
            if !types.contains(&text("media_type")) {
                return Err(format!(
                    "{place}.base64.media_type: Input should be one of {types:?}"
                ));
            }
            let digits = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
            match !text("data").is_empty() && text("data").bytes().all(digits) {
                true => Ok(()),
                false => Err(format!("{place}.base64: invalid base64 data")),
            }
        }
        "url" if text("url").starts_with("https://") => only(source, &place, &["type", "url"]),
        "url" => Err(format!("{place}.url: Only HTTPS URLs are supported.")),
        "text" | "content" | "file" => Ok(()),
        other => Err(wrong_tag(&place, other)),
    }
}

pub(super) fn is_name(name: &str, most: usize) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (1..=most).contains(&name.len()) && name.bytes().all(plain)
}

fn wrong_tag(place: &str, kind: &str) -> String {
    format!(
        "{place}: Input tag '{kind}' found using 'type' does not match any of the expected tags"
    )
}
