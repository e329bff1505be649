//! Base addresses of upstreams, as operators write them.

use std::fmt::Write as _;

use aisix_core::{Error, ErrorKind};
use aisix_wire::Form;
use http::Uri;

/// Paths that are often pasted with the address, longest first.
const PASTED: [&str; 8] = [
    "/audio/transcriptions",
    "/audio/translations",
    "/images/generations",
    "/chat/completions",
    "/audio/speech",
    "/completions",
    "/embeddings",
    "/responses",
];

/// The base of an OpenAI-dialect server: without a trailing slash and without a pasted endpoint.
/// `/v1` is added to the bare host of OpenAI itself, and to no other.
pub(crate) fn base(text: &str) -> Result<String, Error> {
    based(text, |host| host == "api.openai.com")
}

/// The address of the Responses API under a base. Here `/v1` is added to any bare host.
pub(crate) fn responses(text: &str) -> Result<Uri, Error> {
    usable(&format!("{}/responses", based(text, |_| true)?))
}

fn based(text: &str, wants_version: impl Fn(&str) -> bool) -> Result<String, Error> {
    let mut base = text.trim().trim_end_matches('/');
    for pasted in PASTED {
        if let Some(stripped) = base.strip_suffix(pasted) {
            base = stripped.trim_end_matches('/');
            break;
        }
    }
    let uri = usable(base)?;
    let mut base = base.to_owned();
    let host = uri.authority().map(http::uri::Authority::host);
    if uri.path() == "/" && host.is_some_and(wants_version) {
        base.push_str("/v1");
    }
    Ok(base)
}

/// An absolute URL without credentials and query.
pub(crate) fn usable(base: &str) -> Result<Uri, Error> {
    let wrong = |why: &str| {
        Error::new(
            ErrorKind::InvalidRequest,
            format!("the provider key's api_base is not usable: {why}"),
        )
    };
    let uri: Uri = base.parse().map_err(|_| wrong("not an absolute URL"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(wrong("the scheme must be http or https"));
    }
    let authority = uri.authority().ok_or_else(|| wrong("no host"))?;
    if authority.as_str().contains('@') {
        return Err(wrong("it must not contain credentials"));
    }
    if uri.query().is_some() {
        return Err(wrong("it must not have a query"));
    }
    Ok(uri)
}

/// The address for a kind of work under `base`.
pub(crate) fn endpoint(base: &str, form: Form) -> Result<Uri, Error> {
    let path = match form {
        Form::Chat => "/chat/completions",
        Form::Complete => "/completions",
        Form::Embed => "/embeddings",
        _ => {
            return Err(Error::new(
                ErrorKind::NotImplemented,
                "operation not supported",
            ));
        }
    };
    let mut address = String::with_capacity(base.len() + path.len());
    let _ = write!(address, "{base}{path}");
    address.parse().map_err(|_| {
        Error::new(
            ErrorKind::InvalidRequest,
            "the provider key's api_base is not usable: not a URL",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_are_read_as_people_write_them() {
        let cases = [
            ("https://api.openai.com", "https://api.openai.com/v1"),
            ("https://api.openai.com/v1/", "https://api.openai.com/v1"),
            (
                "https://api.openai.com/v1/chat/completions",
                "https://api.openai.com/v1",
            ),
            ("http://localhost:8000", "http://localhost:8000"),
            (
                "http://localhost:8000/v1/embeddings/",
                "http://localhost:8000/v1",
            ),
            ("https://h/openai/v2/completions", "https://h/openai/v2"),
        ];
        for (written, read) in cases {
            assert_eq!(base(written).unwrap(), read);
        }
    }

    #[test]
    fn responses_are_under_a_version() {
        let cases = [
            (
                "https://api.openai.com",
                "https://api.openai.com/v1/responses",
            ),
            (
                "http://localhost:8000/",
                "http://localhost:8000/v1/responses",
            ),
            (
                "http://localhost:8000/api",
                "http://localhost:8000/api/responses",
            ),
            ("https://h/v1/responses", "https://h/v1/responses"),
        ];
        for (written, read) in cases {
            assert_eq!(responses(written).unwrap().to_string(), read);
        }
    }

    #[test]
    fn unusable_bases_are_refused_without_being_repeated() {
        for wrong in [
            "",
            "api.openai.com",
            "ftp://h",
            "https://user:secret@h/v1",
            "https://h/?key=secret",
        ] {
            let error = base(wrong).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{wrong}");
            assert!(!error.message().contains("secret"));
        }
    }
}
