//! Plain HTTP requests, written out.

use std::net::SocketAddr;

/// A request with a JSON body, or with none if that is empty; `bearer` is the credential, if it is not empty.
pub(crate) fn request(
    method: &str,
    host: SocketAddr,
    path: &str,
    bearer: &str,
    body: &str,
) -> Vec<u8> {
    let authorization = match bearer {
        "" => String::new(),
        key => format!("Authorization: Bearer {key}\r\n"),
    };
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\n\
         Host: {host}\r\n\
         Content-Type: application/json\r\n\
         {authorization}\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
