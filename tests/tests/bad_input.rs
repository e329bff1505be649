//! What a caller may send by mistake or in malice: each gets a clear answer, and the process goes on.

use aisix_tests::{
    client::Client,
    gateway::{Gateway, Setup},
    upstream::{Flavour, Upstream},
};
use serde_json::json;
use tokio::io::AsyncWriteExt;

const CHAT: &str = "/v1/chat/completions";

struct House {
    upstream: Upstream,
    gateway: Gateway,
}

impl House {
    async fn with(config: serde_json::Value) -> Self {
        let upstream = Upstream::start(Flavour::OpenAi).await;
        let setup = Setup::new()
            .provider(&upstream)
            .models(["text"])
            .config(config);
        Self {
            gateway: Gateway::start(setup).await,
            upstream,
        }
    }

    fn client(&self) -> Client {
        Client::new(self.gateway.proxy())
    }

    fn stranger(&self) -> Client {
        Client::anonymous(self.gateway.proxy())
    }

    async fn goes_on(&self) {
        assert_eq!(
            self.client().chat("text", "hi").await.status,
            200,
            "the gateway should go on"
        );
    }
}

#[tokio::test]
async fn a_body_that_is_no_request_is_a_400_and_goes_nowhere() {
    let house = House::with(json!({})).await;
    let messages = r#""messages":[{"role":"user","content":"hi"}]"#;
    let valid = format!(r#"{{"model":"text",{messages}}}"#);
    let mut table: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", b"".to_vec()),
        ("no JSON", b"hello".to_vec()),
        ("an array", b"[]".to_vec()),
        ("a string", b"\"model\"".to_vec()),
        ("null", b"null".to_vec()),
        ("more after the end", format!("{valid} x").into()),
        ("two documents", format!("{valid}{valid}").into()),
        (
            "a trailing comma",
            format!(r#"{{"model":"text",{messages},}}"#).into(),
        ),
        (
            "broken deep inside",
            br#"{"model":"text","messages":[{"role":"user","content":nul}]}"#.to_vec(),
        ),
        (
            "invalid UTF-8",
            b"{\"model\":\"text\",\"messages\":[{\"role\":\"user\",\"content\":\"\xff\xfe\"}]}"
                .to_vec(),
        ),
        ("no model", format!("{{{messages}}}").into()),
        (
            "an empty model",
            format!(r#"{{"model":"",{messages}}}"#).into(),
        ),
        (
            "a number as model",
            format!(r#"{{"model":5,{messages}}}"#).into(),
        ),
        (
            "null as model",
            format!(r#"{{"model":null,{messages}}}"#).into(),
        ),
        ("no messages", br#"{"model":"text"}"#.to_vec()),
        (
            "empty messages",
            br#"{"model":"text","messages":[]}"#.to_vec(),
        ),
        (
            "messages that are text",
            br#"{"model":"text","messages":"hi"}"#.to_vec(),
        ),
        (
            "messages that are an object",
            br#"{"model":"text","messages":{}}"#.to_vec(),
        ),
        (
            "two models",
            format!(r#"{{"model":"text","model":"text",{messages}}}"#).into(),
        ),
        (
            "two models, one escaped",
            format!(r#"{{"model":"text","\u006dodel":"other",{messages}}}"#).into(),
        ),
        (
            "two streams, one escaped",
            format!(r#"{{"model":"text","stream":false,"str\u0065am":true,{messages}}}"#).into(),
        ),
        (
            "deep nesting",
            format!(r#"{{"model":"text",{messages},"x":{}"#, "[".repeat(200_000)).into(),
        ),
    ];
    table.extend((1..valid.len()).map(|cut| ("a cut body", valid.as_bytes()[..cut].to_vec())));
    for (what, body) in table {
        let response = house.client().post_bytes(CHAT, body).await;
        assert_eq!(response.status, 400, "{what}");
        assert!(response.header("x-aisix-request-id").is_some(), "{what}");
        let answer = response.json().await;
        assert_eq!(
            answer["error"]["type"], "invalid_request_error",
            "{what}: {answer}"
        );
        assert!(answer["error"]["message"].is_string(), "{what}: {answer}");
    }
    assert!(house.upstream.exchanges().is_empty());
    house.goes_on().await;
}

#[tokio::test]
async fn a_huge_model_name_is_refused_without_being_repeated() {
    let house = House::with(json!({})).await;
    let response = house.client().chat(&"m".repeat(100_000), "hi").await;
    assert!(
        [400, 404].contains(&response.status.as_u16()),
        "{}",
        response.status
    );
    assert!(response.text().await.len() < 2_000);
    assert!(house.gateway.printed().len() < 50_000);
    house.goes_on().await;
}

#[tokio::test]
async fn ten_thousand_tools_travel_unchanged() {
    let house = House::with(json!({})).await;
    let tool = |n| json!({"type": "function", "function": {"name": format!("tool_{n}"), "parameters": {}}});
    let tools: Vec<_> = (0..10_000).map(tool).collect();
    let body =
        json!({"model": "text", "messages": [{"role": "user", "content": "hi"}], "tools": tools})
            .to_string();
    assert_eq!(
        house.client().post_bytes(CHAT, body.clone()).await.status,
        200
    );
    assert_eq!(house.upstream.exchange(0).await.request.body, body);
}

#[tokio::test]
async fn an_unknown_path_is_404_and_a_wrong_method_405_before_any_credential() {
    let house = House::with(json!({})).await;
    assert_eq!(house.stranger().get("/v1/nowhere").await.status, 404);
    assert_eq!(house.stranger().get("/").await.status, 404);
    assert_eq!(house.stranger().get(CHAT).await.status, 405);
    assert_eq!(
        house.stranger().post_bytes("/v1/models", "{}").await.status,
        405
    );
    house.goes_on().await;
}

#[tokio::test]
async fn the_first_fault_in_order_is_told() {
    let house = House::with(json!({"proxy": {"request_body_limit_bytes": 1000}})).await;
    let long = "x".repeat(1001);
    assert_eq!(
        house.stranger().post_bytes(CHAT, long.clone()).await.status,
        413
    );
    assert_eq!(
        house.stranger().post_bytes(CHAT, "not JSON").await.status,
        401
    );
    assert_eq!(
        house.client().post_bytes(CHAT, "not JSON").await.status,
        400
    );
    let answer = house.client().post_bytes(CHAT, long).await.json().await;
    assert_eq!(answer["error"]["type"], "invalid_request_error");
    assert_eq!(
        answer["error"]["message"],
        "request body exceeds 1000-byte limit"
    );
    house.goes_on().await;
}

#[tokio::test]
async fn a_chunked_body_over_the_limit_is_413() {
    let house = House::with(json!({"proxy": {"request_body_limit_bytes": 1000}})).await;
    let key = aisix_tests::gateway::KEY;
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
         connection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    let chunks = format!("100\r\n{}\r\n", " ".repeat(256)).repeat(5);
    let answer = house
        .client()
        .raw(format!("{head}{chunks}0\r\n\r\n").as_bytes())
        .await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    house.goes_on().await;
}

#[tokio::test]
async fn two_content_lengths_are_400() {
    let house = House::with(json!({})).await;
    let request = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{{}}"
    );
    let answer = house.client().raw(request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    house.goes_on().await;
}

#[tokio::test]
async fn credentials_in_every_wrong_form_are_401() {
    let house = House::with(json!({})).await;
    let key = aisix_tests::gateway::KEY;
    for wrong in [
        "",
        "Bearer",
        "Bearer ",
        "bearer x",
        key,
        "Basic abc",
        "Bearer sk-wrong",
    ] {
        // An Authorization header that does not count is not made good by the other one.
        let client = house
            .stranger()
            .header("authorization", wrong)
            .header("x-api-key", key);
        let response = client.chat("text", "hi").await;
        assert_eq!(response.status, 401, "{wrong:?}");
        assert_eq!(
            response.json().await["error"]["type"],
            "invalid_api_key",
            "{wrong:?}"
        );
    }
    assert_eq!(house.stranger().chat("text", "hi").await.status, 401);
    assert_eq!(
        house
            .stranger()
            .header("x-api-key", key)
            .chat("text", "hi")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn callers_who_never_finish_their_request_do_not_hold_up_others() {
    let house = House::with(json!({})).await;
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut socket = house.client().connect().await;
        socket
            .write_all(b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nx-")
            .await
            .expect("accepted");
        slow.push(socket);
    }
    house.goes_on().await;
}
