//! What is read of a request.

use std::time::Duration;

use aisix_core::body::Body;
use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_TYPE, HeaderName, IF_MATCH, IF_NONE_MATCH},
    request::Parts,
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::answer::{Refusal, etag};
use aisix_core::config::store::Stored;

/// The largest body, in bytes.
pub(crate) const MAX_BODY: usize = 2 * 1024 * 1024;
/// How long a client may take for it.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// The parameters of a request, each to be taken once.
pub(crate) struct Query(Vec<(String, String)>);

// === impl Query ===

impl Query {
    pub(crate) fn of(head: &Parts) -> Result<Self, Refusal> {
        let pairs = head.uri.query().unwrap_or_default().split('&');
        let pairs = pairs.filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decoded(name)?, decoded(value)?))
        });
        let pairs: Option<Vec<_>> = pairs.collect();
        pairs
            .map(Self)
            .ok_or_else(|| Refusal::bad("the query is not percent-encoded UTF-8"))
    }

    /// Takes a parameter; the last one counts if it is given more than once.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        let mut found = None;
        self.0.retain(|(known, value)| {
            let is_it = known == name;
            if is_it {
                found = Some(value.clone());
            }
            !is_it
        });
        found
    }

    pub(crate) fn flag(&mut self, name: &str) -> Result<bool, Refusal> {
        match self.take(name).as_deref() {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1" | "") => Ok(true),
            Some(_) => Err(parameter(name, "must be true or false")),
        }
    }

    pub(crate) fn number(
        &mut self,
        name: &str,
        range: std::ops::RangeInclusive<usize>,
    ) -> Result<Option<usize>, Refusal> {
        let Some(text) = self.take(name) else {
            return Ok(None);
        };
        let number = text.parse().ok().filter(|number| range.contains(number));
        let (start, end) = (range.start(), range.end());
        let wrong = || parameter(name, &format!("must be a number from {start} to {end}"));
        number.map(Some).ok_or_else(wrong)
    }

    /// What was not taken.
    pub(crate) fn rest(self) -> Vec<(String, String)> {
        self.0
    }

    /// Refuses what was not taken: `dryrun` must not pass for `dry_run`.
    pub(crate) fn finish(self) -> Result<(), Refusal> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => Err(unknown(&name)),
        }
    }
}

pub(crate) fn unknown(name: &str) -> Refusal {
    let name: String = name.chars().take(64).collect();
    parameter(&name, "is not a known parameter")
}

fn parameter(name: &str, message: &str) -> Refusal {
    Refusal::bad(format!("`{name}` {message}")).about(Some(name.to_owned()))
}

fn decoded(text: &str) -> Option<String> {
    segment(&text.replace('+', " "))
}

/// A part of the path; `None` when it is no UTF-8.
pub(crate) fn segment(text: &str) -> Option<String> {
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

/// Reads a body: one JSON object. An absent one is empty where that is allowed.
pub(crate) async fn object(
    head: &Parts,
    body: Body,
    may_be_empty: bool,
) -> Result<Map<String, Value>, Refusal> {
    let bytes = read(body).await?;
    if bytes.is_empty() && may_be_empty {
        return Ok(Map::new());
    }
    json_type(&head.headers)?;
    let value = serde_json::from_slice(&bytes).map_err(|error| {
        // Says where and what, and repeats nothing of it.
        let (line, column) = (error.line(), error.column());
        let what = match error.classify() {
            serde_json::error::Category::Eof => "it ends too early",
            _ => "it is not well-formed",
        };
        Refusal::bad(format!(
            "Invalid JSON: {what}, at line {line}, column {column}"
        ))
    })?;
    match value {
        Value::Object(members) => Ok(members),
        _ => Err(Refusal::bad("Invalid JSON: the body must be an object")),
    }
}

fn json_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    let essence = value.to_str().unwrap_or_default().split(';').next();
    let essence = essence.unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || essence.ends_with("+json") {
        return Ok(());
    }
    let message = "the body must be sent as `Content-Type: application/json`";
    Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
}

async fn read(body: Body) -> Result<bytes::Bytes, Refusal> {
    let too_large = || {
        let message = format!("the body is larger than {} MiB", MAX_BODY >> 20);
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    };
    if http_body::Body::size_hint(&body).lower() > MAX_BODY as u64 {
        return Err(too_large());
    }
    let reading = Limited::new(body, MAX_BODY).collect();
    match tokio::time::timeout(BODY_TIMEOUT, reading).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Refusal::bad("the body could not be read")),
        Err(_) => {
            let message = "the body did not arrive in time";
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, message))
        }
    }
}

/// What must be true of a resource before it is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conditions {
    matches: Option<Vec<String>>,
    none_matches: Option<Vec<String>>,
}

// === impl Conditions ===

impl Conditions {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let tags = |name: HeaderName| {
            let values = headers.get_all(name).iter();
            let tags: Vec<String> = values
                .flat_map(|value| value.to_str().unwrap_or_default().split(','))
                .map(|tag| tag.trim().to_owned())
                .collect();
            (!tags.is_empty()).then_some(tags)
        };
        Self {
            matches: tags(IF_MATCH),
            none_matches: tags(IF_NONE_MATCH),
        }
    }

    /// Refuses with 412 unless they hold for what is stored.
    pub(crate) fn check(&self, stored: Option<&Stored>) -> Result<(), Refusal> {
        let tag = stored.map(|stored| etag(stored.entry.revision));
        let names = |tags: &Vec<String>| {
            let is_it = |given: &String| given == "*" || Some(given) == tag.as_ref();
            tag.is_some() && tags.iter().any(is_it)
        };
        if self.matches.as_ref().is_some_and(|tags| !names(tags)) {
            return Err(Refusal::precondition(match tag {
                Some(tag) => format!("the resource has changed: its ETag is {tag}"),
                None => "the resource does not exist".to_owned(),
            }));
        }
        if self.none_matches.as_ref().is_some_and(names) {
            return Err(Refusal::precondition("the resource exists already"));
        }
        Ok(())
    }
}
