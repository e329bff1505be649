use std::time::Duration;

use crate::gemini::{error_reason, retry_delay};

#[test]
fn the_delay_of_a_refusal_is_found() {
    let details = r#"{"error":{"code":429,"details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure"},7,
        {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"17.5s"}]}}"#;
    assert_eq!(
        retry_delay(details.as_bytes()),
        Some(Duration::from_millis(17_500))
    );
    assert_eq!(
        retry_delay(format!(" [{details}]").as_bytes()),
        Some(Duration::from_millis(17_500))
    );
}

#[test]
fn a_delay_that_is_none_is_not_invented() {
    for delay in [
        "\"\"",
        "\"s\"",
        "\"-1s\"",
        "\"NaNs\"",
        "\"1e300s\"",
        "\"17\"",
        "17",
        "null",
    ] {
        let body = format!(
            r#"{{"error":{{"details":[{{"@type":"x/google.rpc.RetryInfo","retryDelay":{delay}}}]}}}}"#
        );
        assert_eq!(retry_delay(body.as_bytes()), None, "{delay}");
    }
    for body in [
        "",
        "[",
        "[]",
        "[1]",
        "{}",
        "{\"error\":\"x\"}",
        "<html>",
        "\u{7f}",
    ] {
        assert_eq!(retry_delay(body.as_bytes()), None);
        assert_eq!(error_reason(body.as_bytes()), None);
    }
    assert_eq!(retry_delay(b"[\xff]"), None);
}

#[test]
fn a_bad_key_is_told_from_a_bad_request() {
    let body = br#"{"error":{"code":400,"status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}"#;
    assert_eq!(error_reason(body).as_deref(), Some("API_KEY_INVALID"));
}
