//! Who may call from where.

use aisix_core::testing::{self, Answer, Upstream};
use serde_json::json;

use crate::ask::*;

#[tokio::test]
async fn only_those_listed_may_call_and_are_told_so_in_their_dialect() {
    for name in ["ip_allowlist", "ip_whitelist"] {
        let upstream = Upstream::new();
        let settings = json!({"ips": ["192.0.2.7", "2001:db8::/32"], "cidrs": ["10.0.0.0/8"]});
        let gateway = gateway(&upstream, json!([{"name": name, "settings": settings}]));
        for address in [
            "192.0.2.7:1",
            "[2001:db8::9]:1",
            "10.9.9.9:1",
            "[::ffff:10.0.0.1]:1",
        ] {
            upstream.answer(Answer::chat("hello"));
            let response = send(&gateway, from(address, testing::chat_request("hi"))).await;
            assert_eq!(response.status(), 200, "{address}");
        }
        let stranger = from("192.0.2.8:1", testing::chat_request("hi"));
        for request in [stranger, testing::chat_request("hi")] {
            let response = send(&gateway, request).await;
            assert_eq!(response.status(), 403);
            let error = &testing::json(response).await["error"];
            assert_eq!(error["code"], "ip_restricted");
        }
    }
}

#[tokio::test]
async fn one_that_is_off_lets_everybody_in() {
    let upstream = Upstream::new();
    upstream.answer(Answer::chat("hello"));
    let settings = json!({"enabled": false, "ips": ["192.0.2.7"]});
    let gateway = gateway(
        &upstream,
        json!([{"name": "ip_allowlist", "settings": settings}]),
    );
    assert_eq!(
        send(&gateway, testing::chat_request("hi")).await.status(),
        200
    );
}

#[test]
fn lists_are_checked() {
    for (settings, expected) in [
        (
            json!({}),
            "`plugins[0].settings.ips` or `cidrs` must list something",
        ),
        (
            json!({"ips": []}),
            "`plugins[0].settings.ips` or `cidrs` must list something",
        ),
        (json!({"cidrs": ["10.0.0.0/99"]}), "inapplicable"),
    ] {
        let said = wrong(json!([{"name": "ip_allowlist", "settings": settings}]));
        assert!(said.contains(expected), "{said}");
    }
}
