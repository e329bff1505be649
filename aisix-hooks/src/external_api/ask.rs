//! Asking the service.

use std::{fmt, time::Duration};

use aisix_core::{
    call::Call,
    config::resource::{Invalid, Template},
    wire::{Document, json_string},
};
use bytes::{BufMut, Bytes, BytesMut};
use form_urlencoded::Serializer;
use http::{
    HeaderName, HeaderValue, Request, Uri,
    header::{ACCEPT, CONTENT_TYPE},
};

use super::{ExternalApiSettings, Method};
use crate::ask::{Asker, Failure};

/// The longest that a service may take: hooks are bounded all together.
const LONGEST: Duration = Duration::from_secs(60);
/// What belongs to the connection and to the framing of a message.
const FRAMING: [&str; 7] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "te",
    "transfer-encoding",
    "upgrade",
];
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-aisix-request-id");

/// What is asked, compiled. It holds credentials.
pub(super) struct Question {
    uri: Uri,
    method: Method,
    headers: Vec<(HeaderName, Template)>,
    timeout: Duration,
}

// === impl Question ===

impl Question {
    /// Reads what is asked; `None` when the address is wrong.
    pub(super) fn read(settings: &ExternalApiSettings, wrong: &mut Vec<Invalid>) -> Option<Self> {
        let uri = uri(settings).map_err(|message| wrong.push(Invalid::new("endpoint", message)));
        let mut headers = Vec::with_capacity(settings.headers.len());
        for (name, value) in &settings.headers {
            match header(name, value.expose()) {
                Ok(header) => headers.push(header),
                Err(message) => wrong.push(Invalid::new(format!("headers.{name}"), message)),
            }
        }
        let timeout = settings.timeout.duration();
        if timeout.is_zero() || timeout > LONGEST {
            let message = "must be longer than nothing, and up to 60 seconds";
            wrong.push(Invalid::new("timeout", message));
        }
        Some(Self {
            uri: uri.ok()?,
            method: settings.method,
            headers,
            timeout,
        })
    }

    /// Asks about a call.
    ///
    /// # Errors
    ///
    /// Why there is no answer that could be used.
    pub(super) async fn ask(&self, call: &Call) -> Result<Document, Failure> {
        let asker = Asker {
            transport: call.transport().ok_or(Failure::Unreachable)?.clone(),
            timeout: self.timeout,
        };
        let answer = match asker.ask_bytes(self.request(call)).await? {
            empty if empty.is_empty() => Bytes::from_static(b"{}"),
            answer => answer,
        };
        Document::new(answer).map_err(|_| Failure::Unreadable)
    }

    fn request(&self, call: &Call) -> Request<Bytes> {
        let (method, body) = match self.method {
            Method::Get => (http::Method::GET, Bytes::new()),
            Method::Post => (http::Method::POST, about(call)),
            Method::Put => (http::Method::PUT, about(call)),
            Method::Patch => (http::Method::PATCH, about(call)),
        };
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert(ACCEPT, JSON);
        if self.method != Method::Get {
            headers.insert(CONTENT_TYPE, JSON);
        }
        let trail = call.trail();
        headers.insert(REQUEST_ID, trail.request_id().clone());
        for (name, value) in &self.headers {
            let value = value.render(&|variable| trail.variable(variable));
            if let Some(mut value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                value.set_sensitive(true);
                headers.insert(name.clone(), value);
            }
        }
        request
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question").finish_non_exhaustive()
    }
}

/// What the service is told about a call: the request as it stands, and who asks for what.
fn about(call: &Call) -> Bytes {
    let caller = call.caller();
    let texts = [
        ("id", Some(&**caller.id())),
        ("name", caller.name()),
        ("team_id", caller.team_id()),
        ("user_id", caller.user_id()),
    ];
    let mut json = BytesMut::with_capacity(call.bytes().len() + 256);
    json.put_slice(b"{\"request\":");
    json.put_slice(call.bytes());
    for (name, text) in [
        ("model", &**call.requested_model()),
        ("operation", call.inbound.operation.name),
    ] {
        json.put_slice(format!(",\"{name}\":").as_bytes());
        json.put(json_string(text));
    }
    json.put_slice(b",\"caller\":{");
    let known = texts
        .into_iter()
        .filter_map(|(name, text)| Some((name, text?)));
    for (index, (name, text)) in known.enumerate() {
        let comma = if index > 0 { "," } else { "" };
        json.put_slice(format!("{comma}\"{name}\":").as_bytes());
        json.put(json_string(text));
    }
    json.put_slice(b"}}");
    json.freeze()
}

/// The whole address.
fn uri(settings: &ExternalApiSettings) -> Result<Uri, &'static str> {
    const WRONG: &str = "must be an address such as `https://policy.example.com/check`";
    let uri = Uri::try_from(settings.endpoint.as_str()).map_err(|_| WRONG)?;
    let authority = uri.authority().ok_or(WRONG)?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(WRONG);
    }
    if authority.as_str().contains('@') {
        return Err("cannot hold credentials: put them into `headers`");
    }
    if settings.query_params.is_empty() {
        return Ok(uri);
    }
    let mut query = Serializer::new(uri.query().unwrap_or_default().to_owned());
    for param in &settings.query_params {
        query.append_pair(&param.name, param.value.expose());
    }
    let path = format!("{}?{}", uri.path(), query.finish());
    let mut parts = uri.into_parts();
    parts.path_and_query = Some(path.try_into().map_err(|_| WRONG)?);
    Uri::from_parts(parts).map_err(|_| WRONG)
}

fn header(name: &str, value: &str) -> Result<(HeaderName, Template), String> {
    let name = HeaderName::try_from(name).map_err(|_| "is not the name of a header")?;
    if FRAMING.contains(&name.as_str()) {
        return Err("belongs to the connection".to_owned());
    }
    let value = Template::parse(value).map_err(|error| error.to_string())?;
    Ok((name, value))
}
