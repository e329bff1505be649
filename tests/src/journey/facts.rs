//! What differs by who serves: what scripts are told, and what the upstream may see.

use serde_json::{Map, Value, json};

use super::Provider;
use crate::{sdk::Dialect, upstream};

/// What a script is told of who serves it.
///
/// - `direct`: no gateway is between; `verbatim`: the provider speaks the dialect of the script
/// - `refusals`: the models that refuse, and the status that the caller sees
/// - `retry_after`: a header says when to come back
/// - `ids`: calls of tools have the ids that the provider gave
/// - `embeddings`, `tokens`, `completions`, `counting`: the status of these operations
pub(super) fn facts(dialect: Dialect, provider: Provider, direct: bool) -> Value {
    use Provider::{Anthropic, DeepSeek, Gemini, OpenAi};
    let status = |there: bool, otherwise: u16| if there { 200 } else { otherwise };
    let seen = refusals(provider)
        .map(|(model, status)| (model.to_owned(), seen(model, status, direct).into()));
    json!({
        "direct": direct,
        "verbatim": Provider::of(dialect) == provider || (dialect, provider) == (Dialect::Chat, DeepSeek),
        "refusals": seen.collect::<Map<_, _>>(),
        "retry_after": !(direct && provider == Gemini),
        "ids": provider != Gemini,
        "embeddings": status(matches!(provider, OpenAi | Gemini), 501),
        "tokens": status(provider == OpenAi, 400),
        "completions": match provider { OpenAi => 200, DeepSeek => 404, Anthropic | Gemini => 501 },
        "counting": status(provider == Anthropic, 400),
    })
}

/// The models that refuse at this provider, and its status. Not every provider knows every status.
pub(super) fn refusals(provider: Provider) -> impl Iterator<Item = (&'static str, u16)> {
    let refusals: &[(&str, u16)] = match provider {
        Provider::OpenAi => &[
            ("bad-400", 400),
            ("key-401", 401),
            ("forbidden-403", 403),
            ("missing-404", 404),
            ("conflict-409", 409),
            ("invalid-422", 422),
            ("limited-429", 429),
            ("broken-500", 500),
            ("busy-503", 503),
        ],
        Provider::DeepSeek => &[
            ("bad-400", 400),
            ("key-401", 401),
            ("unpaid-402", 402),
            ("invalid-422", 422),
            ("limited-429", 429),
            ("broken-500", 500),
            ("busy-503", 503),
        ],
        Provider::Anthropic => &[
            ("bad-400", 400),
            ("key-401", 401),
            ("unpaid-402", 402),
            ("forbidden-403", 403),
            ("missing-404", 404),
            ("limited-429", 429),
            ("broken-500", 500),
            ("overloaded-529", 529),
        ],
        Provider::Gemini => &[
            ("bad-400", 400),
            ("key-401", 400),
            ("forbidden-403", 403),
            ("missing-404", 404),
            ("conflict-409", 409),
            ("limited-429", 429),
            ("broken-500", 500),
            ("busy-503", 503),
        ],
    };
    refusals.iter().copied()
}

/// The status that a caller sees of a refusal.
fn seen(model: &str, status: u16, direct: bool) -> u16 {
    match status {
        _ if direct => status,
        _ if model == "key-401" => 401,
        500..529 => 502,
        status => status,
    }
}

/// Whether the upstream may be asked at this path.
pub(super) fn paths(dialect: Dialect, provider: Provider, path: &str) -> bool {
    match provider {
        Provider::OpenAi if dialect == Dialect::Responses => path == "/v1/responses",
        Provider::OpenAi if dialect == Dialect::Chat => path.starts_with("/v1/"),
        Provider::OpenAi => ["/v1/chat/completions", "/v1/embeddings"].contains(&path),
        Provider::DeepSeek => ["/chat/completions", "/completions"].contains(&path),
        Provider::Anthropic => ["/v1/messages", "/v1/messages/count_tokens"].contains(&path),
        Provider::Gemini => path.starts_with("/v1beta/models/"),
    }
}

/// The header in which the provider gets its credential, and what it says.
pub(super) fn credential(provider: Provider) -> (&'static str, String) {
    let key = upstream::KEY;
    match provider {
        Provider::OpenAi | Provider::DeepSeek => ("authorization", format!("Bearer {key}")),
        Provider::Anthropic => ("x-api-key", key.to_owned()),
        Provider::Gemini => ("x-goog-api-key", key.to_owned()),
    }
}

/// The headers that tell which SDK called, and that a provider of another dialect never sees.
pub(super) fn foreign(provider: Provider) -> &'static [&'static str] {
    match provider {
        Provider::Anthropic => &["authorization", "x-goog-api-key"],
        Provider::Gemini => &["authorization", "x-api-key", "anthropic-version"],
        Provider::OpenAi | Provider::DeepSeek => {
            &["x-api-key", "anthropic-version", "x-goog-api-key"]
        }
    }
}
