//! The services that guards ask: whatever they are asked about, they find nothing.

use bytes::Bytes;
use serde_json::Value;

/// What is found of one text, by those that answer for each.
const VERDICT: &str = r#"{"flagged":false,"categories":{},"category_scores":{}}"#;

/// Whether a service stands at a path.
pub(crate) fn is_service(path: &str) -> bool {
    fixed(path).is_some() || path == "/moderations"
}

/// What the service at a path answers.
pub(crate) fn harmless(path: &str, question: &[u8]) -> Bytes {
    match fixed(path) {
        Some(answer) => Bytes::from_static(answer.as_bytes()),
        None => {
            let results = vec![VERDICT; texts(question)].join(",");
            Bytes::from(format!(r#"{{"results":[{results}]}}"#))
        }
    }
}

/// The answers that are the same to every question.
fn fixed(path: &str) -> Option<&'static str> {
    Some(match path {
        "/v2/guard" => r#"{"flagged":false,"breakdown":[],"payload":[]}"#,
        "/analyze" => "[]",
        "/policy" => "{}",
        "/contentsafety/text:analyze" => concat!(
            r#"{"blocklistsMatch":[],"categoriesAnalysis":[{"category":"Hate","severity":0},"#,
            r#"{"category":"SelfHarm","severity":0},{"category":"Sexual","severity":0},"#,
            r#"{"category":"Violence","severity":0}]}"#
        ),
        "/contentsafety/text:shieldPrompt" => {
            r#"{"userPromptAnalysis":{"attackDetected":false},"documentsAnalysis":[]}"#
        }
        _ => return None,
    })
}

/// How many texts a question of moderation is about.
fn texts(question: &[u8]) -> usize {
    let question = serde_json::from_slice::<Value>(question).unwrap_or_default();
    question["input"].as_array().map_or(1, Vec::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_of_a_question_has_a_verdict() {
        let answer = harmless("/moderations", br#"{"input":["one","two"]}"#);
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer["results"].as_array().unwrap().len(), 2);
    }
}
