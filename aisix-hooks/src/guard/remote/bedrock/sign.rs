//! Signatures of AWS, version 4.
//!
//! As <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html> says, for a `POST`
//! of JSON to a path without a query.

use aisix_core::config::Secret;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderValue, Uri};
use jiff::{Timestamp, tz::TimeZone};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use super::settings::AwsCredentials;

/// What is signed besides the method, the path and the body.
const SIGNED: &str = "content-type;host;x-amz-date";
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What is escaped in a segment of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// What is escaped in a path.
const PATH: &AsciiSet = &SEGMENT.remove(b'/');

/// Signs requests to one service in one region.
pub(super) struct Signer {
    access_key_id: Secret,
    secret_access_key: Secret,
    region: String,
    service: &'static str,
    content_type: &'static str,
}

/// What is added to a request.
pub(super) struct Signed {
    pub(super) date: HeaderValue,
    pub(super) authorization: HeaderValue,
}

// === impl Signer ===

impl Signer {
    pub(super) fn new(credentials: &AwsCredentials, region: &str) -> Self {
        let AwsCredentials::Static {
            access_key_id,
            secret_access_key,
        } = credentials.clone();
        Self {
            access_key_id,
            secret_access_key,
            region: region.to_owned(),
            service: "bedrock",
            content_type: "application/json",
        }
    }

    pub(super) fn sign(&self, uri: &Uri, body: &[u8], now: Timestamp) -> Signed {
        let now = now.to_zoned(TimeZone::UTC);
        let time = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        let day = &time[..8];
        let (region, service) = (&self.region, self.service);
        let scope = format!("{day}/{region}/{service}/aws4_request");
        let host = uri.authority().map_or("", |authority| authority.as_str());
        let request = format!(
            "POST\n{path}\n\ncontent-type:{content_type}\nhost:{host}\nx-amz-date:{time}\n\n{SIGNED}\n{body}",
            // Once more: what is signed escapes the escapes of the path.
            path = utf8_percent_encode(uri.path(), PATH),
            content_type = self.content_type,
            body = hex(&Sha256::digest(body)),
        );
        let request = hex(&Sha256::digest(request));
        let text = format!("{ALGORITHM}\n{time}\n{scope}\n{request}");
        let signature = hex(&mac(&self.key(day), &text));
        let id = self.access_key_id.expose();
        let authorization = format!(
            "{ALGORITHM} Credential={id}/{scope}, SignedHeaders={SIGNED}, Signature={signature}"
        );
        Signed {
            date: header(&time),
            authorization: header(&authorization),
        }
    }

    fn key(&self, day: &str) -> [u8; 32] {
        let secret = format!("AWS4{}", self.secret_access_key.expose());
        let parts = [day, &self.region, self.service, "aws4_request"];
        let mut parts = parts.into_iter();
        let first = mac(secret.as_bytes(), parts.next().unwrap_or_default());
        parts.fold(first, |key, part| mac(&key, part))
    }
}

/// Text as a segment of a path.
pub(super) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

fn mac(key: &[u8], text: &str) -> [u8; 32] {
    let mac = Hmac::<Sha256>::new_from_slice(key);
    let mut mac = mac.expect("a key of any length is good");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A header that is not logged. Signatures of ids that no header can hold are refused by AWS anyway.
fn header(text: &str) -> HeaderValue {
    let header = HeaderValue::from_str(text);
    let mut header = header.unwrap_or_else(|_| HeaderValue::from_static(""));
    header.set_sensitive(true);
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_the_test_suite_of_aws() {
        let signer = Signer {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            region: "us-east-1".to_owned(),
            service: "service",
            content_type: "application/x-www-form-urlencoded",
        };
        let uri = Uri::from_static("https://example.amazonaws.com/");
        let now: Timestamp = "2015-08-30T12:36:00Z".parse().unwrap();
        let signed = signer.sign(&uri, b"Param1=value1", now);
        assert_eq!(signed.date, "20150830T123600Z");
        assert_eq!(
            signed.authorization,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, \
             Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"
        );
    }

    /// The signature is that of botocore, the AWS SDK for Python.
    #[test]
    fn what_is_escaped_in_a_path_is_escaped_once_more() {
        let credentials = AwsCredentials::Static {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
        };
        let arn = escaped("arn:aws:bedrock:us-east-1:123456789012:guardrail/abcdefghijkl");
        let base = "https://bedrock-runtime.us-east-1.amazonaws.com";
        let uri = format!("{base}/guardrail/{arn}/version/1/apply");
        let now: Timestamp = "2015-08-30T12:36:00Z".parse().unwrap();
        let signer = Signer::new(&credentials, "us-east-1");
        let signed = signer.sign(&uri.parse().unwrap(), b"{}", now);
        assert_eq!(
            signed.authorization,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/bedrock/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, \
             Signature=84d746ae9991a2775ec4c4892ffab942f97be24718ce58e8512a2166963e502f"
        );
    }
}
