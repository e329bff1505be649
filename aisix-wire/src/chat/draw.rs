//! Drawing an answer in another way than the caller wants it drawn.

use serde_json::to_string;

use super::{Number, Request};
use crate::{Dialect, Edits, Envelope, anthropic, json::Object, openai};

/// How an answer is drawn, in place of what the request says of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Draw {
    /// The temperature; `None` leaves the request's.
    pub temperature: Option<f64>,
    /// The start of the dice; `None` leaves the request's.
    pub seed: Option<u64>,
}

// === impl Draw ===

impl Draw {
    /// Says so in a request of a dialect that goes out as it came, to the model of this name there: a seed only where the
    /// dialect knows one, a temperature only where the model takes one.
    pub fn edit(
        self,
        dialect: Dialect,
        model: &str,
        (bytes, envelope): (&[u8], &Envelope),
        edits: &mut Edits,
    ) {
        if dialect == Dialect::Anthropic {
            let temperature = self.temperature.map(|it| it.min(1.0));
            let Some(temperature) = temperature.filter(|_| anthropic::takes_temperature(model))
            else {
                return;
            };
            let thinking = Object::scan(bytes).ok();
            let thinking = thinking.and_then(|it| it.try_object("thinking")?.try_text("type"));
            if thinking.is_none_or(|kind| kind == "disabled") {
                edits.set("temperature", temperature.to_string());
                // Models take one of the two.
                edits.remove("top_p");
            }
            return;
        }
        let config = match envelope.member(bytes, "generation_config") {
            Some(_) => "generation_config",
            None => "generationConfig",
        };
        let mut set = |name: &'static str, value: String| match dialect {
            Dialect::Gemini => edits.set_in(config, name, value),
            _ => edits.set(name, value),
        };
        if let Some(temperature) = self.temperature(model) {
            set("temperature", temperature);
        }
        if let Some(seed) = self.seed
            && matches!(dialect, Dialect::OpenAi | Dialect::Gemini)
        {
            set("seed", seed.to_string());
        }
    }

    /// Says so in a request that is translated for the model of this name, a temperature only where the model takes one.
    pub fn apply(self, model: &str, request: &mut Request) {
        let sampling = &mut request.sampling;
        if let Some(temperature) = self.temperature(model) {
            sampling.temperature = Number::parse(&temperature);
        }
        if let Some(seed) = self.seed {
            sampling.seed = Some(seed.into());
        }
    }

    fn temperature(self, model: &str) -> Option<String> {
        let temperature = self.temperature?;
        let takes_it = openai::takes_temperature(model);
        takes_it.then(|| to_string(&temperature).ok()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn it_stands_where_each_dialect_has_a_place_for_it() {
        let draw = Draw {
            temperature: Some(0.2),
            seed: Some(7),
        };
        let cases = [
            (
                Dialect::OpenAi,
                r#"{"temperature":1}"#,
                r#"{"temperature":0.2,"seed":7}"#,
            ),
            (
                Dialect::Anthropic,
                r#"{"top_p":1}"#,
                r#"{"temperature":0.2}"#,
            ),
            (
                Dialect::Anthropic,
                r#"{"thinking":{"type":"adaptive"}}"#,
                r#"{"thinking":{"type":"adaptive"}}"#,
            ),
            (Dialect::Responses, "{}", r#"{"temperature":0.2}"#),
            (
                Dialect::Gemini,
                r#"{"generation_config":{"seed":1}}"#,
                r#"{"generation_config":{"seed":7,"temperature":0.2}}"#,
            ),
            (
                Dialect::Gemini,
                "{}",
                r#"{"generationConfig":{"temperature":0.2,"seed":7}}"#,
            ),
        ];
        for (dialect, body, expected) in cases {
            let body = Bytes::from_static(body.as_bytes());
            let envelope = Envelope::scan(&body, &[]).expect("it is JSON");
            let mut edits = Edits::new();
            draw.edit(dialect, "claude-sonnet-4-5", (&body, &envelope), &mut edits);
            let drawn = edits.apply(&body, &envelope);
            assert_eq!(String::from_utf8_lossy(&drawn), expected, "{dialect:?}");
        }
    }

    #[test]
    fn models_that_take_no_temperature_are_told_none() {
        let draw = Draw {
            temperature: Some(0.2),
            seed: None,
        };
        for (dialect, model) in [
            (Dialect::OpenAi, "o3-mini"),
            (Dialect::Responses, "gpt-5"),
            (Dialect::Anthropic, "claude-opus-4-7"),
        ] {
            let body = Bytes::from_static(b"{}");
            let envelope = Envelope::scan(&body, &[]).expect("it is JSON");
            let mut edits = Edits::new();
            draw.edit(dialect, model, (&body, &envelope), &mut edits);
            assert_eq!(edits.apply(&body, &envelope), "{}", "{model}");
        }
    }
}
