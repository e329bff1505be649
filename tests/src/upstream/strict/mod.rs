//! What the real provider refuses, and how it says so.
//!
//! Checks run in the provider's order: path, method, credential, JSON, members. Unknown top-level
//! members pass, as SDKs send them; a `null` optional member counts as absent.

mod chat;
mod deepseek;
mod field;
mod front;
mod gemini;
mod messages;
mod other;
mod responses;

use http::Method;
use serde_json::{Value, json};

use self::field::{Checked, Fault, Fields};
use super::{KEY, Reply, Request};

/// Which provider the upstream is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// OpenAI: everything under `/v1`.
    OpenAi,
    /// DeepSeek: chat only, with or without `/v1`; it thinks unless told not to.
    DeepSeek,
    /// Anthropic: `/v1/messages` and nothing else. Its answers are scripted as
    /// [`Message`](super::Message) or byte by byte.
    Anthropic,
    /// Gemini: its own API under `/v1beta`. Its answers are scripted as
    /// [`Candidate`](super::Candidate) or byte by byte.
    Gemini,
    /// Gemini through its OpenAI front, `/v1beta/openai`.
    GeminiFront,
}

/// What an acceptable request asks for.
#[derive(Debug)]
pub(super) enum Asked {
    /// An answer by script.
    Inference,
    /// The list of models, or one of them: nothing to script.
    Models(Reply),
}

impl Flavour {
    pub(super) fn base_path(self) -> &'static str {
        match self {
            Self::OpenAi => "/v1",
            Self::Gemini => "/v1beta",
            Self::GeminiFront => front::BASE,
            Self::DeepSeek | Self::Anthropic => "",
        }
    }

    fn endpoint(self, path: &str) -> Option<&str> {
        let path = path.split('?').next().unwrap_or_default();
        match self {
            Self::OpenAi => path.strip_prefix("/v1"),
            Self::DeepSeek => Some(path.strip_prefix("/v1").unwrap_or(path)),
            Self::GeminiFront => path.strip_prefix(front::BASE),
            Self::Anthropic | Self::Gemini => None,
        }
    }
}

pub(super) fn check(flavour: Flavour, request: &Request) -> Result<Asked, Reply> {
    match flavour {
        Flavour::Anthropic => messages::check(request).map(|()| Asked::Inference),
        Flavour::Gemini => gemini::check(request).map(|()| Asked::Inference),
        // Its errors are those of Google's other APIs, in an array.
        Flavour::GeminiFront => openai(flavour, request).map_err(front::told),
        Flavour::OpenAi | Flavour::DeepSeek => openai(flavour, request),
    }
}

/// The providers that speak OpenAI's dialect, with their deviations.
fn openai(flavour: Flavour, request: &Request) -> Result<Asked, Reply> {
    let unknown = || {
        fault(
            404,
            "unknown_url",
            format!("Invalid URL ({} {})", request.method, request.path),
        )
    };
    let endpoint = flavour.endpoint(&request.path).ok_or_else(unknown)?;
    let members: fn(&Fields<'_>) -> Checked = match (flavour, endpoint) {
        (_, "/models") => return get(request).map(|()| Asked::Models(Reply::json(&list()))),
        (_, path) if path.starts_with("/models/") => {
            return get(request)
                .map(|()| Asked::Models(Reply::json(&model(&path["/models/".len()..]))));
        }
        (Flavour::OpenAi, "/chat/completions") => chat::check,
        (Flavour::DeepSeek, "/chat/completions") => deepseek::check,
        (Flavour::OpenAi, "/responses") => responses::check,
        (Flavour::OpenAi, "/completions") => other::completions,
        (Flavour::GeminiFront, "/chat/completions") => front::check,
        (Flavour::OpenAi | Flavour::GeminiFront, "/embeddings") => other::embeddings,
        _ => return Err(unknown()),
    };
    method(request, &Method::POST)?;
    credential(request)?;
    if !request
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("application/json"))
    {
        return Err(fault(
            415,
            "unsupported_content_type",
            "Content-Type must be application/json".to_owned(),
        ));
    }
    let body = serde_json::from_slice(&request.body)
        .ok()
        .filter(Value::is_object);
    let body = body.ok_or_else(|| {
        fault(
            400,
            "invalid_json",
            "We could not parse the JSON body of your request.".to_owned(),
        )
    })?;
    members(&Fields::of(&body)).map_err(Fault::into_reply)?;
    Ok(Asked::Inference)
}

fn get(request: &Request) -> Result<(), Reply> {
    method(request, &Method::GET)?;
    credential(request)
}

fn method(request: &Request, wanted: &Method) -> Result<(), Reply> {
    if request.method == *wanted {
        return Ok(());
    }
    Err(fault(
        405,
        "method_not_supported",
        format!("Not allowed to {} on {}.", request.method, request.path),
    ))
}

fn credential(request: &Request) -> Result<(), Reply> {
    let sent: Vec<_> = request.headers.get_all("authorization").iter().collect();
    match sent.as_slice() {
        [one] if *one == format!("Bearer {KEY}").as_str() => Ok(()),
        [] => Err(fault(
            401,
            "missing_api_key",
            "You didn't provide an API key.".to_owned(),
        )),
        _ => Err(fault(
            401,
            "invalid_api_key",
            "Incorrect API key provided.".to_owned(),
        )),
    }
}

fn fault(status: u16, code: &str, message: String) -> Reply {
    Reply::error(status, "invalid_request_error", Some(code), &message)
        .header("x-request-id", "req_refused")
}

fn list() -> Value {
    json!({"object": "list", "data": [model("text")]})
}

fn model(id: &str) -> Value {
    json!({"id": id, "object": "model", "created": 1_700_000_000, "owned_by": "scripted"})
}
