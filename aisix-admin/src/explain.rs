//! What would become of a request.

use std::net::IpAddr;

use aisix_core::{
    body::Body,
    explain::{Explainer, Question},
};
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{AUTHORIZATION, InvalidHeaderName},
    request::Parts,
};
use serde_json::{Map, Value, json};

use crate::{
    answer::{Refusal, json_response},
    request,
};

/// Where a request carries a credential, which is given as `key` here.
const CREDENTIALS: [HeaderName; 3] = [
    AUTHORIZATION,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-goog-api-key"),
];

/// Explains the request that the body describes. That it would be refused is an answer like any other.
pub(crate) async fn answer(
    explainer: Option<&Explainer>,
    head: &Parts,
    body: Body,
) -> Result<Response<Body>, Refusal> {
    let members = request::object(head, body, false).await?;
    let question = question(members)?;
    let explainer = explainer.ok_or_else(|| {
        let message = "this control plane has no gateway to explain";
        Refusal::new(StatusCode::NOT_IMPLEMENTED, message)
    })?;
    let explanation = explainer.explain(question).await;
    let explanation = explanation.map_err(|error| wrong(error.member, &error.message))?;
    Ok(json_response(StatusCode::OK, &explanation.to_json()))
}

/// What the body of a request looks like, for the description of the API.
pub(crate) fn schema() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "key": {"type": "string", "description": "The caller's credential"},
            "key_id": {"type": "string", "description": "Or the id of the API key"},
            "model": {"type": "string", "description": "The model; a body names its own"},
            "operation": {
                "type": "string", "default": "/v1/chat/completions",
                "description": "The endpoint, by path or name; `path` is another name for this member",
            },
            "body": {
                "type": ["object", "string"],
                "description": "The request's body; a string is taken as it is. Default: a minimal one",
            },
            "client": {"type": "string", "default": "127.0.0.1", "description": "The client's address"},
            "headers": {
                "type": "object", "additionalProperties": {"type": "string"},
                "description": "Headers of the request",
            },
        },
    })
}

fn question(mut members: Map<String, Value>) -> Result<Question, Refusal> {
    let mut question = Question::new();
    question = match (text(&mut members, "key")?, text(&mut members, "key_id")?) {
        (Some(key), None) => question.key(key),
        (None, Some(id)) => question.key_id(id),
        (Some(_), Some(_)) => return Err(wrong("key", "is given besides `key_id`")),
        (None, None) => return Err(wrong("key", "is required, or `key_id`")),
    };
    if let Some(model) = text(&mut members, "model")? {
        question = question.model(model);
    }
    question = match (
        text(&mut members, "operation")?,
        text(&mut members, "path")?,
    ) {
        (Some(path), None) | (None, Some(path)) => question.operation(path),
        (Some(_), Some(_)) => return Err(wrong("path", "is given besides `operation`")),
        (None, None) => question,
    };
    question = match members.shift_remove("body") {
        None | Some(Value::Null) => question,
        Some(Value::String(text)) => question.body(text),
        Some(Value::Object(body)) => question.body(Value::Object(body).to_string()),
        Some(_) => return Err(wrong("body", "must be an object or a string")),
    };
    if let Some(address) = text(&mut members, "client")? {
        let address: Option<IpAddr> = address.parse().ok();
        let not_one = || wrong("client", "must be an IP address");
        question = question.client(address.ok_or_else(not_one)?);
    }
    question = with_headers(question, members.shift_remove("headers"))?;
    match members.keys().next() {
        None => Ok(question),
        Some(name) => {
            let name: String = name.chars().take(64).collect();
            Err(wrong(&name, "is not a known field"))
        }
    }
}

fn with_headers(question: Question, headers: Option<Value>) -> Result<Question, Refusal> {
    let headers = match headers {
        None | Some(Value::Null) => return Ok(question),
        Some(Value::Object(headers)) => headers,
        Some(_) => return Err(wrong("headers", "must be an object")),
    };
    headers
        .into_iter()
        .try_fold(question, |question, (name, value)| {
            let name: Result<HeaderName, InvalidHeaderName> = name.try_into();
            let name = name.map_err(|_| wrong("headers", "has a name that no header has"))?;
            let wrong = |message: &str| wrong(&format!("headers.{name}"), message);
            if CREDENTIALS.contains(&name) {
                return Err(wrong("is a credential: give it as `key`"));
            }
            let value = value
                .as_str()
                .and_then(|text| HeaderValue::try_from(text).ok());
            let value = value.ok_or_else(|| wrong("must be a string that fits into a header"))?;
            Ok(question.header(name, value))
        })
}

/// Refuses a member of the question; the message is the rest of a sentence about it.
fn wrong(member: &str, message: &str) -> Refusal {
    Refusal::bad(format!("`{member}` {message}")).about(Some(member.to_owned()))
}

fn text(members: &mut Map<String, Value>, name: &str) -> Result<Option<String>, Refusal> {
    match members.shift_remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(name, "must be a string")),
    }
}
