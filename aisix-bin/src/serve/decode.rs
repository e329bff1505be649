//! `Content-Encoding` of request bodies.

use std::io;

use aisix_core::{Error, ErrorKind, body::Body, edge::write};
use aisix_wire::Dialect;
use async_compression::tokio::bufread::GzipDecoder;
use futures_util::TryStreamExt;
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH},
};
use http_body::Frame;
use http_body_util::{BodyDataStream, StreamBody};
use tokio_util::io::{ReaderStream, StreamReader};

use super::reading::Reading;

/// How much is decoded at a time.
const CHUNK: usize = 16 * 1024;

/// Decodes the body of a request as it is read: what follows sees neither the encoding nor the
/// encoded length. The limit of bodies counts decoded bytes, so a bomb ends where it says.
///
/// # Errors
///
/// The finished 415, for every encoding but `gzip`.
pub(super) fn decode(request: Request<Reading>) -> Result<Request<Body>, Box<Response<Body>>> {
    if !request.headers().contains_key(CONTENT_ENCODING) {
        return Ok(request.map(Body::new));
    }
    let gzip = match is_gzip(request.headers()) {
        Ok(gzip) => gzip,
        Err(error) => return Err(Box::new(write(Dialect::OpenAi, error).into_response())),
    };
    let (mut head, body) = request.into_parts();
    head.headers.remove(CONTENT_ENCODING);
    if !gzip {
        return Ok(Request::from_parts(head, Body::new(body)));
    }
    head.headers.remove(CONTENT_LENGTH);
    Ok(Request::from_parts(head, gunzip(body)))
}

/// Whether the body is compressed by gzip; not at all otherwise.
fn is_gzip(headers: &HeaderMap) -> Result<bool, Error> {
    let mut gzip = false;
    for value in headers.get_all(CONTENT_ENCODING) {
        let value = value.as_bytes().trim_ascii();
        if !gzip && (value.eq_ignore_ascii_case(b"gzip") || value.eq_ignore_ascii_case(b"x-gzip")) {
            gzip = true;
        } else if !value.is_empty() && !value.eq_ignore_ascii_case(b"identity") {
            let message = "unsupported content-encoding: send gzip, or the body as it is";
            return Err(Error::new(ErrorKind::InvalidRequest, message)
                .with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
                .with_header(ACCEPT_ENCODING, HeaderValue::from_static("gzip")));
        }
    }
    Ok(gzip)
}

/// The content of a gzip file, which may have more than one member.
fn gunzip(body: Reading) -> Body {
    let encoded = BodyDataStream::new(body).map_err(io::Error::other);
    let mut decoder = GzipDecoder::new(StreamReader::new(encoded));
    decoder.multiple_members(true);
    let decoded = ReaderStream::with_capacity(decoder, CHUNK).map_ok(Frame::data);
    Body::new(StreamBody::new(decoded))
}
