//! Model listings.

use bytes::Bytes;
use serde::Serialize;

use crate::Dialect;

/// What a listing says about one model.
#[derive(Clone, Copy, Debug)]
pub struct ModelInfo<'a> {
    /// The name callers use.
    pub id: &'a str,
    /// When the model appeared, in seconds since 1970.
    pub created: u64,
    /// Who provides it; shown to OpenAI callers only.
    pub owned_by: &'a str,
}

/// Writes a listing of models in the order given, on one page.
pub fn write_models(dialect: Dialect, models: &[ModelInfo<'_>]) -> Bytes {
    match dialect {
        Dialect::OpenAi | Dialect::Responses => json(&OpenAiList {
            object: "list",
            data: models.iter().map(openai).collect(),
        }),
        Dialect::Anthropic => json(&AnthropicList {
            data: models.iter().map(anthropic).collect(),
            has_more: false,
            first_id: models.first().map(|model| model.id),
            last_id: models.last().map(|model| model.id),
        }),
        Dialect::Gemini => json(&GeminiList {
            models: models.iter().map(gemini).collect(),
        }),
    }
}

/// Writes one model.
pub fn write_model(dialect: Dialect, model: &ModelInfo<'_>) -> Bytes {
    match dialect {
        Dialect::OpenAi | Dialect::Responses => json(&openai(model)),
        Dialect::Anthropic => json(&anthropic(model)),
        Dialect::Gemini => json(&gemini(model)),
    }
}

#[derive(Serialize)]
struct OpenAiList<'a> {
    object: &'static str,
    data: Vec<OpenAiModel<'a>>,
}

#[derive(Serialize)]
struct OpenAiModel<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'a str,
}

#[derive(Serialize)]
struct AnthropicList<'a> {
    data: Vec<AnthropicModel<'a>>,
    has_more: bool,
    first_id: Option<&'a str>,
    last_id: Option<&'a str>,
}

#[derive(Serialize)]
struct AnthropicModel<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    display_name: &'a str,
    created_at: String,
}

#[derive(Serialize)]
struct GeminiList<'a> {
    models: Vec<GeminiModel<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GeminiModel<'a> {
    name: String,
    display_name: &'a str,
    supported_generation_methods: [&'static str; 2],
}

fn openai<'a>(model: &ModelInfo<'a>) -> OpenAiModel<'a> {
    OpenAiModel {
        id: model.id,
        object: "model",
        created: model.created,
        owned_by: model.owned_by,
    }
}

fn anthropic<'a>(model: &ModelInfo<'a>) -> AnthropicModel<'a> {
    AnthropicModel {
        kind: "model",
        id: model.id,
        display_name: model.id,
        created_at: rfc3339(model.created),
    }
}

fn gemini<'a>(model: &ModelInfo<'a>) -> GeminiModel<'a> {
    GeminiModel {
        name: format!("models/{}", model.id),
        display_name: model.id,
        supported_generation_methods: ["generateContent", "streamGenerateContent"],
    }
}

fn json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value)
        .expect("strings, numbers and lists always serialise")
        .into()
}

/// Writes seconds since 1970 as a UTC date and time; years past 9999 are shown as the end of 9999.
fn rfc3339(seconds: u64) -> String {
    const LAST: u64 = 253_402_300_799;
    let seconds = seconds.min(LAST);
    let (days, clock) = (seconds / 86_400, seconds % 86_400);
    // Gregorian cycles of 400 years counted from 1 March of year 0, so that leap days end a year.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let shifted = (5 * day + 2) / 153;
    let (month, next) = if shifted < 10 {
        (shifted + 3, 0)
    } else {
        (shifted - 9, 1)
    };
    let day = day - (153 * shifted + 2) / 5 + 1;
    let year = year + era * 400 + next;
    let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gemini_listings_name_what_a_model_can_do() {
        let model = ModelInfo {
            id: "m",
            created: 0,
            owned_by: "o",
        };
        let one = r#"{"name":"models/m","displayName":"m","supportedGenerationMethods":["generateContent","streamGenerateContent"]}"#;
        assert_eq!(write_model(Dialect::Gemini, &model), one);
        assert_eq!(
            write_models(Dialect::Gemini, &[model]),
            format!(r#"{{"models":[{one}]}}"#)
        );
    }

    #[test]
    fn dates_are_right_around_leap_days_and_at_the_ends() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(rfc3339(1_709_251_199), "2024-02-29T23:59:59Z");
        assert_eq!(rfc3339(1_735_689_600), "2025-01-01T00:00:00Z");
        assert_eq!(rfc3339(1_760_000_000), "2025-10-09T08:53:20Z");
        assert_eq!(rfc3339(4_107_542_400), "2100-03-01T00:00:00Z");
        assert_eq!(rfc3339(u64::MAX), "9999-12-31T23:59:59Z");
    }

    #[test]
    fn openai_callers_get_the_openai_list() {
        let models = [ModelInfo {
            id: "a/\"b",
            created: 7,
            owned_by: "openai",
        }];
        assert_eq!(
            write_models(Dialect::OpenAi, &models),
            r#"{"object":"list","data":[{"id":"a/\"b","object":"model","created":7,"owned_by":"openai"}]}"#,
        );
        assert_eq!(
            write_models(Dialect::OpenAi, &[]),
            r#"{"object":"list","data":[]}"#
        );
    }

    #[test]
    fn anthropic_callers_get_the_anthropic_page() {
        let models = ["a", "b"].map(|id| ModelInfo {
            id,
            created: 0,
            owned_by: "x",
        });
        assert_eq!(
            write_models(Dialect::Anthropic, &models),
            concat!(
                r#"{"data":[{"type":"model","id":"a","display_name":"a","created_at":"1970-01-01T00:00:00Z"},"#,
                r#"{"type":"model","id":"b","display_name":"b","created_at":"1970-01-01T00:00:00Z"}],"#,
                r#""has_more":false,"first_id":"a","last_id":"b"}"#,
            ),
        );
        assert_eq!(
            write_models(Dialect::Anthropic, &[]),
            r#"{"data":[],"has_more":false,"first_id":null,"last_id":null}"#,
        );
    }
}
