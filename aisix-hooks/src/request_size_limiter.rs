//! `request_size_limiter`: keeps large requests out.

use std::sync::Arc;

use aisix_core::{
    Error, ErrorKind,
    call::Call,
    config::resource::{Invalid, Stage},
    hook::{Built, Context, Next, PluginFactory, Stages, from_fn},
    reply::Reply,
};
use http::{HeaderName, HeaderValue, StatusCode, header::CONTENT_LENGTH, request::Parts};
use schemars::JsonSchema;
use serde::Deserialize;

/// Refuses requests whose body is too long with 413, and without a length with 411 where one is required.
///
/// It cannot let in what the gateway's own bound on bodies keeps out. Answers say what was measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestSizeLimiter;

/// Settings of [`RequestSizeLimiter`], in either of two forms, or both, of which the smaller counts.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestSizeLimiterSettings {
    /// The longest body, in `size_unit`. Default: 10.
    #[serde(default = "ten")]
    #[schemars(range(min = 1))]
    pub allowed_payload_size: u32,
    /// Default: megabytes.
    #[serde(default)]
    pub size_unit: SizeUnit,
    /// The longest body, in characters. Default: 100000.
    #[serde(default = "hundred_thousand")]
    #[schemars(range(min = 1))]
    pub max_chars_per_request: u64,
    /// Whether a request must say its length. Default: no.
    #[serde(default)]
    pub require_content_length: bool,
    /// The longest body, in bytes. Default: what `allowed_payload_size` says.
    pub max_body_size: Option<u64>,
    /// All names and values of headers together, in bytes (431). Default: any.
    pub max_header_size: Option<usize>,
    /// How many headers (431). Default: any.
    pub max_header_count: Option<usize>,
    /// Path and query, in bytes (414). Default: any.
    pub max_url_length: Option<usize>,
    /// What is said in place of what was too large.
    pub error_message: Option<String>,
}

/// A unit of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SizeUnit {
    /// One.
    Bytes,
    /// 1024.
    Kilobytes,
    /// 1024 times 1024.
    #[default]
    Megabytes,
}

/// Two bounds, or what was measured by them.
#[derive(Clone, Copy, Debug)]
struct Size {
    bytes: u64,
    characters: u64,
}

fn ten() -> u32 {
    10
}

fn hundred_thousand() -> u64 {
    100_000
}

// === impl RequestSizeLimiter ===

impl PluginFactory for RequestSizeLimiter {
    type Settings = RequestSizeLimiterSettings;

    fn name(&self) -> &'static str {
        "request_size_limiter"
    }

    fn stages(&self) -> Stages {
        Stages::Fixed(&[Stage::PreRequest])
    }

    fn build(
        &self,
        settings: RequestSizeLimiterSettings,
        _: &Context<'_>,
    ) -> Result<Built, Vec<Invalid>> {
        let settings = Arc::new(settings);
        Ok(Built::hook(from_fn(move |call: Call, next: Next| {
            let settings = Arc::clone(&settings);
            async move { measure(&settings, call, next).await }
        })))
    }
}

async fn measure(
    settings: &RequestSizeLimiterSettings,
    call: Call,
    next: Next,
) -> Result<Reply, Error> {
    let size = Size::of(call.bytes());
    let headers = size.headers(settings.bounds());
    let answer = match settings.check(&call.inbound.head, size) {
        Ok(()) => next.run(call).await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(mut reply) => {
            reply.headers_mut().extend(headers);
            Ok(reply)
        }
        Err(error) => Err(headers
            .into_iter()
            .fold(error, |error, (name, value)| error.with_header(name, value))),
    }
}

// === impl RequestSizeLimiterSettings ===

impl RequestSizeLimiterSettings {
    fn bounds(&self) -> Size {
        let allowed = u64::from(self.allowed_payload_size) * self.size_unit.bytes();
        Size {
            bytes: self.max_body_size.map_or(allowed, |size| size.min(allowed)),
            characters: self.max_chars_per_request,
        }
    }

    fn check(&self, head: &Parts, size: Size) -> Result<(), Error> {
        if self.require_content_length && !head.headers.contains_key(CONTENT_LENGTH) {
            let said = "the request must say its content-length";
            return Err(self.refusal(StatusCode::LENGTH_REQUIRED, said.to_owned()));
        }
        self.check_head(head)?;
        let bounds = self.bounds();
        let (what, is, bound) = if size.bytes > bounds.bytes {
            ("bytes", size.bytes, bounds.bytes)
        } else if size.characters > bounds.characters {
            ("characters", size.characters, bounds.characters)
        } else {
            return Ok(());
        };
        let said = format!("the body has {is} {what}, more than {bound}");
        Err(self.refusal(StatusCode::PAYLOAD_TOO_LARGE, said))
    }

    fn check_head(&self, head: &Parts) -> Result<(), Error> {
        let headers = &head.headers;
        let url = head
            .uri
            .path_and_query()
            .map_or(0, |url| url.as_str().len());
        let bytes = headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len());
        let too_large = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        for (what, is, bound, status) in [
            (
                "bytes in the URL",
                url,
                self.max_url_length,
                StatusCode::URI_TOO_LONG,
            ),
            ("headers", headers.len(), self.max_header_count, too_large),
            (
                "bytes of headers",
                bytes.sum(),
                self.max_header_size,
                too_large,
            ),
        ] {
            if let Some(bound) = bound.filter(|bound| is > *bound) {
                let said = format!("the request has {is} {what}, more than {bound}");
                return Err(self.refusal(status, said));
            }
        }
        Ok(())
    }

    fn refusal(&self, status: StatusCode, said: String) -> Error {
        let said = self.error_message.clone().unwrap_or(said);
        match status {
            StatusCode::PAYLOAD_TOO_LARGE => Error::new(ErrorKind::TooLarge, said),
            status => Error::new(ErrorKind::InvalidRequest, said).with_status(status),
        }
    }
}

// === impl SizeUnit ===

impl SizeUnit {
    fn bytes(self) -> u64 {
        match self {
            Self::Bytes => 1,
            Self::Kilobytes => 1 << 10,
            Self::Megabytes => 1 << 20,
        }
    }
}

// === impl Size ===

impl Size {
    fn of(body: &[u8]) -> Self {
        // A character has one byte that does not go on with another.
        let characters = body.iter().filter(|byte| **byte & 0xC0 != 0x80).count();
        Self {
            bytes: u64::try_from(body.len()).unwrap_or(u64::MAX),
            characters: u64::try_from(characters).unwrap_or(u64::MAX),
        }
    }

    fn headers(self, bounds: Self) -> [(HeaderName, HeaderValue); 4] {
        [
            ("x-request-size-bytes", self.bytes),
            ("x-request-size-chars", self.characters),
            ("x-size-limit-bytes", bounds.bytes),
            ("x-size-limit-chars", bounds.characters),
        ]
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from(value)))
    }
}
