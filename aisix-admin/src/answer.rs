//! Answers, and refusals with their reason.

use aisix_core::{
    body::Body,
    config::{
        Key, Kind,
        resource::{Invalid, mask},
        store::{Revision, StoreError, StoreErrorKind},
    },
};
use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, X_CONTENT_TYPE_OPTIONS},
};
use serde_json::{Map, Value, json};

/// Why a request is refused.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    /// The field that is wrong.
    pub(crate) field: Option<String>,
    /// The methods that would do.
    pub(crate) allow: Option<String>,
}

// === impl Refusal ===

impl Refusal {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            field: None,
            allow: None,
        }
    }

    /// 400.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 400 about a field; the message is the rest of a sentence about it.
    pub(crate) fn field(field: &str, message: &str) -> Self {
        Self::invalid(vec![Invalid::new(field, message)])
    }

    /// 400 with everything that is wrong with a document.
    pub(crate) fn invalid(errors: Vec<Invalid>) -> Self {
        let told: Vec<_> = errors.iter().map(ToString::to_string).collect();
        let message = format!("JSON schema validation error: {}", told.join("; "));
        let first = errors.into_iter().map(|error| error.path).next();
        Self::bad(message).about(first.filter(|path| !path.is_empty()))
    }

    /// 404.
    pub(crate) fn not_found(key: &Key) -> Self {
        let id: String = key.id.chars().take(128).collect();
        let message = format!("{} with ID {id} not found", title(key.kind));
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// 409.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, message)
    }

    /// 412.
    pub(crate) fn precondition(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, message)
    }

    pub(crate) fn about(mut self, field: Option<String>) -> Self {
        self.field = field;
        self
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let mut members = Map::new();
        members.insert("error_msg".to_owned(), self.message.into());
        members.extend(self.field.map(|field| ("field".to_owned(), field.into())));
        let mut response = json_response(self.status, &Value::Object(members));
        let allow = self
            .allow
            .and_then(|allow| HeaderValue::try_from(allow).ok());
        let challenge =
            (self.status == StatusCode::UNAUTHORIZED).then(|| HeaderValue::from_static("Bearer"));
        let headers = response.headers_mut();
        headers.extend(allow.map(|allow| (http::header::ALLOW, allow)));
        headers.extend(challenge.map(|it| (http::header::WWW_AUTHENTICATE, it)));
        response
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error.kind() {
            StoreErrorKind::ReadOnly => Self::conflict(error.to_string()),
            StoreErrorKind::TooLarge => Self::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()),
            StoreErrorKind::Conflict => Self::conflict("others write at the same time; try again"),
            _ => {
                let message = format!("store error: {error}");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
            }
        }
    }
}

/// What one resource of a kind is called.
pub(crate) fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::Upstream => "Upstream",
        Kind::ProviderKey => "Provider key",
        Kind::Model => "Model",
        Kind::ApiKey => "API key",
        Kind::Gateway => "Gateway",
        Kind::Guardrail => "Guardrail",
        Kind::GuardrailAttachment => "Guardrail attachment",
        Kind::RateLimitPolicy => "Rate limit policy",
        Kind::CachePolicy => "Cache policy",
        _ => "Resource",
    }
}

/// A document as it may be shown.
pub(crate) fn shown(kind: Kind, mut document: Value) -> Value {
    mask(kind, &mut document);
    document
}

/// An answer in JSON.
pub(crate) fn json_response(status: StatusCode, value: &Value) -> Response<Body> {
    text_response(status, "application/json", value.to_string())
}

/// An answer in JSON with the revision of what it shows.
pub(crate) fn tagged(status: StatusCode, value: &Value, revision: Revision) -> Response<Body> {
    let mut response = json_response(status, value);
    let tag = HeaderValue::try_from(etag(revision)).expect("digits in quotes");
    response.headers_mut().insert(ETAG, tag);
    response
}

pub(crate) fn etag(revision: Revision) -> String {
    format!("\"{revision}\"")
}

/// An answer that nobody keeps.
pub(crate) fn text_response(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<bytes::Bytes>,
) -> Response<Body> {
    let mut response = Response::new(Body::full(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// A listed resource.
pub(crate) fn item(segment: &str, stored: aisix_core::config::store::Stored) -> Value {
    let aisix_core::config::Entry {
        key,
        value,
        revision,
    } = stored.entry;
    json!({
        "key": format!("/{segment}/{}", key.id),
        "value": shown(key.kind, value),
        "created_index": stored.created,
        "modified_index": revision,
    })
}
