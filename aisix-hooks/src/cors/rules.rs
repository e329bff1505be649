//! What is allowed, compiled.

use aisix_core::{Error, ErrorKind, config::resource::Invalid};
use http::{
    HeaderName, HeaderValue, Method, Uri,
    header::{ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, ORIGIN, VARY},
};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::CorsSettings;

/// What is allowed, compiled.
pub(super) struct Rules {
    /// `None` allows any.
    origins: Option<Vec<HeaderValue>>,
    methods: Vec<Method>,
    pub(super) log_violations: bool,
    /// Writes the headers of answers, once the request is known to be allowed.
    pub(super) headers: CorsLayer,
}

// === impl Rules ===

impl Rules {
    pub(super) fn read(settings: &CorsSettings) -> Result<Self, Vec<Invalid>> {
        let mut wrong = Vec::new();
        let origins = &settings.allowed_origins;
        let is_any = origins.iter().any(|origin| origin == "*");
        if is_any && settings.allow_credentials {
            let message = "is not possible with the origin `*`: list the origins";
            wrong.push(Invalid::new("allow_credentials", message));
        }
        let listed = origins.iter().map(String::as_str);
        let listed = each("allowed_origins", listed, &mut wrong, |text| match text {
            "*" => Ok(HeaderValue::from_static("*")),
            text => origin(text),
        });
        let methods = settings.allowed_methods.iter().map(String::as_str);
        let methods = each("allowed_methods", methods, &mut wrong, method);
        let exposed = settings.expose_headers.iter().map(String::as_str);
        let exposed = each("expose_headers", exposed, &mut wrong, |text| {
            HeaderName::try_from(text).map_err(|_| "is not the name of a header")
        });
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let mut headers = CorsLayer::new()
            .allow_origin(AllowOrigin::mirror_request())
            .allow_methods(methods.clone())
            .allow_headers(AllowHeaders::mirror_request())
            .allow_credentials(settings.allow_credentials)
            .vary([ORIGIN]);
        if !exposed.is_empty() {
            headers = headers.expose_headers(exposed);
        }
        if let Some(age) = settings.max_age {
            headers = headers.max_age(age.duration());
        }
        Ok(Self {
            origins: (!is_any).then_some(listed),
            methods,
            log_violations: settings.log_violations,
            headers,
        })
    }

    /// Whether pages of this origin may call.
    pub(super) fn check_origin(&self, origin: &HeaderValue) -> Result<(), Error> {
        let allowed = self.origins.as_ref();
        if allowed.is_none_or(|allowed| allowed.contains(origin)) {
            return Ok(());
        }
        let error = Error::new(ErrorKind::Forbidden, "this origin is not allowed");
        Err(varied(error.with_code("origin_not_allowed")))
    }

    /// Whether what a preflight asks for is allowed.
    pub(super) fn check_preflight(&self, headers: &HeaderMap) -> Result<(), Error> {
        let Some(asked) = headers.get(ACCESS_CONTROL_REQUEST_METHOD) else {
            let message = "a preflight must say access-control-request-method";
            return Err(varied(Error::new(ErrorKind::InvalidRequest, message)));
        };
        let is_allowed = |method: &Method| asked == method.as_str();
        if self.methods.iter().any(is_allowed) {
            return Ok(());
        }
        let message = "this method is not allowed to other origins";
        Err(varied(Error::new(ErrorKind::MethodNotAllowed, message)))
    }
}

/// Reads each element of a list.
fn each<'t, T>(
    path: &str,
    texts: impl Iterator<Item = &'t str>,
    wrong: &mut Vec<Invalid>,
    read: impl Fn(&'t str) -> Result<T, &'static str>,
) -> Vec<T> {
    let mut all = Vec::new();
    for (index, text) in texts.enumerate() {
        match read(text) {
            Ok(one) => all.push(one),
            Err(message) => wrong.push(Invalid::new(format!("{path}[{index}]"), message)),
        }
    }
    all
}

/// An origin as browsers write it: in lower case, without a port that goes without saying.
fn origin(text: &str) -> Result<HeaderValue, &'static str> {
    const WRONG: &str = "must be `*` or an origin such as `https://app.example.com`";
    let text = text.to_ascii_lowercase();
    let (scheme, rest) = text.split_once("://").ok_or(WRONG)?;
    let usual_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return Err(WRONG),
    };
    let uri = Uri::try_from(&text).map_err(|_| WRONG)?;
    let is_bare = uri.authority().is_some_and(|authority| *authority == *rest);
    if !is_bare || rest.contains(['@', '*']) {
        return Err(WRONG);
    }
    let host = rest.strip_suffix(usual_port).unwrap_or(rest);
    HeaderValue::try_from(format!("{scheme}://{host}")).map_err(|_| WRONG)
}

fn method(text: &str) -> Result<Method, &'static str> {
    let method = Method::try_from(text).ok();
    let method = method.filter(|method| {
        method
            .as_str()
            .bytes()
            .all(|byte| byte.is_ascii_uppercase())
    });
    method.ok_or("is not a method in capitals, such as `POST`")
}

/// Whoever keeps the answer must keep one for each origin.
fn varied(error: Error) -> Error {
    error.with_header(VARY, HeaderValue::from_static("origin"))
}
