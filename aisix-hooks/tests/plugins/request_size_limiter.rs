//! How much one may send.

use aisix_core::testing::{self, Answer, Upstream};
use http::header::CONTENT_LENGTH;
use serde_json::json;

use crate::ask::*;

#[tokio::test]
async fn what_is_too_large_is_refused_and_answers_say_what_was_measured() {
    for (settings, status) in [
        (json!({}), 200),
        (
            json!({"allowed_payload_size": 1, "size_unit": "kilobytes"}),
            200,
        ),
        (
            json!({"allowed_payload_size": 20, "size_unit": "bytes"}),
            413,
        ),
        (json!({"max_body_size": 20}), 413),
        (json!({"max_chars_per_request": 20}), 413),
        (json!({"require_content_length": true}), 411),
        (json!({"max_url_length": 5}), 414),
        (json!({"max_header_count": 0}), 431),
        (json!({"max_header_size": 5}), 431),
    ] {
        let upstream = Upstream::new();
        upstream.answer(Answer::chat("hello"));
        let plugins = json!([{"name": "request_size_limiter", "settings": settings}]);
        let gateway = gateway(&upstream, plugins);
        let mut request = testing::chat_request("hi");
        request.headers_mut().remove(CONTENT_LENGTH);
        let response = send(&gateway, request).await;
        assert_eq!(response.status(), status, "{settings}");
        assert!(response.headers().contains_key("x-request-size-bytes"));
        assert!(response.headers().contains_key("x-size-limit-chars"));
        assert_eq!(upstream.requests().len(), usize::from(status == 200));
    }
}

#[tokio::test]
async fn characters_are_not_bytes() {
    let upstream = Upstream::new();
    let settings = json!({"max_chars_per_request": 150});
    let plugins = json!([{"name": "request_size_limiter", "settings": settings}]);
    let gateway = gateway(&upstream, plugins);
    for (text, status) in [("é".repeat(80), 200), ("é".repeat(150), 413)] {
        upstream.answer(Answer::chat("hello"));
        let response = send(&gateway, testing::chat_request(&text)).await;
        assert_eq!(response.status(), status);
        let of =
            |name: &str| -> usize { response.headers()[name].to_str().unwrap().parse().unwrap() };
        let more = text.len() / 2;
        assert_eq!(
            of("x-request-size-bytes") - of("x-request-size-chars"),
            more
        );
    }
}
