use std::fs;

use aisix_core::{
    Gateway,
    config::{Config, Entry, KeyHash, Kind},
    explain::{Explainer, Question},
};
use serde_json::json;

use super::{text::Place, *};

/// Explains for a caller `alice`, without a node.
fn told(question: Question) -> Told {
    let resources = [
        (
            Kind::ProviderKey,
            "openai-main",
            json!({"display_name": "main", "provider": "openai", "api_key": "sk-up"}),
        ),
        (
            Kind::Model,
            "gpt",
            json!({
                "display_name": "gpt-*", "provider": "openai", "model_name": "gpt-*",
                "provider_key_id": "openai-main", "rate_limit": {"concurrency": 20},
                "allowed_cidrs": ["127.0.0.0/8"], "timeout": 30_000,
            }),
        ),
        (
            Kind::ApiKey,
            "alice-1",
            json!({
                "display_name": "alice", "key_hash": KeyHash::of("sk-alice").to_hex(),
                "allowed_models": ["gpt-4*"], "team_id": "growth",
                "rate_limit": {"rpm": 60, "tpm": 100_000},
            }),
        ),
        (
            Kind::RateLimitPolicy,
            "each-team",
            json!({"name": "day of a team", "limits": {"rpd": 5_000}, "group_by": ["team"]}),
        ),
        (
            Kind::RateLimitPolicy,
            "none-at-times",
            json!({
                "name": "no rush", "scope": "team", "scope_ref": "growth", "window": "second",
                "max_requests": 1, "schedules": [{
                    "timezone": "UTC", "start_time": "00:00", "end_time": "24:00",
                    "days_of_week": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
                }],
            }),
        ),
    ];
    let entries = resources.map(|(kind, id, document)| Entry::new(kind, id, document));
    let config = Config::builder().providers(aisix_providers::registry());
    let explainer = Explainer::new(Gateway::builder(config.fixed(entries).unwrap()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let explanation = runtime
        .block_on(explainer.explain(question.key("sk-alice")))
        .unwrap();
    Told {
        explanation: explanation.to_json(),
        place: Place::Here(None),
    }
}

/// The text with the same seconds until a window ends, whenever it was written.
fn timeless(text: &str) -> String {
    let line = |line: &str| match line.split_once("anew in ") {
        Some((before, _)) => format!("{before}anew in 42 s\n"),
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn the_book_shows_what_is_told() {
    let mut told = told(Question::new().model("gpt-4o-mini"));
    told.place = Place::Node("http://127.0.0.1:3001".to_owned());
    let text = timeless(&told.to_string());
    let book = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/src/operate.md");
    let book = fs::read_to_string(book).unwrap();
    assert!(
        book.contains(&format!("```text\n{text}```\n")),
        "not in the book:\n{text}"
    );
}

#[test]
fn a_refusal_tells_who_refuses_and_why() {
    let told = told(Question::new().model("gpt-4").client([192, 0, 2, 1].into()));
    let text = told.to_string();
    for line in [
        "outcome  would be refused by admit: 403 forbidden",
        "         this model may not be used from your address (ip_restricted)",
        "node     the settings have no admin listener, so the limits are those of an idle one",
        "         allowed by gpt-4*, from 127.0.0.0/8 only",
        "limits   not reached",
    ] {
        assert!(
            text.lines().any(|told| told == line),
            "{line:?} is not in\n{text}"
        );
    }
}

#[test]
fn a_name_cannot_command_the_terminal() {
    let model = "gpt-4\u{1b}[2J\r\n";
    let text = told(Question::new().model(model)).to_string();
    assert!(text.contains("gpt-4[2J: "), "{text}");
    assert!(
        text.chars()
            .all(|letter| letter == '\n' || !letter.is_control())
    );
}
