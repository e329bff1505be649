//! Data URIs.

use crate::chat::Source;

/// Reads an address: `data:image/png;base64,…` is data, anything else stays an address.
pub(in crate::openai) fn source(uri: &str) -> Source {
    data(uri).unwrap_or_else(|| Source::Url(uri.to_owned()))
}

/// Reads a data URI in base64; parameters of the media type are left out.
pub(in crate::openai) fn data(uri: &str) -> Option<Source> {
    let scheme = uri.get(..5)?;
    if !scheme.eq_ignore_ascii_case("data:") {
        return None;
    }
    let comma = memchr::memchr(b',', uri.as_bytes())?;
    let head = uri.get(5..comma)?.strip_suffix(";base64")?;
    let media_type = head.split(';').next().unwrap_or_default();
    Some(Source::Data {
        media_type: media_type.trim().to_owned(),
        data: uri.get(comma + 1..)?.to_owned(),
    })
}

/// Writes data as an URI.
pub(in crate::openai) fn write(media_type: &str, data: &str) -> String {
    let media_type = match media_type {
        "" => "application/octet-stream",
        known => known,
    };
    format!("data:{media_type};base64,{data}")
}
