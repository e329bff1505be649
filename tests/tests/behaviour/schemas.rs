//! Answers that must be of a form.

use aisix_tests::upstream::Flavour;
use serde_json::{Value, json};

use crate::{house::Cell, provider::Speech, said::Question};

fn question(schema: Value) -> Question {
    Question {
        schema: Some(schema),
        ..Question::new("Who was it?")
    }
}

pub(crate) async fn closed(cell: &Cell<'_>) {
    let schema = json!({"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": ["integer", "null"]}},
        "required": ["name", "age"], "additionalProperties": false});
    is_followed(cell, &schema).await;
}

/// Keywords that not every provider can hold a model to, which is no reason to fail.
pub(crate) async fn constrained(cell: &Cell<'_>) {
    let schema = json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
        "properties": {"name": {"type": "string", "minLength": 1, "maxLength": 80}, "age": {"type": "integer", "minimum": 0}},
        "required": ["name", "age"]});
    if cell.provider.flavour == Flavour::Anthropic && cell.caller.name() == "messages" {
        // The caller's own words go to Anthropic as they are, and are its to refuse.
        let refused = cell.refused(&question(schema)).await;
        assert_eq!(refused.status, 400, "{cell}");
        assert!(
            refused.told.message.contains("output_config.format.schema"),
            "{cell}: {:?}",
            refused.told
        );
        return;
    }
    is_followed(cell, &schema).await;
}

async fn is_followed(cell: &Cell<'_>, schema: &Value) {
    cell.says(Speech::text(&["{\"name\":", "\"Ada\",\"age\":36}"]));
    for streamed in [false, true] {
        let said = cell
            .ask(&Question {
                streamed,
                ..question(schema.clone())
            })
            .await;
        assert_eq!(said.text, "{\"name\":\"Ada\",\"age\":36}", "{cell}");
        let sent = cell.sent();
        let properties = match cell.provider.flavour {
            // It follows no schema, and is told of it instead.
            Flavour::DeepSeek => {
                assert_eq!(
                    sent["response_format"],
                    json!({"type": "json_object"}),
                    "{cell}"
                );
                &sent["messages"][0]["content"]
            }
            Flavour::Anthropic => &sent["output_config"]["format"]["schema"]["properties"],
            Flavour::Gemini => &sent["generationConfig"]["responseJsonSchema"]["properties"],
            Flavour::OpenAi if !sent["text"].is_null() => {
                &sent["text"]["format"]["schema"]["properties"]
            }
            Flavour::OpenAi | Flavour::GeminiFront => {
                &sent["response_format"]["json_schema"]["schema"]["properties"]
            }
        };
        for name in ["name", "age"] {
            assert!(properties.to_string().contains(name), "{cell}: {sent}");
        }
    }
}
